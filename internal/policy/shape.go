package policy

import (
	"strings"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
)

const (
	namePattern = `^[a-z][a-z0-9_]{0,31}$`
	codePattern = `^[a-z][A-Za-z0-9]{0,63}$`
)

// reservedWords are CEL's own; an inventory or a rule of such a name could not be written in an expression.
func reservedWords() []string {
	return []string{
		"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop", "package",
		"namespace", "null", "return", "true", "var", "void", "while",
	}
}

// NameShape declares the name of an inventory, a policy, a rule or a webhook.
func NameShape() *document.Shape {
	return &document.Shape{
		Type: document.Text, Name: "name", Pattern: namePattern, Except: reservedWords(), ExceptText: "it is a word of the expression language",
		Accepted: "a to z, 0 to 9 and _, at most 32, the first one a letter",
	}
}

// Shape declares the section "policies". Inventories are the names that a fault lists. The policy "default" may leave them
// out where the environment has an inventory.
func Shape(inventories []string, environment bool) *document.Shape {
	names := &document.Shape{Type: document.List, Accepted: "a list of " + orNone(inventories), Least: 1, Items: text("")}
	of, fallback := policyKeys(names), policyKeys(names)
	of.Name, fallback.Name = "policy", "policy_default"
	fallback.Keys[0].Required = !environment
	if environment {
		fallback.Keys[0].Shape.Accepted += "; or no such key, which means the inventory of PROVIDER"
	} else {
		fallback.Keys[0].Shape.Accepted += "; or PROVIDER in the environment, whose inventory is meant then"
	}
	return &document.Shape{
		Type: document.Map, Most: maxPolicies, Names: NameShape(), Members: of, Keys: []document.Key{document.Optional("default", fallback)},
		About: "What is required of a device, by the name of the policy. A webhook of the environment has the policy default.",
	}
}

func policyKeys(names *document.Shape) *document.Shape {
	asked, also := *names, *names
	asked.About = "The inventories to ask, in this order: the first that knows the device decides."
	also.About = "The inventories that must know the device too, every one of these."
	mode := wordsOf(posture.Modes(), "What a request without a mode means; by default, what the provider takes it for.")
	return document.MapOf(
		document.Required("inventories", &asked),
		document.Optional("also_in", &also),
		document.Optional("mode", mode),
		document.Optional("rules", &document.Shape{Type: document.List, Most: maxRules, Items: ruleShape(), About: "What the facts of a device must meet. Every rule is evaluated; the first that is not met gives the code and the message of the refusal."}),
		document.Optional("data", dataShape()),
		document.Optional("token", tokenShape()),
		document.Optional("scep", document.MapOf(
			document.Optional("other_names", boolean("A CSR of SCEP may have names beside the identifier of its challenge; a rule over request.names decides about them.")),
		)),
		document.Optional("tests", &document.Shape{Type: document.List, Items: testShape(), About: "Cases and what the policy must say about them. A file with a test that fails is not loaded."}),
		document.Optional("allow_unmanaged", boolean("A device that the inventory has and does not manage may pass too.")),
		document.Optional("report_only", boolean("Rules and required groups refuse nothing; the log, the audit log and the metrics say what they would refuse.")),
	)
}

func text(about string) *document.Shape {
	return &document.Shape{Type: document.Text, About: about}
}

// boolean declares a switch that is off unless it is set.
func boolean(about string) *document.Shape {
	return &document.Shape{Type: document.Bool, About: about, Default: false}
}

func wordsOf(words []string, about string) *document.Shape {
	return &document.Shape{Type: document.Text, Words: words, About: about}
}

func expression(about, accepted string) *document.Shape {
	return &document.Shape{Type: document.Text, Expression: true, Least: 1, Most: maxExpression, About: about, Accepted: accepted}
}

func ruleShape() *document.Shape {
	rule := document.MapOf(
		document.Required("name", NameShape()),
		document.Required("require", expression("The expression that must be true, in CEL.", "an expression, such as device.managed")),
		document.Optional("when", expression("The rule counts where this expression is true, or cannot be evaluated.", `an expression, such as device.os == "macOS"`)),
		document.Optional("code", &document.Shape{Type: document.Text, Pattern: codePattern, Default: string(posture.DeviceNotCompliant), Accepted: "letters and digits, at most 64, the first one a small letter", About: "The code of the refusal."}),
		document.Optional("message", &document.Shape{Type: document.Text, Least: 1, Most: maxMessage, Default: defaultMessage, Accepted: "1 to 300 characters in one line", About: "What the person at the device reads."}),
		document.Optional("enforce", &document.Shape{
			Type: document.Bool, Default: true, Or: &document.Shape{Type: document.Day}, Accepted: "true, false, or the day on which it begins, such as 2027-01-15",
			About: "false: the rule refuses nothing, and is reported only. A day, such as 2027-01-15: it begins to refuse on that day, in UTC.",
		}),
	)
	rule.Name = "rule"
	return rule
}

func dataShape() *document.Shape {
	value := expression("An expression of any JSON value.", "an expression, or {value: EXPRESSION, required: true}")
	value.Or = document.MapOf(
		document.Required("value", expression("An expression of any JSON value.", "an expression")),
		document.Optional("required", boolean("A value that cannot be evaluated is a refusal; by default it is an empty text.")),
	)
	return &document.Shape{
		Type: document.Map, Name: "data", Members: value,
		About: "What goes to step-ca for the certificate, by name: expressions in CEL. {} sends nothing. By default, what the inventory's own settings give.",
	}
}

func testShape() *document.Shape {
	rules := func(about string) *document.Shape {
		return &document.Shape{Type: document.List, Items: text(""), About: about}
	}
	record := document.MapOf(document.Optional("device", factsShape("device")), document.Optional("user", factsShape("user")))
	record.Name = "record"
	test := document.MapOf(
		document.Required("name", &document.Shape{Type: document.Text, Least: 1, Accepted: "what the test shows"}),
		document.Optional("device", factsShape("device")),
		document.Optional("user", factsShape("user")),
		document.Optional("records", &document.Shape{Type: document.Map, Members: record, Names: NameShape(), About: "What the other inventories know, by their names. One that is left out does not know the device; {} knows it."}),
		document.Optional("request", requestShape()),
		document.Optional("now", &document.Shape{Type: document.Time, Default: "2026-01-01T00:00:00Z", Accepted: acceptedTime, About: "When the request comes in."}),
		document.Optional("inventory", text("The inventory that decides; by default the first.")),
		document.Optional("allow", &document.Shape{Type: document.Bool, About: "Whether the device is allowed."}),
		document.Optional("code", text("The code of the refusal.")),
		document.Optional("unmet", rules("The enforced rules that are not met.")),
		document.Optional("would_deny", rules("The rules that are not met and not enforced.")),
		document.Optional("unknown", rules("The rules, of both kinds, that cannot be evaluated.")),
		document.Optional("data", &document.Shape{Type: document.Map, Members: &document.Shape{}, About: "The data for the certificate."}),
	)
	test.Name = "test"
	return test
}

func requestShape() *document.Shape {
	names := func(more ...document.Key) *document.Shape {
		names := document.MapOf(append([]document.Key{
			document.Optional("common_name", text("")),
			document.Optional("subject_serial_number", text("")),
			document.Optional("serial_number", text("")),
			document.Optional("emails", document.ListOf(text(""))),
			document.Optional("dns_names", document.ListOf(text(""))),
			document.Optional("ips", document.ListOf(text(""))),
			document.Optional("uris", document.ListOf(text(""))),
		}, more...)...)
		names.Name = "certificate_names"
		return names
	}
	shown := names(
		document.Optional("serial", text("The same as serial_number.")),
		document.Optional("not_before", &document.Shape{Type: document.Time, Accepted: acceptedTime}),
		document.Optional("not_after", &document.Shape{Type: document.Time, Accepted: acceptedTime}),
		document.Optional("provisioner", text("The name of the provisioner, as step-ca's extension has it.")),
		document.Optional("provisioner_type", wordsOf(issuerTypes(), "")),
	)
	shown.Name = "certificate_shown"
	request := document.MapOf(
		document.Optional("door", wordsOf(posture.Doors(), "")),
		document.Optional("caller", text("The name of a webhook, the ID of one of the environment, or a name in callers of a door.")),
		document.Optional("kind", wordsOf(posture.RequestKinds(), "")),
		document.Optional("provisioner", text("")),
		document.Optional("mode", wordsOf(posture.Modes(), "")),
		document.Optional("identifier", text("")),
		document.Optional("key_type", wordsOf(posture.KeyTypes(), "")),
		document.Optional("key_bits", &document.Shape{Type: document.Whole}),
		document.Optional("names", document.ListOf(text(""))),
		document.Optional("principal", text("")),
		document.Optional("csr", names()),
		document.Optional("certificate", shown),
		document.Optional("x5c", names()),
		document.Optional("ssh", document.MapOf(
			document.Optional("type", wordsOf(posture.SSHTypes(), "")),
			document.Optional("key_id", text("")),
			document.Optional("principals", document.ListOf(text(""))),
			document.Optional("valid_before", &document.Shape{Type: document.Time, Accepted: acceptedTime}),
		)),
		document.Optional("scep", document.MapOf(document.Optional("transaction_id", text("")))),
		document.Optional("radius", document.MapOf(
			document.Optional("nas", text("")),
			document.Optional("ssid", text("")),
			document.Optional("calling_station", text("")),
		)),
		document.Optional("url", &document.Shape{Type: document.Map, Members: text(""), About: "The parameters of the webhook's URL."}),
	)
	request.Name = "request"
	return request
}

// factsShape declares the facts about of ("device" or "user"), by the vocabulary.
func factsShape(of string) *document.Shape {
	facts := &document.Shape{Type: document.Map, Name: of}
	for _, d := range posture.Vocabulary() {
		if name, ok := strings.CutPrefix(d.Name, of+"."); ok {
			facts.Keys = append(facts.Keys, document.Optional(name, factShape(d)))
		}
	}
	return facts
}

func factShape(d *posture.Definition) *document.Shape {
	switch d.Type {
	case posture.BoolFact:
		return &document.Shape{Type: document.Bool}
	case posture.ListFact:
		return document.ListOf(text(""))
	case posture.AttributesFact:
		return &document.Shape{Type: document.Map, Members: text("")}
	case posture.VersionFact:
		return &document.Shape{Type: document.Text, Accepted: `one to four numbers, such as "15.4.1"`}
	case posture.TimeFact:
		return &document.Shape{Type: document.Time, Accepted: acceptedTime}
	case posture.TextFact:
		return &document.Shape{Type: document.Text, Words: d.Words}
	}
	return text("")
}

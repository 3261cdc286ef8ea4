package httpjson

import (
	"slices"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
)

// The keys of a section.
const (
	keyPreset = "preset"
	keyBase   = "base_url"
	keyMap    = "map"
	keyList   = "list"
	keyThen   = "then"
)

const (
	acceptedTemplate = "text, with placeholders such as {{serial}} and {{vars.NAME}}"
	patternName      = "^[a-z][a-z0-9_]{0,31}$"
)

// SectionShape implements the provider table's interface of a section that only a policy file can have.
func (*Config) SectionShape(others ...document.Key) *document.Shape {
	return &document.Shape{Type: document.Map, Keys: append(slices.Clone(others), keys()...)}
}

func text(about, accepted string) *document.Shape {
	return &document.Shape{Type: document.Text, Least: 1, Accepted: accepted, About: about}
}

func expressionShape(about string) *document.Shape {
	return &document.Shape{Type: document.Text, Expression: true, Least: 1, Accepted: "an expression of CEL", About: about}
}

func removable(s *document.Shape) *document.Shape {
	s.Removable = true
	return s
}

func members(of *document.Shape, about string) *document.Shape {
	return &document.Shape{
		Type: document.Map, Most: maxVars, About: about, Members: of,
		Names: &document.Shape{Type: document.Text, Pattern: patternName, Accepted: "a name of small letters, digits and _, at most 32"},
	}
}

func fields(about string) *document.Shape {
	return &document.Shape{
		Type: document.Map, Most: maxVars, About: about,
		Members: removable(&document.Shape{Type: document.Text, Accepted: acceptedTemplate}),
		Names:   &document.Shape{Type: document.Text, Least: 1, Accepted: "a name"},
	}
}

func keys() []document.Key {
	secret := removable(config.SecretShape())
	secret.Name = ""
	auth := authShape()
	auth.Or = &document.Shape{Type: document.List, Items: authShape(), Least: 1, Most: maxAuth, Accepted: "one way to authenticate, or a list of them"}
	return []document.Key{
		document.Optional(keyPreset, text("A mapping that is part of the connector, as NAME@VERSION; keys of the section change it.", "the name and version of a preset")),
		document.Optional(keyBase, text("The service: https:// and its host, with port and path where it has them.", acceptedBase)),
		document.Optional("insecure_http", &document.Shape{Type: document.Bool, Default: false, About: "Whether base_url may begin with http://, for a service on this machine or in the same cluster."}),
		document.Optional("ca_file", text("A PEM file with the CAs that may have issued the service's certificate, in place of the system's.", "the path of a PEM file with CA certificates")),
		document.Optional("auth", auth),
		document.Optional("identifiers", &document.Shape{Type: document.Text, Least: 1, Most: maxTemplate, Default: identifiersSerial, Accepted: "serial, email or a regular expression that begins with ^ and ends with $", About: "Which identifiers the service can know; it is not asked for others."}),
		document.Optional("vars", members(removable(&document.Shape{Type: document.Text, Accepted: "text"}), "Texts for placeholders {{vars.NAME}} and for expressions.")),
		document.Optional("secrets", members(secret, "Secrets for placeholders {{secret.NAME}} in auth and headers.")),
		document.Optional("headers", fields("Headers of every request.")),
		document.Optional("limits", limitsShape()),
		document.Optional("request", requestShape()),
		document.Optional("outcome", outcomeShape()),
		document.Optional("search", &document.Shape{Type: document.Text, Words: []string{searchContains, searchExact}, Default: searchContains, About: "exact: the service returns only records with the identifier, so that any other one is a fault. contains: it may return others."}),
		document.Optional("select", selectShape()),
		document.Optional("answer", &document.Shape{Type: document.Text, Words: []string{answerRecord, answerStatus}, Default: answerRecord, About: "status: the service names no device; its status and exact body are all that it says."}),
		document.Optional(keyThen, &document.Shape{Type: document.List, Most: maxSteps, Items: stepShape(), About: "Further requests, for facts that the first answer does not have."}),
		document.Optional(keyMap, mapShape()),
		document.Optional("allow_unmanaged", &document.Shape{Type: document.Bool, Default: false, About: "Whether a device passes that the service does not say is managed."}),
		document.Optional(keyList, listShape()),
	}
}

func requestShape() *document.Shape {
	body := &document.Shape{Type: document.Any, About: "The JSON body; placeholders stand in its texts."}
	s := document.MapOf(
		document.Optional("method", &document.Shape{Type: document.Text, Words: []string{"GET", "POST"}, Default: "GET", About: "The method of the request."}),
		document.Required("path", text("The path behind base_url.", "a path such as /api/devices/{{serial}}")),
		document.Optional("query", fields("The parameters of the query.")),
		document.Optional("headers", fields("Headers of this request.")),
		document.Optional("body", body),
	)
	s.Name, s.Accepted, s.About = "http_request", "a request with a path", "A request."
	return s
}

func outcomeShape() *document.Shape {
	found := &document.Shape{
		Type: document.List, Least: 1, Most: 8, Items: &document.Shape{Type: document.Whole, Least: 200, Most: 299},
		Accepted: "a list of statuses such as [200]", About: "The statuses of an answer with records; with answer: status an expression.",
		Or: &document.Shape{Type: document.Text, Expression: true, Least: 1, Accepted: "a list of statuses such as [200]"},
	}
	empty := document.MapOf(document.Required("204", &document.Shape{Type: document.Text, Words: []string{"not_found"}, About: "What an empty answer with this status means."}))
	empty.About = "What an empty answer means; without it, a fault."
	s := document.MapOf(
		document.Optional("found", found),
		document.Optional("not_found", expressionShape("True where an answer that is no list says that there is no such device.")),
		document.Optional("fault", expressionShape("True where an answer that looks right is a fault.")),
		document.Optional("empty_body", empty),
	)
	s.About = "What the answer means, apart from its records."
	return s
}

func selectShape() *document.Shape {
	s := document.MapOf(
		document.Required("items", expressionShape("The list of records in the answer.")),
		document.Required("more", expressionShape("True where the service has more records than the answer.")),
		document.Optional("pick", &document.Shape{Type: document.Text, Words: []string{pickNewest, pickSingle}, Default: pickSingle, About: "Which of several records of one device counts: the one seen last, or none."}),
	)
	s.Accepted, s.About = "items and more", "Which records the answer has."
	return s
}

func stepShape() *document.Shape {
	return document.MapOf(
		document.Required("name", &document.Shape{Type: document.Text, Pattern: patternName, Accepted: "a name of small letters, digits and _, at most 32", About: "The name of the answer in expressions of map."}),
		document.Required("request", requestShape()),
		document.Required("more", expressionShape("True where the answer is a part only; false where it is always whole.")),
		document.Optional("fault", expressionShape("True where an answer that looks right is a fault.")),
	)
}

func mapShape() *document.Shape {
	s := &document.Shape{
		Type: document.Map, Most: 128, Accepted: "expressions by the names of facts",
		About:   "The facts of a record, as expressions; also attributes.NAME.",
		Members: removable(expressionShape("An attribute.")),
		Names:   &document.Shape{Type: document.Text, Pattern: `^(device|user|attributes)\..{1,64}$`, Accepted: "the name of a fact, or attributes.NAME"},
	}
	for _, d := range posture.Vocabulary() {
		if d.Type != posture.AttributesFact {
			s.Keys = append(s.Keys, document.Optional(d.Name, removable(expressionShape("The fact "+d.Name+"."))))
		}
	}
	return s
}

func listShape() *document.Shape {
	s := document.MapOf(
		document.Optional("request", removable(requestShape())),
		document.Optional("items", removable(expressionShape("The list of records of a page."))),
		document.Optional("next", removable(expressionShape("Where the next page is: a URL of the service, a path, or null; with {{cursor}} in the request, what it stands for."))),
		document.Optional("total", removable(expressionShape("How many records the service has."))),
	)
	s.About = "How all devices are listed; without it there is neither snapshot nor export."
	return s
}

func limitsShape() *document.Shape {
	s := document.MapOf(
		document.Optional("timeout", removable(&document.Shape{Type: document.Text, Pattern: "^[0-9]{1,5}(ms|s)$", Accepted: "a duration from 100ms to 9s", Default: "9s", About: "How long one request may take."})),
		document.Optional("body", removable(&document.Shape{Type: document.Text, Pattern: "^[0-9]{1,5}(KiB|MiB)$", Accepted: "a size such as 512KiB or 4MiB, at most 16MiB", Default: "4MiB", About: "How long an answer may be."})),
		document.Optional("concurrency", removable(&document.Shape{Type: document.Whole, Least: 1, Most: mostAtOnce, Default: 5, About: "How many requests run at once."})),
		document.Optional("rate", removable(&document.Shape{Type: document.Text, Pattern: "^[0-9]{1,4}/(s|m)$", Accepted: "a rate such as 10/s or 30/m", About: "How many requests are sent in a second or a minute."})),
		document.Optional("burst", removable(&document.Shape{Type: document.Whole, Least: 1, Most: mostRate, Default: 1, About: "How many requests may be sent at once within the rate."})),
	)
	s.About = "The limits of requests."
	return s
}

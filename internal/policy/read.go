package policy

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
)

// The bounds of a policy file.
const (
	maxPolicies = 256
	maxRules    = 64   // in one policy
	maxAllRules = 2000 // in all policies
	maxMessage  = 300  // characters
)

// defaultMessage names neither the rule nor a fact: it is for the person at the device.
const defaultMessage = "This device does not meet a requirement of your organization; ask your administrator what to do"

var (
	namePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
	codePattern = regexp.MustCompile(`^[a-z][A-Za-z0-9]{0,63}$`)
)

const (
	acceptedName = "a to z, 0 to 9 and _, at most 32, the first one a letter"
	acceptedCode = "letters and digits, at most 64, the first one a small letter"
)

// reservedWords are CEL's own; an inventory or a rule of such a name could not be written in an expression.
func reservedWords() []string {
	return []string{
		"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop", "package",
		"namespace", "null", "return", "true", "var", "void", "while",
	}
}

// CheckName reports a fault where the name of an inventory, a policy, a rule or a webhook is none.
func CheckName(at document.Value, name string) bool {
	switch {
	case !namePattern.MatchString(name):
		at.Fault(acceptedName, "the name is not accepted")
	case slices.Contains(reservedWords(), name):
		at.Fault("another name", "%q is a word of the expression language", name)
	default:
		return true
	}
	return false
}

// Reader reads the section "policies" of a policy file.
type Reader struct {
	// Inventories are the names that policies may use.
	Inventories []string
	// DefaultInventory is the inventory of the environment, which the policy "default" asks if it names none; it may
	// be empty.
	DefaultInventory string
	// Callers are the words of request.caller; nil means any text.
	Callers []string
	// Codes are the codes of the connector, which no rule may use.
	Codes []posture.Code

	rules int
}

// Read reads all policies. What is wrong is reported to the document; a policy with a fault is not returned.
func (r *Reader) Read(section document.Value) map[string]*Policy {
	policies := map[string]*Policy{}
	for name, v := range section.Names() {
		if len(policies) == maxPolicies {
			v.Fault("256", "there are more policies")
			break
		}
		if CheckName(v.Key(), name) {
			policies[name] = r.policy(name, v)
		}
	}
	return policies
}

func (r *Reader) policy(name string, v document.Value) *Policy {
	m := v.Mapping("inventories", "also_in", "mode", "rules", "data", "tests", "allow_unmanaged", "report_only")
	p := &Policy{Name: name}
	p.Inventories = r.inventories(m.Get("inventories"))
	if !m.Get("inventories").IsSet() {
		if name == "default" && r.DefaultInventory != "" {
			p.Inventories = []string{r.DefaultInventory}
		} else {
			m.Require("inventories", "a list of "+orNone(r.Inventories))
		}
	}
	p.AlsoIn = r.inventories(m.Get("also_in"))
	for i, other := range p.AlsoIn {
		if slices.Contains(p.Inventories, other) {
			items, _ := m.Get("also_in").List()
			items[i].Fault("an inventory that is not in inventories", "%s is in inventories too", other)
		}
	}
	if mode, ok := word(m.Get("mode"), posture.Modes()); ok {
		p.Mode = posture.DeviceType(mode)
	}
	p.AllowUnmanaged, _ = m.Get("allow_unmanaged").Bool()
	p.ReportOnly, _ = m.Get("report_only").Bool()
	scope, err := NewScope(append(slices.Clone(p.Inventories), p.AlsoIn...)...)
	if err != nil {
		v.Fault("", "%v", err)
		return p
	}
	scope.inventories = p.Inventories // one of also_in never decides
	scope.setCallers(r.Callers)
	p.scope = scope
	p.Rules = r.readRules(m.Get("rules"), scope)
	p.Data = readData(m.Get("data"), scope)
	p.Tests = readTests(m.Get("tests"), p)
	return p
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "names of inventories; the file declares none"
	}
	return strings.Join(names, ", ")
}

// inventories reads a list of names of inventories.
func (r *Reader) inventories(v document.Value) (names []string) {
	items, ok := v.List()
	if ok && len(items) == 0 {
		v.Fault("a list of "+orNone(r.Inventories), "the list is empty")
	}
	for _, item := range items {
		name, ok := item.Text()
		switch {
		case !ok:
		case !slices.Contains(r.Inventories, name):
			text := "unknown inventory"
			if near := document.Nearest(name, r.Inventories); near != "" {
				text += "; did you mean " + near + "?"
			}
			item.Fault(orNone(r.Inventories), "%s", text)
		case slices.Contains(names, name):
			item.Fault("each inventory once", "%s is in the list already", name)
		default:
			names = append(names, name)
			continue
		}
	}
	return names
}

// word reads a text that is one of words.
func word(v document.Value, words []string) (string, bool) {
	text, ok := v.Text()
	if ok && !slices.Contains(words, text) {
		v.Fault(strings.Join(words, ", "), "it is no such word")
		return "", false
	}
	return text, ok
}

func (r *Reader) readRules(v document.Value, scope *Scope) (rules []*Rule) {
	items, _ := v.List()
	seen := map[string]bool{}
	for i, item := range items {
		r.rules++
		if i == maxRules || r.rules == maxAllRules+1 {
			item.Fault("64 in a policy, 2000 in all", "there are more rules")
			break
		}
		m := item.Mapping("name", "require", "when", "code", "message", "enforce")
		rule := &Rule{Code: posture.DeviceNotCompliant, Message: defaultMessage}
		if v, ok := m.Require("name", acceptedName); ok {
			name, isText := v.Text()
			if isText && CheckName(v, name) {
				rule.Name = name
				if seen[name] {
					v.Fault("a name for each rule", "a rule before has the name %s", name)
				}
				seen[name] = true
			}
		}
		if v, ok := m.Require("require", "an expression, such as device.managed"); ok {
			rule.Require = readCondition(v, scope)
		}
		if v := m.Get("when"); v.IsSet() {
			rule.When = readCondition(v, scope)
		}
		r.readCode(m.Get("code"), rule)
		readMessage(m.Get("message"), rule)
		readEnforce(m.Get("enforce"), rule)
		rules = append(rules, rule)
	}
	return rules
}

// readCondition compiles an expression, and reports its faults where they stand in the file.
func readCondition(v document.Value, scope *Scope) *Condition {
	text, ok := v.Text()
	if !ok {
		return nil
	}
	c, faults := scope.CompileCondition(text)
	reportFaults(v, faults)
	if faults == nil && len(c.Reads()) == 0 {
		v.Warn("the expression reads no fact, so that its result is always the same")
	}
	return c
}

func reportFaults(v document.Value, faults Faults) {
	for _, f := range faults {
		v.FaultIn(f.Line, f.Column, f.Accepted, "%s", f.Text)
	}
}

func (r *Reader) readCode(v document.Value, rule *Rule) {
	text, ok := v.Text()
	code := posture.Code(text)
	switch {
	case !ok:
	case !codePattern.MatchString(text):
		v.Fault(acceptedCode, "the code is not accepted")
	case code != posture.DeviceNotCompliant && slices.Contains(r.Codes, code):
		v.Fault("a code of your own, or deviceNotCompliant", "%s is a code of the connector, which means something else", code)
	default:
		rule.Code = code
	}
}

func readMessage(v document.Value, rule *Rule) {
	text, ok := v.Text()
	switch n := utf8.RuneCountInString(text); {
	case !ok:
	case n == 0 || n > maxMessage:
		v.Fault("1 to 300 characters", "the message has %d characters", n)
	case strings.ContainsFunc(text, unicode.IsControl) || strings.ContainsAny(text, "\u2028\u2029"):
		v.Fault("one line of text", "the message has a control character or a line break")
	default:
		rule.Message = text
	}
}

// readEnforce reads true, false, or the day on which a rule begins to refuse.
func readEnforce(v document.Value, rule *Rule) {
	const accepted = "true, false, or the day on which it begins, such as 2027-01-15"
	if !v.IsSet() {
		return
	}
	if day, ok := v.Day(); ok {
		rule.EnforcedFrom = day
		return
	}
	enforce, ok := v.BoolOr(accepted)
	if ok {
		rule.ReportOnly = !enforce
	}
}

// readData reads the section "data". An empty mapping means that nothing is sent.
func readData(v document.Value, scope *Scope) []Datum {
	if !v.IsSet() {
		return nil
	}
	data := []Datum{}
	for name, member := range v.Names() {
		d := Datum{Name: name}
		expression := member
		if member.IsMapping() {
			m := member.Mapping("value", "required")
			d.Required, _ = m.Get("required").Bool()
			if expression, _ = m.Require("value", "an expression"); !expression.IsSet() {
				continue
			}
		}
		text, ok := expression.Text()
		if !ok {
			continue
		}
		value, faults := scope.CompileValue(text)
		reportFaults(expression, faults)
		d.Value = value
		data = append(data, d)
	}
	return data
}

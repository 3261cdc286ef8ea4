package policy

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
)

func (r *Reader) readRules(v document.Value, c *compiler) (rules []*Rule) {
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
			rule.Require = c.condition(v)
		}
		if v := m.Get("when"); v.IsSet() {
			rule.When = c.condition(v)
		}
		r.readCode(m.Get("code"), rule)
		readMessage(m.Get("message"), rule)
		readEnforce(m.Get("enforce"), rule)
		rules = append(rules, rule)
	}
	return rules
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
func readData(v document.Value, c *compiler) []Datum {
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
		d.Value = c.value(expression, text)
		data = append(data, d)
	}
	return data
}

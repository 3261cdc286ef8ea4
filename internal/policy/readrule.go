package policy

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
)

func (r *Reader) readRules(v document.Value, c *compiler, p *Policy) (rules []*Rule) {
	items, _ := v.List()
	seen, use := map[string]bool{}, r.use(p.Name)
	for _, item := range items {
		if r.rules++; r.rules > maxAllRules {
			if r.rules == maxAllRules+1 {
				item.Fault(fmt.Sprintf("at most %d", maxAllRules), "the policies have more than %d rules in all", maxAllRules)
			}
			break
		}
		m := item.Mapping()
		rule := &Rule{Code: posture.DeviceNotCompliant, Message: defaultMessage}
		if name, ok := m.Get("name").Text(); ok {
			rule.Name = name
			if seen[name] {
				m.Get("name").Fault("a name for each rule", "a rule before has the name %s", name)
			}
			seen[name] = true
		}
		rule.Require = c.condition(m.Get("require"))
		rule.When = c.condition(m.Get("when"))
		rule.checkKinds(m.Get("require"), use)
		r.readCode(m.Get("code"), rule)
		readMessage(m.Get("message"), rule)
		readEnforce(m.Get("enforce"), rule)
		if !rule.ReportOnly && !p.ReportOnly {
			c.warnWindow(m.Get("require"), rule)
		}
		rules = append(rules, rule)
	}
	return rules
}

func (r *Reader) readCode(v document.Value, rule *Rule) {
	text, ok := v.Text()
	code := posture.Code(text)
	switch {
	case !ok:
	case code != posture.DeviceNotCompliant && slices.Contains(r.Codes, code):
		v.Fault("a code of your own, or deviceNotCompliant", "%s is a code of the connector, which means something else", code)
	default:
		rule.Code = code
	}
}

func readMessage(v document.Value, rule *Rule) {
	text, ok := v.Text()
	switch {
	case !ok:
	case strings.ContainsFunc(text, unicode.IsControl) || strings.ContainsAny(text, "\u2028\u2029"):
		v.Fault("one line of text", "the message has a control character or a line break")
	default:
		rule.Message = text
	}
}

// readEnforce reads true, false, or the day on which a rule begins to refuse.
func readEnforce(v document.Value, rule *Rule) {
	if !v.IsSet() {
		return
	}
	if day, ok := v.Day(); ok {
		rule.EnforcedFrom = day
		return
	}
	enforce, ok := v.Bool()
	if ok {
		rule.ReportOnly = !enforce
	}
}

// readData reads the section "data". An empty mapping means that nothing is sent.
func readData(v document.Value, c *compiler, use Use) []Datum {
	if !v.IsSet() {
		return nil
	}
	data := []Datum{}
	for name, member := range v.Names() {
		d := Datum{Name: name}
		expression := member
		if member.IsMapping() {
			m := member.Mapping()
			d.Required, _ = m.Get("required").Bool()
			expression = m.Get("value")
		}
		text, ok := expression.Text()
		if !ok {
			continue
		}
		d.Value = c.value(expression, text)
		d.checkKinds(expression, use)
		data = append(data, d)
	}
	return data
}

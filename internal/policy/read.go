package policy

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

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

// CheckName reports a fault where the key of a value is not the name of an inventory or a policy.
func CheckName(v document.Value, name string) bool { return v.Check(name, NameShape()) }

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

	rules    int
	accepted string // the names of inventories, joined once: a file can have many faults about them
}

// Read reads all policies. What is wrong is reported to the document; a policy with a fault is not returned.
func (r *Reader) Read(section document.Value) map[string]*Policy {
	policies := map[string]*Policy{}
	r.accepted = orNone(r.Inventories)
	for name, v := range section.As(Shape(r.Inventories, r.DefaultInventory != "")).Names() {
		p := r.policy(name, v)
		if CheckName(v, name) {
			policies[name] = p
		}
	}
	return policies
}

func (r *Reader) policy(name string, v document.Value) *Policy {
	m := v.Mapping()
	p := &Policy{Name: name}
	p.Inventories = r.inventories(m.Get("inventories"))
	if name == "default" && r.DefaultInventory != "" && !v.Has("inventories") {
		p.Inventories = []string{r.DefaultInventory}
	}
	p.AlsoIn = r.inventories(m.Get("also_in"), p.Inventories...)
	if mode, ok := m.Get("mode").Text(); ok {
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

// inventories reads a list of names of inventories, without those of another list.
func (r *Reader) inventories(v document.Value, others ...string) (names []string) {
	items, _ := v.List()
	for _, item := range items {
		name, ok := item.Text()
		switch {
		case !ok:
		case !slices.Contains(r.Inventories, name):
			item.Unknown("inventory", name, r.Inventories, r.accepted)
		case slices.Contains(names, name):
			item.Fault("each inventory once", "%s is in the list already", name)
		case slices.Contains(others, name):
			item.Fault("an inventory that is not in inventories", "%s is in inventories too", name)
		default:
			names = append(names, name)
		}
	}
	return names
}

func (r *Reader) readRules(v document.Value, scope *Scope) (rules []*Rule) {
	items, _ := v.List()
	seen := map[string]bool{}
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
		rule.Require = readCondition(m.Get("require"), scope)
		rule.When = readCondition(m.Get("when"), scope)
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
func readData(v document.Value, scope *Scope) []Datum {
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
		value, faults := scope.CompileValue(text)
		reportFaults(expression, faults)
		d.Value = value
		data = append(data, d)
	}
	return data
}

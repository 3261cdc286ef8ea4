package policy

import (
	"regexp"
	"slices"
	"strings"

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
	// Gives are the facts that an inventory can give; nil means all.
	Gives func(inventory string) posture.FactSet

	rules    int
	compiled map[string]*compiler // by the inventories that may be read
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
	c, err := r.compiler(p)
	if err != nil {
		v.Fault("", "%v", err)
		return p
	}
	p.Rules = r.readRules(m.Get("rules"), c)
	p.Data = readData(m.Get("data"), c)
	p.Tests = r.readTests(m.Get("tests"), p)
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
			item.Fault(orNone(r.Inventories), "unknown inventory%s", meant(name, r.Inventories))
		case slices.Contains(names, name):
			item.Fault("each inventory once", "%s is in the list already", name)
		default:
			names = append(names, name)
			continue
		}
	}
	return names
}

// meant names the word that is nearest to a misspelled one. The misspelled one is not shown: it could be a secret.
func meant(text string, words []string) string {
	near := document.Nearest(text, words)
	if near == "" {
		return ""
	}
	return "; did you mean " + near + "?"
}

// word reads a text that is one of words.
func word(v document.Value, words []string) (string, bool) {
	text, ok := v.Text()
	if ok && !slices.Contains(words, text) {
		v.Fault(strings.Join(words, ", "), "it is no such word%s", meant(text, words))
		return "", false
	}
	return text, ok
}

package policy

import (
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
)

// The bounds of a policy file.
const (
	maxPolicies = 256
	maxRules    = 64      // in one policy
	maxAllRules = 2000    // in all policies
	maxMessage  = 300     // characters
	maxCompiled = 2 << 20 // characters of all expressions that are compiled: twice the largest file
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
	// Use says who asks for decisions by a policy; nil means that nobody does yet.
	Use func(policy string) Use
	// Callers are the words of request.caller, webhooks and the callers of doors; nil means any text.
	Callers []string
	// MoreCallers reports whether a text may be a caller that is not known here; nil means that Callers are all.
	MoreCallers func(text string) bool
	// Parameters are those of request.url.
	Parameters []string
	// Codes are the codes of the connector, which no rule may use.
	Codes []posture.Code
	// Gives are the facts that an inventory can give; nil means all.
	Gives func(inventory string) posture.FactSet
	// MaxAge is how old a copy of an inventory may be that decides in its place; 0 where there is none. Nil means that there
	// are none.
	MaxAge func(inventory string) time.Duration

	rules      int
	characters int
	compiled   map[string]*compiler // by the inventories that may be read
	accepted   string               // the names of inventories, joined once: a file can have many faults about them
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

// Implied is a policy that the file does not have, which the environment implies.
func (r *Reader) Implied(name string, inventories ...string) *Policy {
	p := &Policy{Name: name, Inventories: inventories, Implied: true}
	p.compiler, _ = r.compiler(p) // an output of a door says what is wrong
	return p
}

func (r *Reader) use(policy string) Use {
	if r.Use == nil {
		return Use{}
	}
	return r.Use(policy)
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
	c, err := r.compiler(p)
	if err != nil {
		v.Fault("", "%v", err)
		return p
	}
	p.compiler = c
	p.Rules = r.readRules(m.Get("rules"), c, p)
	p.Data = readData(m.Get("data"), c, r.use(name))
	p.readToken(m)
	p.Tests = r.readTests(m.Get("tests"), p)
	return p
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "the inventories that the file declares, which are none"
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

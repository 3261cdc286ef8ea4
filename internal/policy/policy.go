package policy

import (
	"encoding/json"
	"slices"

	"cel.dev/cel-go/interpreter"

	"step-posture-connector/internal/posture"
)

// Policy says which inventories are asked, what a device must fulfill, and what is returned about it.
type Policy struct {
	Name string
	// Inventories are asked in this order: the first that knows the device decides. AlsoIn must know it too.
	Inventories, AlsoIn []string
	// Mode is what a request without a mode means; empty means what the provider's default is.
	Mode  posture.DeviceType
	Rules []*Rule
	// Data is what goes to step-ca; nil means the inventory's own data, and an empty list none.
	Data           []Datum
	AllowUnmanaged bool
	// ReportOnly means that rules and required groups never refuse.
	ReportOnly bool
	// Implied says that the file does not have the policy, which the environment implies.
	Implied bool
	Tests   []Test
}

// Authority is what decides by this policy: the rules behind what the inventories themselves require, by name.
func (p *Policy) Authority(requirements map[string]posture.Requirements) posture.Policy {
	return posture.Policy{
		Name: p.Name, Requirements: requirements, AlsoIn: p.AlsoIn,
		AllowUnmanaged: p.AllowUnmanaged, ReportOnly: p.ReportOnly, Rules: p,
	}
}

// conditions are all conditions of the rules.
func (p *Policy) conditions() (all []*Condition) {
	for _, r := range p.Rules {
		all = append(all, r.Require)
		if r.When != nil {
			all = append(all, r.When)
		}
	}
	return all
}

// reads are what rules and data read.
func (p *Policy) reads() (all []Read) {
	for _, c := range p.conditions() {
		all = append(all, c.reads...)
	}
	for _, d := range p.Data {
		all = append(all, d.Value.reads...)
	}
	return all
}

// FactsOf are the facts that rules and data read of the records of an inventory: as records.NAME, and of the record that
// decides, if the inventory can be the one. Without data of the policy, the inventory's own document is one of them.
func (p *Policy) FactsOf(inventory string) (facts posture.FactSet) {
	decides := slices.Contains(p.Inventories, inventory)
	if decides && p.Data == nil {
		facts = posture.Document
	}
	for _, r := range p.reads() {
		if r.Fact != nil && (r.Record == inventory || r.Record == "" && decides) {
			facts |= r.Fact.Set()
		}
	}
	return facts
}

// RecordsRead are the names of the inventories whose records rules or data read as records.NAME.
func (p *Policy) RecordsRead() (names []string) {
	for _, r := range p.reads() {
		if r.Record != "" && !slices.Contains(names, r.Record) {
			names = append(names, r.Record)
		}
	}
	return names
}

// Evaluate implements posture.Rules.
func (p *Policy) Evaluate(q *posture.Evidence) posture.Verdict {
	if len(p.Rules) == 0 {
		return posture.Verdict{}
	}
	v := posture.Verdict{Outcomes: make([]posture.Outcome, len(p.Rules))}
	vars := any(evidence{q})
	// One frame for all rules: CEL would otherwise prepare one for each, a tenth of what a rule costs.
	if frame, err := interpreter.NewExecutionFrame(evidence{q}); err == nil {
		defer frame.Close()
		vars = frame
	}
	for i, r := range p.Rules {
		o := &v.Outcomes[i] // in place: an outcome is large
		r.evaluate(q, vars, o)
		o.Enforced = o.Enforced && !p.ReportOnly
		if !o.Applies || o.Result == posture.Met {
			continue
		}
		if o.Result == posture.Unknown {
			v.Unknown = append(v.Unknown, r.Name)
		}
		if o.Enforced {
			v.Unmet = append(v.Unmet, r.Name)
		} else {
			v.WouldDeny = append(v.WouldDeny, r.Name)
		}
	}
	return v
}

func (p *Policy) outcome(r *Rule, q *posture.Evidence) posture.Outcome {
	o := r.Evaluate(q)
	o.Enforced = o.Enforced && !p.ReportOnly
	return o
}

// Render implements posture.Rules.
func (p *Policy) Render(q *posture.Evidence) (json.RawMessage, []string, error) {
	if p.Data == nil {
		return nil, nil, nil
	}
	return render(p.Data, q)
}

package policy

import (
	"encoding/json"
	"slices"

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
	// Token is what is required of an order's enrolment token; nil requires none.
	Token *posture.TokenRequirement
	Tests []Test

	compiler *compiler // nil for a policy that no file has
	outputs  []*Output // what doors read
}

// Authority is what decides by this policy: the rules behind what the inventories themselves require, by name.
func (p *Policy) Authority(requirements map[string]posture.Requirements) posture.Policy {
	return posture.Policy{
		Name: p.Name, Requirements: requirements, AlsoIn: p.AlsoIn,
		AllowUnmanaged: p.AllowUnmanaged, ReportOnly: p.ReportOnly, Rules: p, Token: p.Token,
	}
}

// Gate decides by this policy. open returns an inventory of the policy, and what its own settings require. The daemon and
// replays make their gates here, so that they cannot differ.
func (p *Policy) Gate(open func(inventory string) (posture.Source, posture.Requirements)) *posture.Gate {
	requirements := map[string]posture.Requirements{}
	sources := func(names []string) (all []posture.Source) {
		for _, name := range names {
			source, required := open(name)
			source.AllowUnmanaged = required.AllowUnmanaged
			all, requirements[name] = append(all, source), required
		}
		return all
	}
	join := posture.Join{
		Inventories: sources(p.Inventories), AlsoIn: sources(p.AlsoIn), Reads: p.RecordsRead(), AllowUnmanaged: p.AllowUnmanaged,
	}
	return &posture.Gate{Join: join, Policy: p.Authority(requirements), Mode: p.Mode}
}

// conditions are all conditions of the rules.
func (p *Policy) conditions() (all []*Condition) {
	for _, r := range p.Rules {
		for _, c := range [...]*Condition{r.Require, r.When} {
			if c != nil {
				all = append(all, c)
			}
		}
	}
	return all
}

// ownReads are what rules and data read.
func (p *Policy) ownReads() (all []Read) {
	for _, c := range p.conditions() {
		all = append(all, c.reads...)
	}
	for _, d := range p.Data {
		if d.Value != nil { // one with a fault was reported
			all = append(all, d.Value.reads...)
		}
	}
	return all
}

// reads are what rules, data and the outputs of doors read.
func (p *Policy) reads() []Read {
	all := p.ownReads()
	for _, o := range p.outputs {
		all = append(all, o.reads...)
	}
	return all
}

// FactsOf are the facts that rules, data and the outputs of doors read of the records of an inventory: as records.NAME, and of the record that
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

// RecordsRead are the names of the inventories whose records rules, data or the outputs of doors read as records.NAME.
func (p *Policy) RecordsRead() (names []string) {
	for _, r := range p.reads() {
		if r.Record != "" && !slices.Contains(names, r.Record) {
			names = append(names, r.Record)
		}
	}
	return names
}

// Evaluate implements posture.Rules.
func (p *Policy) Evaluate(e *posture.Evidence) posture.Verdict {
	if len(p.Rules) == 0 {
		return posture.Verdict{}
	}
	v := posture.Verdict{Outcomes: make([]posture.Outcome, len(p.Rules))}
	vars, frame := variables(e)
	if frame != nil {
		defer frame.Close()
	}
	for i, r := range p.Rules {
		o := &v.Outcomes[i] // in place: an outcome is large
		r.evaluate(e, vars, o)
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

func (p *Policy) outcome(r *Rule, e *posture.Evidence) posture.Outcome {
	o := r.Evaluate(e)
	o.Enforced = o.Enforced && !p.ReportOnly
	return o
}

// Render implements posture.Rules.
func (p *Policy) Render(e *posture.Evidence) (json.RawMessage, []string, error) {
	if p.Data == nil {
		return nil, nil, nil
	}
	return render(p.Data, e)
}

package policy

import (
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
	Tests      []Test

	scope *Scope
}

// Facts are the facts that rules and data read, of any record.
func (p *Policy) Facts() (facts posture.FactSet) {
	for _, r := range p.Rules {
		facts |= r.Require.Facts()
		if r.When != nil {
			facts |= r.When.Facts()
		}
	}
	for _, d := range p.Data {
		facts |= d.Value.Facts()
	}
	return facts
}

// Verdict is what the rules of a policy say about a question.
type Verdict struct {
	// Refusal is the first outcome that refuses; nil means that no rule refuses.
	Refusal *Outcome
	// Unmet are the enforced rules that are not met, WouldDeny those that only report, and Unknown those of both that
	// are unknown: names, in the order of the policy.
	Unmet, WouldDeny, Unknown []string
	Outcomes                  []Outcome
}

// Evaluate evaluates every rule, always: the log names all that are not met, not only the first.
func (p *Policy) Evaluate(q *posture.Evidence) Verdict {
	v := Verdict{Outcomes: make([]Outcome, len(p.Rules))}
	for i, r := range p.Rules {
		o := r.Evaluate(q)
		o.Enforced = o.Enforced && !p.ReportOnly
		v.Outcomes[i] = o
		if !o.Applies || o.Result == Met {
			continue
		}
		if o.Result == Unknown {
			v.Unknown = append(v.Unknown, r.Name)
		}
		if !o.Enforced {
			v.WouldDeny = append(v.WouldDeny, r.Name)
			continue
		}
		v.Unmet = append(v.Unmet, r.Name)
		if v.Refusal == nil {
			v.Refusal = &v.Outcomes[i]
		}
	}
	return v
}

package policy

import (
	"encoding/json"

	"step-posture-connector/internal/posture"
)

// Judgement is what a policy makes of the answers of its inventories. The zero Judgement refuses.
type Judgement struct {
	Verdict

	Allow   bool
	Code    posture.Code
	Message string // a rule's own; empty where the code has one
	Reason  string // for the administrator
	// Data is what the policy's data came to; nil where the policy has none.
	Data        json.RawMessage
	DataUnknown []string
}

// Judge judges a question whose inventories have answered: q.Inventory is the one that decides, and knows the device.
// The order is: also_in, managed, rules, data. Rules are evaluated always.
func (p *Policy) Judge(q *posture.Evidence) Judgement {
	j := Judgement{Verdict: p.Evaluate(q)}
	j.Code, j.Message, j.Reason = p.refusal(q, &j.Verdict)
	if j.Code != "" || p.Data == nil {
		j.Allow = j.Code == ""
		return j
	}
	data, unknown, err := Render(p.Data, q)
	if err != nil {
		j.Code, j.Reason = DeviceNotCompliant, err.Error()
		return j
	}
	j.Allow, j.Data, j.DataUnknown = true, data, unknown
	return j
}

// refusal returns no code where nothing refuses.
func (p *Policy) refusal(q *posture.Evidence, v *Verdict) (code posture.Code, message, reason string) {
	for _, name := range p.AlsoIn {
		if q.Answers[name].Record == nil {
			return posture.DeviceNotFound, "", "the inventory " + name + " does not have the device, which also_in asks for"
		}
	}
	// Fail closed: a record that does not say it is managed is not.
	managed, known := q.Deciding.Facts.Managed.Get()
	if !p.AllowUnmanaged && (!known || !managed) {
		return posture.DeviceNotManaged, "", "the inventory " + q.Inventory + " has the device but does not manage it"
	}
	for _, name := range p.AlsoIn {
		// An inventory without this fact is no MDM: a list of purchases, for example.
		if managed, known := q.Answers[name].Record.Facts.Managed.Get(); !p.AllowUnmanaged && known && !managed {
			return posture.DeviceNotManaged, "", "the inventory " + name + " has the device but does not manage it"
		}
	}
	if v.Refusal == nil {
		return "", "", "in the inventory " + q.Inventory
	}
	for _, o := range v.Outcomes {
		if o.Refuses() {
			if reason != "" {
				reason += "; "
			}
			reason += o.Reason
		}
	}
	return v.Refusal.Rule.Code, v.Refusal.Rule.Message, reason
}

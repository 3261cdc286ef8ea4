package policy

import (
	"strings"
	"time"

	"step-posture-connector/internal/posture"
)

// Rule is one requirement of a policy.
type Rule struct {
	Name    string
	Require *Condition
	// When limits the rule to the requests for which it is met or unknown; nil means all.
	When *Condition
	// Code and Message are the refusal's. The message is for the person at the device.
	Code    posture.Code
	Message string
	// EnforcedFrom is when the rule begins to refuse; before that it only reports. The zero time means always.
	EnforcedFrom time.Time
	// ReportOnly means that the rule never refuses.
	ReportOnly bool
}

// Evaluate evaluates a rule. It can only refuse.
func (r *Rule) Evaluate(e *posture.Evidence) (o posture.Outcome) {
	r.evaluate(e, evidence{e}, &o)
	return o
}

// evaluate fills in the outcome, which is zero. vars are those of e, for CEL.
func (r *Rule) evaluate(e *posture.Evidence, vars any, o *posture.Outcome) {
	o.Rule, o.Code, o.Message = r.Name, r.Code, r.Message
	o.Applies, o.Enforced = true, !r.ReportOnly && !e.Now.Before(r.EnforcedFrom)
	var unknown error
	if r.When != nil {
		// Fail closed: where it cannot be said whether the rule applies, it does.
		applies, err := r.When.evaluate(vars)
		if applies == posture.Unmet {
			o.Applies = false
			return
		}
		unknown = err
	}
	result, err := r.Require.evaluate(vars)
	o.Result = result
	if result != posture.Met {
		o.Reason = r.reason(e, result, err, unknown)
	}
}

// reason names the rule and each fact that it read, with its value.
func (r *Rule) reason(e *posture.Evidence, result posture.Result, err, applies error) string {
	shown, allKnown := texts(factsRead(r.Require.reads, e))
	text := "rule " + r.Name + " is " + result.String()
	if len(shown) > 0 {
		text += ": " + strings.Join(shown, ", ")
	}
	if err != nil && allKnown {
		text += ": " + clean(err)
	}
	if applies != nil {
		shown, allKnown = texts(factsRead(r.When.reads, e))
		text += "; whether it applies is unknown: " + strings.Join(shown, ", ")
		if allKnown {
			text += ": " + clean(applies)
		}
	}
	return text
}

func texts(facts []Fact) (all []string, allKnown bool) {
	allKnown = true
	for _, f := range facts {
		all = append(all, f.Text)
		allKnown = allKnown && f.Known
	}
	return all, allKnown
}

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
func (r *Rule) Evaluate(e *posture.Evidence) posture.Outcome {
	o := posture.Outcome{
		Rule: r.Name, Code: r.Code, Message: r.Message, Applies: true,
		Enforced: !r.ReportOnly && !e.Now.Before(r.EnforcedFrom),
	}
	var unknown error
	if r.When != nil {
		// Fail closed: where it cannot be said whether the rule applies, it does.
		applies, err := r.When.Evaluate(e)
		if applies == posture.Unmet {
			o.Applies = false
			return o
		}
		unknown = err
	}
	result, err := r.Require.Evaluate(e)
	o.Result = result
	if result != posture.Met {
		o.Reason = r.reason(e, result, err, unknown)
	}
	return o
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

package policy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/types"

	"step-posture-connector/internal/posture"
)

// Rule is one requirement of a policy.
type Rule struct {
	Name    string
	Require *Condition
	// When limits the rule to the questions for which it is met or unknown; nil means all.
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
func (r *Rule) Evaluate(q *posture.Evidence) posture.Outcome {
	o := posture.Outcome{
		Rule: r.Name, Code: r.Code, Message: r.Message, Applies: true,
		Enforced: !r.ReportOnly && !q.Now.Before(r.EnforcedFrom),
	}
	if r.When != nil {
		// Fail closed: where it cannot be said whether the rule applies, it does.
		if applies, _ := r.When.Evaluate(q); applies == posture.Unmet {
			o.Applies = false
			return o
		}
	}
	result, err := r.Require.Evaluate(q)
	o.Result = result
	if result != posture.Met {
		o.Reason = r.reason(q, result, err)
	}
	return o
}

// reason names the rule and each fact that it read, with its value.
func (r *Rule) reason(q *posture.Evidence, result posture.Result, err error) string {
	var shown []string
	allKnown := true
	for _, read := range r.Require.Reads() {
		value, known := read.value(q)
		allKnown = allKnown && known
		if text := show(read, value, known); !slices.Contains(shown, text) {
			shown = append(shown, text)
		}
	}
	text := "rule " + r.Name + " is " + result.String()
	if len(shown) > 0 {
		text += ": " + strings.Join(shown, ", ")
	}
	if err != nil && allKnown {
		text += ": " + err.Error()
	}
	return text
}

// maxShown is how much of a text the log shows, in characters.
const maxShown = 64

// show is what a fact is, for the log.
func show(read Read, value any, known bool) string {
	if !known {
		return read.Path + " is unknown"
	}
	switch v := value.(type) {
	case []string:
		text := read.Path + " has " + strconv.Itoa(len(v)) + " entries"
		if read.member != "" {
			in := "is not among them"
			if slices.Contains(v, read.member) {
				in = "is among them"
			}
			text += ", " + quote(read.member) + " " + in
		}
		return text
	case string:
		return read.Path + " is " + quote(v)
	case version:
		return read.Path + " is " + v.String()
	case bool:
		return read.Path + " is " + strconv.FormatBool(v)
	case int64:
		return read.Path + " is " + strconv.FormatInt(v, 10)
	case types.Timestamp:
		return read.Path + " is " + v.UTC().Format(time.RFC3339)
	default:
		return read.Path + " is known"
	}
}

// quote shows a text that others chose: its beginning, with everything escaped that cannot be seen.
func quote(text string) string {
	if characters := []rune(text); len(characters) > maxShown {
		return strconv.Quote(string(characters[:maxShown])) + "..."
	}
	return strconv.Quote(text)
}

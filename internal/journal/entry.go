package journal

import (
	"encoding/json"
	"net/http"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/posture"
)

// Encoder makes entries of events.
type Encoder struct{ lines *audit.Lines }

// NewEncoder makes an Encoder.
func NewEncoder() *Encoder { return &Encoder{audit.NewLines()} }

// Entry is the entry about an event.
func (c *Encoder) Entry(e *audit.Event) (Entry, error) {
	line, err := c.lines.Of(e)
	if err != nil {
		return Entry{}, err
	}
	made := Entry{
		ID: NewID(e.Time), Reference: e.Reference, Decision: e.DecisionWord(), Event: e.EventWord(), Code: e.Code, Fault: e.Status >= http.StatusInternalServerError, Policy: e.Policy, Door: e.Door,
		Identifier: e.CleanIdentifier(), Key: KeyOf(e.CleanIdentifier()), Evaluated: len(e.Verdict.Outcomes) > 0 || e.Allowed,
		Unmet: e.Verdict.Unmet, WouldDeny: e.Verdict.WouldDeny, Line: line,
	}
	if len(e.Verdict.Outcomes) > 0 {
		made.Rules, err = json.Marshal(rulesOf(e.Verdict.Outcomes))
	}
	return made, err
}

// KeyOf is what equal identifiers have in common; empty for a text that is no identifier.
func KeyOf(identifier string) string {
	id, err := posture.ParseRequested(identifier)
	if err != nil {
		return ""
	}
	return id.Key()
}

func rulesOf(outcomes []posture.Outcome) []Rule {
	rules := make([]Rule, len(outcomes))
	for i, o := range outcomes {
		rules[i] = Rule{Name: o.Rule, Enforced: o.Enforced, Reason: audit.Clean(o.Reason, maxReason)}
		if o.Applies {
			rules[i].Result = o.Result.String()
		}
		if o.Refuses() {
			rules[i].Code, rules[i].Message = string(o.Code), o.Message
		}
	}
	return rules
}

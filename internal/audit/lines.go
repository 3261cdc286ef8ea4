package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
)

const factsKey = `,"facts":`

// Lines makes lines of the audit log for others that keep them, with facts. It is safe for concurrent use.
type Lines struct{ facts *vocabulary }

// NewLines makes Lines.
func NewLines() *Lines { return &Lines{newVocabulary()} }

// Of is the line about an event: one JSON object, without a line end.
func (l *Lines) Of(e *Event) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e.line(nil)); err != nil {
		return nil, fmt.Errorf("encode the line: %w", err)
	}
	// Facts come last, and need not be read again as encoding/json does with them: that is a third of the whole.
	line, facts := bytes.TrimSuffix(out.Bytes(), []byte("}\n")), l.facts.facts(e)
	whole := make([]byte, 0, len(line)+len(factsKey)+len(facts)+len("}"))
	return append(append(append(append(whole, line...), factsKey...), facts...), '}'), nil
}

// DecisionWord is allow, deny, or empty for a notification, which is no decision.
func (e *Event) DecisionWord() string { return e.decision() }

// EventWord is the word for a line that is no decision; empty for a decision.
func (e *Event) EventWord() string {
	if e.Notification != nil {
		return EventNotification
	}
	return ""
}

// CleanIdentifier is the identifier as lines have it.
func (e *Event) CleanIdentifier() string { return e.clean(e.Identifier, maxShown) }

package tokenapi

import (
	"time"

	"step-posture-connector/internal/enroll"
)

// Issued is the answer that has a token: the only one, ever. The command line prints the same.
type Issued struct {
	ID        string `json:"id"`
	Token     string `json:"token"`
	ExpiresAt string `json:"expires_at"`
}

// NewIssued is the answer about a token that was issued, with its text.
func NewIssued(text string, t enroll.Token) Issued { return Issued{t.ID, text, *timeOf(t.Expires)} }

// Listed is a token in a list; null is what it does not have.
type Listed struct {
	ID         string       `json:"id"`
	Policy     string       `json:"policy"`
	Identifier *string      `json:"identifier"`
	UDID       *string      `json:"udid"`
	State      enroll.State `json:"state"`
	CreatedAt  *string      `json:"created_at"`
	ExpiresAt  *string      `json:"expires_at"`
	BoundAt    *string      `json:"bound_at"`
	Client     *string      `json:"client"`
}

// List is a list of tokens, the newest first.
type List struct {
	Tokens []Listed `json:"tokens"`
	More   bool     `json:"more,omitempty"` // there are others, which are older
}

// NewList is the list of what a Store has listed.
func NewList(tokens []enroll.Token, more bool) List {
	all := List{Tokens: make([]Listed, 0, len(tokens)), More: more}
	for i := range tokens {
		t := &tokens[i]
		all.Tokens = append(all.Tokens, Listed{
			t.ID, t.Policy, optional(t.Identifier), optional(t.UDID), t.State(), timeOf(t.Created), timeOf(t.Expires), timeOf(t.Bound), optional(t.Client),
		})
	}
	return all
}

// timeOf is a time as RFC 3339 has it, in UTC, in whole seconds, which every tool reads; nil for the zero time. The fraction is
// cut, so a token lives a little longer than it says.
func timeOf(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.UTC().Format(time.RFC3339)
	return &text
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

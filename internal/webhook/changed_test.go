package webhook_test

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
)

// namedRefusals are the codes that a request of a right webhook may get for what is in it.
func namedRefusals() []string {
	return []string{
		"malformed", "requestExpired", "requestUnexpected", "identifierMissing", "tokenInvalid",
		"attestationMissing", "identifierInvalid", "commonNameMismatch", "sanMismatch",
	}
}

// Every request that was recorded, with one member removed, doubled, of a wrong type or moved, is decided or refused by name.
// None is allowed with an identifier that another reader does not find where the webhook takes it from.
func TestChangedRequests(t *testing.T) {
	t.Parallel()
	for _, name := range samples(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, body := callerOf(name), readSample(t, name).body
			d := newDoor(c.hookFor(t), true).at(timeOf(t, body))
			target := pathFor(c.accepts) + c.query
			_, code := d.allowed(d.ask(target, body))
			names := d.names()
			allowed, all := 0, 0
			changes(t, body, func(changed change) {
				if all++; all%everyChange != 0 {
					return
				}
				w := d.ask(target, changed.body)
				got, ok := checkAnswer(t, changed.what, d, w)
				if !ok {
					return
				}
				allowed++
				if c.accepts == posture.SCEPNotification {
					return // it is recorded, and decides nothing
				}
				if code != "" {
					t.Errorf("%s: allowed with %q; the original is refused with %s", changed.what, got, code)
				}
				if found := c.identifierIn(changed.body); !slices.Contains(found, got) {
					t.Errorf("%s: allowed with %q, want one of %q", changed.what, got, found)
				}
				if after := d.names(); changed.sameNames && slices.ContainsFunc(names, func(n string) bool { return !slices.Contains(after, n) }) {
					t.Errorf("%s: the names are %q, want all of the original, %q", changed.what, after, names)
				}
				if strings.HasPrefix(changed.what, "doubled") { // at any depth: two readers could take two values
					t.Errorf("%s is allowed", changed.what)
				}
			})
			const many = 50
			if all < many || everyChange == 1 && code == "" && allowed == 0 {
				t.Errorf("of %d changes %d are allowed, want many changes, and some allowed", all, allowed)
			}
		})
	}
}

// names are those that rules see; nil if no inventory was asked.
func (d *door) names() []string {
	if d.last.Evidence == nil {
		return nil
	}
	return d.last.Evidence.Request.Names
}

// checkAnswer checks what every answer has, and returns the identifier of an allow.
func checkAnswer(t *testing.T, what string, d *door, w *httptest.ResponseRecorder) (identifier string, allowed bool) {
	t.Helper()
	var answer struct {
		Allow *bool `json:"allow"`
		Error *struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Allow == nil || *answer.Allow == (answer.Error != nil) {
		t.Fatalf("%s: got %d %s, want an answer that allows, or one that says why not", what, w.Code, w.Body)
	}
	if *answer.Allow {
		if d.last.Identifier == "" && d.last.Notification == nil {
			t.Errorf("%s: allowed without an identifier", what)
		}
		return d.last.Identifier, true
	}
	if !slices.Contains(namedRefusals(), answer.Error.Code) || d.last.Reason == "" {
		t.Errorf("%s: got code %q with reason %q, want one of %q", what, answer.Error.Code, d.last.Reason, namedRefusals())
	}
	if wantStatus := map[bool]int{true: 400, false: 200}[answer.Error.Code == "malformed"]; w.Code != wantStatus {
		t.Errorf("%s: got status %d for %s, want %d", what, w.Code, answer.Error.Code, wantStatus)
	}
	return "", false
}

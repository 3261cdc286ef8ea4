package webhook_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
)

// expected is what must become of a recorded request.
type expected struct {
	Identifier string           `json:"identifier,omitempty"` // of an allow
	Code       string           `json:"code,omitempty"`       // of a refusal
	Request    *posture.Request `json:"request,omitempty"`    // what rules see
}

// Every request that was recorded gets its decision at its path, and rules see of it what is in it. The table was read off the
// requests; it is compared whole.
func TestEveryRecordedRequest(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join("testdata", "requests.json"))
	if err != nil {
		t.Fatal(err)
	}
	var table map[string]json.RawMessage
	if err := json.Unmarshal(content, &table); err != nil {
		t.Fatal(err)
	}
	names := samples(t)
	if len(table) != len(names) {
		t.Errorf("the table has %d requests, want %d", len(table), len(names))
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := readSample(t, name), callerOf(name)
			hook, header := c.hookFor(t), s.headers()
			if s.meta.WebhookSecret != "" {
				hook.ID, hook.Secrets = s.hook(t).ID, s.hook(t).Secrets
			} else {
				header = signed(hook, s.body) // a webhook of ca.json signs with the empty key, which is refused
			}
			d := newDoor(hook, true).at(timeOf(t, s.body))
			if d.send(http.MethodPost, pathFor(c.accepts)+c.query, s.headers(), s.body); (d.last.Code == "unauthenticated") != (s.meta.WebhookSecret == "") {
				t.Errorf("as it was recorded it is answered with the code %q: %s", d.last.Code, d.last.Reason)
			}
			var got expected
			got.Identifier, got.Code = d.allowed(d.send(http.MethodPost, pathFor(c.accepts)+c.query, header, s.body))
			if d.last.Evidence != nil {
				got.Request = &d.last.Evidence.Request
			}
			text, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.TrimSpace(string(table[name])); string(text) != want {
				t.Errorf("got  %s\nwant %s", text, want)
			}
		})
	}
}

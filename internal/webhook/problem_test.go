package webhook

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/outcome"
)

// Every refusal and error has a remedy in the log, for the administrator, which the answer to the device does not have.
func TestRemedies(t *testing.T) {
	t.Parallel()
	for _, code := range outcome.Codes() {
		event := &audit.Event{Reference: "7F3K9Q2M", Time: time.Now()}
		answer := refuse(event, problemf(code, "the reason"))
		event.Status = answer.status
		var log bytes.Buffer
		audit.NewLog(&log, true).Write(event)
		var shown map[string]any
		if err := json.Unmarshal(log.Bytes(), &shown); err != nil {
			t.Fatal(err)
		}
		remedy, _ := shown[audit.KeyRemedy].(string)
		if len(remedy) < 20 || shown[audit.KeyReason] != "the reason" {
			t.Errorf("%s: the log has reason %q and remedy %q", code, shown[audit.KeyReason], remedy)
		}
		if strings.Contains(string(answer.body), remedy) || !strings.Contains(string(answer.body), outcome.Of(code).Message) {
			t.Errorf("%s: the answer is %s", code, answer.body)
		}
		if code == outcome.VLANUnknown {
			continue // a door's, and no webhook's
		}
		if (answer.status >= 500) != (code == codeUnavailable || code == codeInternal) {
			t.Errorf("%s has no outcome of its own", code)
		}
	}
}

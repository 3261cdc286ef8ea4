package audit_test

import (
	"strings"
	"testing"

	"step-posture-connector/internal/audit"
)

// A line that others keep is the one of the audit log with facts.
func TestLines(t *testing.T) {
	t.Parallel()
	withoutFacts := judged()
	withoutFacts.Evidence = nil
	notice := event()
	notice.Notification = &audit.Notification{TransactionID: "<t>"}
	for name, e := range map[string]*audit.Event{"facts": judged(), "no facts": withoutFacts, "no policy": event(), "notification": notice} {
		line, err := audit.NewLines().Of(e)
		if want := strings.TrimSuffix(appended(t, e, true), "\n"); err != nil || string(line) != want {
			t.Errorf("%s: got %s, %v\nwant %s", name, line, err, want)
		}
	}
}

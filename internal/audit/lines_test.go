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

func TestParseReference(t *testing.T) {
	t.Parallel()
	made := audit.NewReference()
	for text, want := range map[string]string{
		made: made, strings.ToLower(made): made, "7f3k9q2m": "7F3K9Q2M", "": "", "7F3K9Q2": "", "7F3K9Q2M1": "", "7F3K9Q2I": "", "7F3K9Q2O": "",
		"7F3K9Q2\u212a": "", "7F3K9Q2\u017f": "", "\u017fs12345": "", " F3K9Q2M": "", "7F3K-Q2M": "",
	} {
		if got, ok := audit.ParseReference(text); got != want || ok != (want != "") {
			t.Errorf("ParseReference(%q) = %q, %t, want %q", text, got, ok, want)
		}
	}
}

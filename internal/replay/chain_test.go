package replay_test

import (
	"path/filepath"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
)

// A log with a chain is replayed as one without: lines about the chain, and about people, are no decisions.
func TestChain(t *testing.T) {
	t.Parallel()
	p := policyOf(t, "staff", []string{"a"}, "device.managed")
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	for range 2 {
		trail, b, err := audit.OpenChain(path, make([]byte, 32), func(text string) { t.Errorf("a warning: %s", text) })
		if err != nil || b.Err != nil {
			t.Fatal(err, b.Err)
		}
		trail.RecordFacts()
		if err := trail.Append(asked(t, p, nil, "", identifier, map[string]inventory{"a": has(nil)})); err != nil {
			t.Fatal(err)
		}
		if err := trail.AppendEvent(audit.Notice{Time: time.Now(), Event: "console_view", User: "ada"}); err != nil {
			t.Fatal(err)
		}
		if err := trail.Close(); err != nil {
			t.Fatal(err)
		}
	}
	report := run(t, options(p, nil), path)
	if report.Replayed != 2 || report.Unreadable != 0 || report.NotReplayable != 0 || report.Differs() {
		t.Errorf("%+v", report)
	}
}

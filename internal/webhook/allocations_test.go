//go:build !race

package webhook

import (
	"io"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
)

// TestAllocations limits what the steps of a request allocate; docs/performance.md has these numbers. It does not run
// with the race detector, which makes sync.Pool drop items on purpose: make test runs it separately.
func TestAllocations(t *testing.T) {
	c := recordedCall(t)
	hooks := NewHooks([]Hook{c.hook}, false)
	body, p := decode(Signed{raw: c.body}, c.now, time.Second, false)
	if p != nil {
		t.Fatal(p)
	}
	log := audit.NewLog(io.Discard, false)
	event := audit.Event{Reference: "7F3K9Q2M", Allowed: true, Reason: "in the inventory", Identifier: "C02XK1JKLVCG", Provider: "file", Status: 200}
	for name, step := range map[string]struct {
		most float64
		run  func()
	}{
		"authenticate": {0, func() { _, _ = hooks.Authenticate(c.header, c.body, c.now) }},
		"decode":       {5, func() { _, _ = decode(Signed{raw: c.body}, c.now, time.Second, false) }},
		"identify":     {8, func() { _, _ = identify(body) }},
		"log":          {2, func() { log.Write(&event) }},
	} {
		if got := testing.AllocsPerRun(200, step.run); got > step.most {
			t.Errorf("%s allocates %v times, want at most %v", name, got, step.most)
		}
	}
}

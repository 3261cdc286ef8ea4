package posture_test

import (
	"testing"

	"step-posture-connector/internal/posture"
)

// What the caller demands beside the policy is no reason to refuse where only a copy lacks it: then the inventory is asked.
func TestCopyThatDoesNotFit(t *testing.T) {
	t.Parallel()
	const udid = "5B1D6C1E"
	without := changed(func(*posture.Device) {})
	with := changed(func(d *posture.Device) { d.Facts.UDID = posture.Known(udid) })
	fits := func(e *posture.Evidence) bool {
		known, ok := e.Deciding.Facts.UDID.Get()
		return ok && known == udid
	}
	for name, row := range map[string]struct {
		copied posture.Device
		fits   func(*posture.Evidence) bool
		asked  string
	}{
		"no demand":                {without, nil, ""},
		"the copy meets it":        {with, fits, ""},
		"the copy does not, asked": {without, fits, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := []side{{&keptCopy{record: row.copied}, &inventory{record: with}}}
			id, err := posture.ParseIdentifier("C02XY")
			if err != nil {
				t.Fatal(err)
			}
			e := &posture.Evidence{Fits: row.fits}
			decision, err := copiedGate(in, nil, "").Decide(t.Context(), posture.Query{Identifier: id}, e)
			if err != nil || !decision.Allowed() {
				t.Fatalf("Decide: %v, %v, want an allow", decision, err)
			}
			if got := askedOf(in, nil); got != row.asked {
				t.Errorf("asked %q, want %q", got, row.asked)
			}
			if row.fits != nil && !row.fits(e) {
				t.Error("the records of the decision do not meet the demand")
			}
		})
	}
}

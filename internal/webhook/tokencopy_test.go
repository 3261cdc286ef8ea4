package webhook_test

import (
	"errors"
	"testing"
	"time"

	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/posture"
)

// kept is a copy of an inventory, with the UDID that it has of every device; empty is unknown.
type kept struct{ udid string }

func (k kept) Recall(q posture.Query) (posture.Recalled, bool) {
	d := posture.Device{Identifier: q.Identifier.String(), Facts: posture.Facts{Managed: posture.Known(true)}}
	if k.udid != "" {
		d.Facts.UDID = posture.Known(k.udid)
	}
	return posture.Recalled{Device: d, Age: time.Minute, Facts: posture.AllFacts()}, true
}

func (kept) Observe(posture.Query, *posture.Device, error) {}

// A copy never refuses a token: where its UDID does not fit, the inventory itself is asked.
func TestTokenAndCopy(t *testing.T) {
	t.Parallel()
	const down = "down"
	for name, test := range map[string]struct {
		identifier, copied, live string
		code                     string
		lookups                  int
	}{
		"the copy has the UDID":                    {"", udid, down, "", 0},
		"the copy has another one":                 {"", otherUDID, udid, "", 1},
		"the copy has none":                        {"", "", udid, "", 1},
		"both have another one":                    {"", otherUDID, otherUDID, "tokenInvalid", 1},
		"both have none":                           {"", "", "", "tokenInvalid", 1},
		"the copy has another one, the other down": {"", otherUDID, down, "unavailable", 1},
		"the copy has none, with an identifier":    {serial, "", down, "", 0},
		"another one, with an identifier":          {serial, otherUDID, udid, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnrolment(t)
			lookups := 0
			e.lookup = func(posture.Query) error {
				if lookups++; test.live == down {
					return errors.New("connection refused")
				}
				return nil
			}
			e.udids[serial] = test.live
			e.gate.Inventories[0].Copy = kept{test.copied}
			shown, token := e.issue(t, test.identifier, udid)
			got := e.ask(t, attestedHook, enrolling(t, shown).enriching(t, serial))
			if got.code != test.code || lookups != test.lookups {
				t.Errorf("got %q (%s) after %d lookups, want %q after %d", got.code, got.event.Reason, lookups, test.code, test.lookups)
			}
			e.wantState(t, name, token, map[bool]enroll.State{true: enroll.Used, false: enroll.Live}[test.code == ""])
		})
	}
}

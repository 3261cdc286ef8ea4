package snapshot

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
)

// What a gate decides.
const (
	allowed     = "allow"
	refused     = "deny"
	unavailable = "503"
)

// rules allow devices in the group staff.
type rules struct{}

func (rules) Evaluate(e *posture.Evidence) posture.Verdict {
	groups, known := e.Deciding.Facts.Groups.Get()
	o := posture.Outcome{Rule: "staff", Applies: true, Enforced: true, Result: posture.Unmet}
	switch {
	case !known:
		o.Result = posture.Unknown
	case slices.Contains(groups, "staff"):
		o.Result = posture.Met
	}
	v := posture.Verdict{Outcomes: []posture.Outcome{o}}
	if o.Refuses() {
		v.Unmet = []string{o.Rule}
	}
	return v
}

func (rules) Render(*posture.Evidence) (json.RawMessage, []string, error) { return nil, nil, nil }

// decide decides about a device as a webhook does.
func (h *harness) decide(identifier string) string {
	h.t.Helper()
	gate := posture.Gate{
		Join: posture.Join{Inventories: []posture.Source{{
			Name: "mdm", Kind: "fake", Provider: h.inventory, Copy: h.Keeper, Facts: namesAndGroups(), DefaultType: posture.AnyDevice,
		}}},
		Policy: posture.Policy{Rules: rules{}},
	}
	decision, err := gate.Decide(h.t.Context(), ask(identifier, ""), &posture.Evidence{Now: h.clock.Wall()})
	switch {
	case err != nil:
		return unavailable
	case decision.Allowed():
		return allowed
	}
	return refused
}

func (h *harness) decides(when string, want map[string]string) {
	h.t.Helper()
	for identifier, decision := range want {
		if got := h.decide(identifier); got != decision {
			h.t.Errorf("%s: %s about %s, want %s", when, got, identifier, decision)
		}
	}
}

// TestDecisions: who is allowed, who is refused, who gets 503, and for how long.
func TestDecisions(t *testing.T) {
	plain := func() *fakeInventory {
		inventory := newInventory("")
		inventory.put("", append(numbered("S", 0, 30), "A1", "A2", "B1")...)
		inventory.change(func(f *fakeInventory) {
			f.records[""][32].Facts.Groups = posture.Known([]string{"guests"})
		})
		return inventory
	}
	down := func(f *fakeInventory) { f.down = true }
	up := func(f *fakeInventory) { f.down = false }
	file := func(t *testing.T) func(h *harness) {
		t.Helper()
		return persisted(filepath.Join(t.TempDir(), "copy.json"))
	}
	tests := []struct {
		name string
		run  func(t *testing.T, h *harness)
	}{
		{"healthy", func(_ *testing.T, h *harness) {
			h.decides("from the copy", map[string]string{"A1": allowed, "B1": refused, "X1": refused})
		}},
		{"an outage", func(_ *testing.T, h *harness) {
			age := h.Status()[0].Age
			h.inventory.change(down)
			h.decides("at once", map[string]string{"A1": allowed, "B1": unavailable, "X1": unavailable})
			h.pass(maxAge - age - time.Second)
			h.decides("until max_age", map[string]string{"A1": allowed, "B1": unavailable, "X1": unavailable})
			h.pass(time.Second)
			h.decides("at max_age", map[string]string{"A1": unavailable, "B1": unavailable, "X1": unavailable})
			h.inventory.change(up)
			h.decides("after it, without a copy", map[string]string{"A1": allowed, "B1": refused, "X1": refused})
		}},
		{"a device is removed", func(_ *testing.T, h *harness) {
			h.inventory.put("", append(numbered("S", 0, 30), "A2")...)
			h.decides("until the next fetch", map[string]string{"A1": allowed, "A2": allowed})
			h.pass(every + every/5)
			h.decides("after it", map[string]string{"A1": refused, "A2": allowed})
			h.inventory.change(down)
			h.decides("in an outage", map[string]string{"A1": unavailable, "A2": allowed})
		}},
		{"a device is added", func(_ *testing.T, h *harness) {
			h.inventory.change(func(f *fakeInventory) { f.records[""] = append(f.records[""], device("", "N1")) })
			h.decides("at once, live", map[string]string{"N1": allowed})
			h.inventory.change(down)
			h.decides("in an outage before a fetch", map[string]string{"N1": unavailable})
			h.inventory.change(up)
			h.pass(every + every/5)
			h.inventory.change(down)
			h.decides("in an outage after it", map[string]string{"N1": allowed})
		}},
		{"a device is fixed", func(_ *testing.T, h *harness) {
			h.inventory.change(func(f *fakeInventory) { f.records[""][32] = device("", "B1") })
			h.decides("at once, live", map[string]string{"B1": allowed})
			h.inventory.change(down)
			h.decides("a live answer does not enter the copy", map[string]string{"B1": unavailable})
		}},
		{"a device becomes one of several", func(_ *testing.T, h *harness) {
			h.inventory.change(func(f *fakeInventory) { f.records[""] = append(f.records[""], device("", "A1")) })
			h.decides("until the next fetch", map[string]string{"A1": allowed})
			h.pass(every + every/5)
			h.decides("after it, live", map[string]string{"A1": refused, "A2": allowed})
			h.inventory.change(down)
			h.decides("in an outage", map[string]string{"A1": unavailable, "A2": allowed})
		}},
		{"a list that fails in the middle", func(_ *testing.T, h *harness) {
			h.inventory.change(func(f *fakeInventory) { f.after = 10 })
			h.pass(maxAge - 30*time.Second)
			h.decides("until max_age", map[string]string{"A1": allowed, "S1": allowed})
			h.inventory.change(down)
			h.pass(30 * time.Second)
			h.decides("at max_age", map[string]string{"A1": unavailable, "S1": unavailable})
		}},
		{"half of the list", func(_ *testing.T, h *harness) {
			h.inventory.put("", numbered("S", 0, 10)...)
			h.Fetch()
			h.fetched()
			h.inventory.change(down)
			h.decides("it is not believed", map[string]string{"A1": allowed, "S1": allowed, "S20": allowed})
			h.inventory.change(up)
			h.pass(2 * shrunkRetry)
			h.decides("until it comes again", map[string]string{"A1": refused, "S1": allowed, "S20": refused})
		}},
		{"an empty list", func(_ *testing.T, h *harness) {
			h.inventory.put("")
			h.Fetch()
			h.fetched()
			h.decides("it is not believed", map[string]string{"A1": allowed, "X1": refused})
		}},
		{"down at start, with a file", func(_ *testing.T, h *harness) {
			h.inventory.change(down)
			h.clock = h.clock.reboot()
			h.restart()
			h.decides("after a restart", map[string]string{"A1": allowed, "B1": unavailable, "X1": unavailable})
			h.pass(maxAge)
			h.decides("at max_age", map[string]string{"A1": unavailable})
		}},
		{"down at start, without a file", func(_ *testing.T, h *harness) {
			h.settings.Path = ""
			h.inventory.change(down)
			h.restart()
			h.decides("after a restart", map[string]string{"A1": unavailable})
			h.inventory.change(up)
			h.decides("the inventory is back", map[string]string{"A1": allowed})
			h.pass(time.Minute)
			h.inventory.change(down)
			h.decides("and down again", map[string]string{"A1": allowed})
		}},
		{"a wall clock that was set back while the process was down", func(_ *testing.T, h *harness) {
			h.inventory.change(down)
			h.clock.set(-time.Hour)
			h.restart()
			h.decides("the copy is from the future", map[string]string{"A1": unavailable})
		}},
		{"a wall clock that is set back in an outage", func(_ *testing.T, h *harness) {
			h.inventory.change(down)
			h.clock.set(-time.Hour)
			h.decides("the other clock counts", map[string]string{"A1": allowed})
			h.pass(maxAge)
			h.decides("at max_age", map[string]string{"A1": unavailable})
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			with := file(t)
			inBubble(t, func(t *testing.T) {
				h := start(t, plain(), with)
				h.fetched()
				test.run(t, h)
			})
		})
	}
}

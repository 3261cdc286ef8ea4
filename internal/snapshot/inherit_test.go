package snapshot

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
)

// TestInheritAge: a reload makes no copy younger, although the wall clock was set back and the file says so, and gives no copy
// back that was too old.
func TestInheritAge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "copy.json")
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A1")
		h := start(t, inventory, persisted(path))
		h.fetched()
		inventory.change(func(f *fakeInventory) { f.down = true })
		reload := func() {
			next := New(h.options())
			next.Inherit(h.Keeper)
			h.Keeper = next
			h.run()
		}
		h.pass(maxAge / 2)
		h.clock.set(-maxAge / 2)
		h.settings.Every++ // another copy of the same inventory
		reload()
		h.want("in time", "", map[string]string{"A1": found})
		h.pass(maxAge / 2)
		h.want("max_age after the fetch", "", map[string]string{"A1": live})
		h.clock.set(-maxAge / 2)
		h.settings.Every++
		reload()
		h.want("too old, and reloaded", "", map[string]string{"A1": live})
		if age := h.metric("age_seconds", allDevices); age < 1e300 {
			t.Errorf("the age of what is too old is %v", age)
		}
	})
}

// TestInheritFile: a file of another path is used only where there is no copy, because its age is known by the wall clock alone.
func TestInheritFile(t *testing.T) {
	for down, want := range map[bool]string{true: found, false: absent} {
		folder := t.TempDir()
		t.Run(want, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				inventory := newInventory("")
				inventory.put("", "A1")
				inventory.down = down
				h := start(t, inventory, persisted(filepath.Join(folder, "one.json")))
				h.fetched()
				inventory.change(func(f *fakeInventory) { f.down = false })
				inventory.put("", "A1", "A2")
				other := h.options()
				other.Settings.Path = filepath.Join(folder, "other.json")
				second := New(other)
				second.Want(Wants{Facts: namesAndGroups()})
				h.pass(time.Second)
				second.fetch(t.Context(), second.state.Load().lists[""])
				h.settings.Path = other.Settings.Path
				next := New(h.options())
				next.Inherit(h.Keeper)
				h.Keeper = next
				h.want("after the reload", "", map[string]string{"A1": found, "A2": want})
			})
		})
	}
}

// TestUnused: an inventory that no policy asks is not fetched, and is again when one does.
func TestUnused(t *testing.T) {
	for _, lists := range [][]posture.DeviceType{{""}, {posture.Computer, posture.MobileDevice}} {
		t.Run(fmt.Sprint(len(lists)), func(t *testing.T) {
			inBubble(t, func(t *testing.T) { unused(t, lists) })
		})
	}
}

func unused(t *testing.T, lists []posture.DeviceType) {
	t.Helper()
	inventory := newInventory(lists...)
	inventory.put(lists[0], "A1")
	h := start(t, inventory)
	h.fetched()
	h.Want(Wants{Types: []posture.DeviceType{}})
	before := inventory.fetches()
	h.pass(10 * every)
	if got := inventory.fetches(); got != before || len(h.Status()) != 0 {
		t.Errorf("%d fetches of lists that nobody asks for; the status is %v", got-before, h.Status())
	}
	h.want("unused", lists[0], map[string]string{"A1": live})
	h.Want(Wants{Facts: namesAndGroups()})
	h.fetched()
	h.want("used again", lists[0], map[string]string{"A1": found})
}

// TestHiddenMetric: each device that a live answer hides is counted once, and answers that agree are not.
func TestHiddenMetric(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A1", "A2")
		h := start(t, inventory)
		h.fetched()
		h.observe(ask("A1", ""))
		if got := h.metric("hidden_total", allDevices); got != 0 {
			t.Errorf("%v devices are hidden by answers that agree", got)
		}
		for range 3 {
			h.Observe(ask("A1", ""), nil, posture.ErrNotFound)
		}
		h.Observe(ask("A2", ""), nil, posture.ErrAmbiguous)
		if got := h.metric("hidden_total", allDevices); got != 2 {
			t.Errorf("%v devices are hidden, want 2", got)
		}
	})
}

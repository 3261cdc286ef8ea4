package snapshot

import (
	"testing"
	"time"

	"step-posture-connector/internal/posture"
)

// TestCheck: a list with devices that lookups do not find is not adopted.
func TestCheck(t *testing.T) {
	tests := []struct {
		name   string
		change func(f *fakeInventory)
		want   string
	}{
		{"lookups find them", func(*fakeInventory) {}, found},
		{"a lookup does not find one", func(f *fakeInventory) { f.absent["A1"] = true }, live},
		{"a lookup finds several", func(f *fakeInventory) { f.records[posture.MobileDevice] = []posture.Device{device("", "A1")} }, found},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				inventory := newInventory(posture.Computer, posture.MobileDevice)
				inventory.put(posture.Computer, "A1", "A2")
				inventory.change(test.change)
				h := start(t, inventory)
				h.fetched()
				h.want(test.name, posture.Computer, map[string]string{"A2": test.want})
				if test.want == live {
					h.wantReports(test.name, "no lookup finds")
					if h.metric("alarms_total", string(posture.Computer), alarmContradicted) != 1 {
						t.Error("no alarm")
					}
					inventory.change(func(f *fakeInventory) { clear(f.absent) })
					h.pass(time.Minute)
					h.want("later", posture.Computer, map[string]string{"A2": found})
				}
			})
		})
	}
}

// TestCheckOnce: a device that goes, and comes back, while the list is checked contradicts nothing.
func TestCheckOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A1")
		inventory.absent["A1"] = true
		h := start(t, inventory)
		inventory.change(func(f *fakeInventory) { clear(f.absent) })
		h.fetched()
		h.want("found the second time", "", map[string]string{"A1": found})
		if inventory.looked() != 2 {
			t.Errorf("%d lookups, want 2", inventory.looked())
		}
	})
}

// TestCheckFaults: lookups that fail contradict nothing, and an inventory that fails is left alone.
func TestCheckFaults(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", numbered("A", 0, 100)...)
		h := start(t, inventory, func(h *harness) { h.inventory.takes = time.Second })
		h.pass(500 * time.Millisecond) // the records are read
		inventory.change(func(f *fakeInventory) { f.down = true })
		h.fetched()
		h.want("lookups fail", "", map[string]string{"A1": found})
		if inventory.looked() != checkFaults {
			t.Errorf("%d lookups, want %d", inventory.looked(), checkFaults)
		}
		inventory.change(func(f *fakeInventory) { f.down, f.lookups = false, 0 })
		h.Fetch()
		h.fetched()
		if inventory.looked() != checkedRows {
			t.Errorf("%d lookups, want %d", inventory.looked(), checkedRows)
		}
	})
}

// TestSample: each row is drawn with the same probability, and none in doubt.
func TestSample(t *testing.T) {
	t.Parallel()
	b := build(newFields(), "", 0, moment{})
	for _, identifier := range append(numbered("A", 0, 50), "D1", "D1") {
		if err := b.add(posture.Listing{Device: posture.Device{Identifier: identifier}}); err != nil {
			t.Fatal(err)
		}
	}
	c := b.end(posture.Listed{})
	drawn := map[string]int{}
	const rounds = 2000
	for range rounds {
		sample := c.sample(checkedRows)
		for _, id := range sample {
			drawn[id.Key()]++
		}
		if len(sample) != checkedRows {
			t.Fatalf("%d rows were drawn", len(sample))
		}
	}
	for _, identifier := range numbered("A", 0, 50) {
		// 800 are expected; 22 is the standard deviation.
		if n := drawn[identifier]; n < 600 || n > 1000 {
			t.Errorf("%s was drawn %d times", identifier, n)
		}
	}
	if drawn["D1"] != 0 {
		t.Error("a device in doubt was drawn")
	}
}

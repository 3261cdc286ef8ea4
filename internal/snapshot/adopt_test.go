package snapshot

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"step-posture-connector/internal/posture"
)

// metric returns the value of a series.
func (h *harness) metric(name string, labels ...string) (value float64) {
	h.t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(h.Keeper)
	families, err := registry.Gather()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != prefix+name {
			continue
		}
		for _, m := range family.GetMetric() {
			if has(m, labels) {
				switch {
				case m.GetHistogram() != nil:
					return float64(m.GetHistogram().GetSampleCount())
				case m.GetCounter() != nil:
					return m.GetCounter().GetValue()
				}
				return m.GetGauge().GetValue()
			}
		}
	}
	h.t.Errorf("no series %s with the labels %v", name, labels)
	return -1
}

func has(m *dto.Metric, values []string) bool {
	for _, value := range values {
		found := false
		for _, label := range m.GetLabel() {
			found = found || label.GetValue() == value
		}
		if !found {
			return false
		}
	}
	return true
}

// TestMetrics: all series exist from the start, and count.
func TestMetrics(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A1", "A2")
		inventory.down = true
		h := start(t, inventory)
		h.fetched()
		for _, result := range results() {
			want := 0.0
			if result == resultFailed {
				want = 1
			}
			if got := h.metric("fetches_total", allDevices, result); got != want {
				t.Errorf("%v fetches are %s, want %v", got, result, want)
			}
		}
		for _, alarm := range alarms() {
			if got := h.metric("alarms_total", allDevices, alarm); got != 0 {
				t.Errorf("%v alarms are %s", got, alarm)
			}
		}
		if got := h.metric("age_seconds", allDevices); got < 1e300 {
			t.Errorf("the age without a copy is %v", got)
		}
		inventory.change(func(f *fakeInventory) { f.down = false })
		h.pass(time.Minute)
		if got := h.metric("devices", allDevices); got != 2 {
			t.Errorf("%v devices, want 2", got)
		}
		if got := h.metric("age_seconds", allDevices); got < 1 || got > 60 {
			t.Errorf("the age is %v", got)
		}
		if got := h.metric("fetch_duration_seconds", allDevices); got != 2 {
			t.Errorf("%v durations, want 2", got)
		}
		inventory.change(func(f *fakeInventory) { f.down = true })
		h.pass(2 * maxAge)
		if got := h.metric("alarms_total", allDevices, alarmExpired); got != 1 {
			t.Errorf("%v alarms about the age, want 1", got)
		}
		next := New(h.options())
		next.Inherit(h.Keeper)
		h.Keeper = next
		if got := h.metric("fetches_total", allDevices, resultAdopted); got != 1 {
			t.Errorf("after a reload %v fetches were adopted, want 1", got)
		}
	})
}

// TestFailedFetch: a fetch that fails, at any place, changes nothing and makes nothing younger.
func TestFailedFetch(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A1", "A2")
		h := start(t, inventory)
		h.fetched()
		before := h.Status()[0]
		inventory.put("", "A1", "A3", "A4")
		for _, after := range []int{0, 1, 2} {
			inventory.change(func(f *fakeInventory) { f.after = after })
			h.Fetch()
			h.fetched()
			h.want("after a fetch that failed", "", map[string]string{"A1": found, "A2": found, "A3": absent})
			if now := h.Status()[0]; !now.Begun.Equal(before.Begun) || now.Err == nil {
				t.Errorf("the status is %+v, before it was %+v", now, before)
			}
		}
		h.wantReports("after faults", "fetch the list of devices: the fake inventory is down")
	})
}

// TestShrink: less than half of a copy is believed when it comes twice.
func TestShrink(t *testing.T) {
	tests := []struct {
		name          string
		before, after int
		want          bool // at once
	}{
		{"nothing", 20, 0, false},
		{"less than half", 40, 19, false},
		{"half", 40, 20, true},
		{"a small copy", 19, 0, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				inventory := newInventory("")
				inventory.put("", numbered("A", 0, test.before)...)
				h := start(t, inventory)
				h.fetched()
				inventory.put("", numbered("A", 0, test.after)...)
				h.Fetch()
				h.pass(shrunkRetry - time.Second)
				last := "A18"
				if test.before > 20 {
					last = "A39"
				}
				want := map[string]string{last: found}
				if test.want {
					want[last] = absent
				}
				h.want("after the first fetch", "", want)
				if alarmed := h.metric("alarms_total", alarmShrunk) == 1; alarmed == test.want {
					t.Errorf("an alarm is %v", alarmed)
				}
				h.pass(shrunkRetry)
				h.want("after the second one", "", map[string]string{last: absent})
				if inventory.fetches() != 3 && !test.want {
					t.Errorf("%d fetches, want 3", inventory.fetches())
				}
			})
		})
	}
}

// TestShrinkPasses: a list that is whole again the next time is an ordinary one, and the time after that is a first one.
func TestShrinkPasses(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		all := numbered("A", 0, 40)
		inventory.put("", all...)
		h := start(t, inventory)
		h.fetched()
		for range 3 {
			inventory.put("", all[:10]...)
			h.Fetch()
			h.fetched()
			inventory.put("", all...)
			h.pass(shrunkRetry)
			h.want("whole again", "", map[string]string{"A39": found})
		}
		if got := h.metric("alarms_total", alarmShrunk); got != 3 {
			t.Errorf("%v alarms, want 3", got)
		}
	})
}

// TestShrinkExpired: a copy that is too old is no baseline.
func TestShrinkExpired(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", numbered("A", 0, 40)...)
		h := start(t, inventory)
		h.fetched()
		inventory.change(func(f *fakeInventory) { f.down = true })
		h.pass(2 * maxAge)
		inventory.put("", "A1")
		inventory.change(func(f *fakeInventory) { f.down = false })
		h.pass(every + 30*time.Second)
		h.want("after the outage", "", map[string]string{"A1": found, "A2": absent})
	})
}

// TestBounds: a list that is too long or too large fails.
func TestBounds(t *testing.T) {
	t.Parallel()
	b := build(newFields(), "", posture.AllFacts(), moment{})
	b.records = maxRecords - 1
	if err := b.add(posture.Listing{Device: device("", "A1")}); err != nil {
		t.Errorf("the last record: %v", err)
	}
	if err := b.add(posture.Listing{Device: device("", "A2")}); err == nil {
		t.Error("a record too many is accepted")
	}
	b = build(newFields(), "", posture.AllFacts(), moment{})
	b.writer.size = maxBytes
	if err := b.add(posture.Listing{Device: device("", "A1")}); err == nil {
		t.Error("a copy that is too large is accepted")
	}
}

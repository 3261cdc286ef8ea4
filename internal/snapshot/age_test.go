package snapshot

import (
	"context"
	"fmt"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
)

// TestAge: a copy answers while its age is below max_age, and not at it.
func TestAge(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A1")
		inventory.takes = time.Minute
		h := start(t, inventory)
		h.pass(time.Minute + 10*time.Second)
		inventory.change(func(f *fakeInventory) { f.down = true })
		h.pass(maxAge - time.Minute - 10*time.Second - 1)
		h.want("just below max_age since the fetch began", "", map[string]string{"A1": found})
		if recalled, _ := h.Recall(ask("A1", "")); recalled.Age != maxAge-1 {
			t.Errorf("the age is %v, want %v", recalled.Age, maxAge-1)
		}
		h.pass(1)
		h.want("at max_age", "", map[string]string{"A1": live})
		h.pass(2 * maxAge)
		h.want("later", "", map[string]string{"A1": live})
		inventory.change(func(f *fakeInventory) { f.down = false })
		h.pass(every + time.Minute + 10*time.Second)
		h.want("after the outage", "", map[string]string{"A1": found})
	})
}

// TestClockJumps: no clock that is set, and no sleep, makes a copy younger.
func TestClockJumps(t *testing.T) {
	tests := []struct {
		name string
		jump func(c *fakeClock)
		want string
	}{
		{"wall clock set forward beyond max_age", func(c *fakeClock) { c.set(maxAge) }, live},
		{"wall clock set back", func(c *fakeClock) { c.set(-24 * time.Hour) }, found},
		{"sleep beyond max_age", func(c *fakeClock) { c.sleep(maxAge) }, live},
		{"sleep beyond max_age, and the wall clock set back", func(c *fakeClock) { c.sleep(maxAge); c.set(-2 * maxAge) }, live},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				inventory := newInventory("")
				inventory.put("", "A1")
				h := start(t, inventory)
				h.fetched()
				inventory.change(func(f *fakeInventory) { f.down = true })
				test.jump(h.clock)
				h.want(test.name, "", map[string]string{"A1": test.want})
				h.pass(maxAge)
				h.want("max_age later", "", map[string]string{"A1": live})
			})
		})
	}
}

// TestReloadAge: a reload does not make a copy younger, nor bring one back, though its file seems younger where the wall clock
// was set back since.
func TestReloadAge(t *testing.T) {
	path := t.TempDir() + "/copy.json"
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
		h.pass(maxAge - time.Minute)
		h.clock.set(time.Minute - maxAge)
		before := h.Status()[0].Age
		reload()
		if age := h.Status()[0].Age; age != before {
			t.Errorf("the age is %v, and was %v", age, before)
		}
		h.pass(time.Minute)
		h.want("at max_age", "", map[string]string{"A1": live})
		reload()
		h.want("at max_age, after another reload", "", map[string]string{"A1": live})
	})
}

// TestSchedule: fetches begin every ± 10 %, one at a time, and those that fail are repeated after 30 s, 60 s and so on.
func TestSchedule(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A1")
		h := start(t, inventory)
		h.fetched()
		const rounds = 100
		h.pass(rounds * every)
		if inventory.fetches() < rounds*8/10 || inventory.fetches() > rounds*12/10 {
			t.Errorf("%d fetches in %d times every", inventory.fetches(), rounds)
		}
		inventory.change(func(f *fakeInventory) { f.down = true })
		h.pass(2 * every)
		var begun []time.Duration
		for range 7 {
			before, from := inventory.fetches(), h.clock.Boot()
			for inventory.fetches() == before {
				h.pass(time.Second)
			}
			begun = append(begun, h.clock.Boot()-from)
		}
		for _, pause := range begun[1:] {
			if pause != every {
				t.Errorf("after many faults the pause is %v, want %v", pause, every)
			}
		}
	})
	for failures, want := range map[int]time.Duration{1: 30 * time.Second, 2: time.Minute, 3: 2 * time.Minute, 5: 8 * time.Minute, 6: every, 1000: every} {
		if got := backOff(failures, every); got != want {
			t.Errorf("backOff(%d) = %v, want %v", failures, got, want)
		}
	}
}

// TestOneFetch: there is one fetch of an inventory at a time, also across reloads, and the copy goes on.
func TestOneFetch(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory(posture.Computer, posture.MobileDevice)
		inventory.put(posture.Computer, "C1")
		h := start(t, inventory)
		h.fetched()
		inventory.change(func(f *fakeInventory) { f.takes = time.Minute })
		h.Fetch()
		h.pass(time.Second)
		before := h.Keeper
		for range 3 {
			next := New(h.options())
			next.Inherit(h.Keeper)
			h.Keeper = next
			h.run()
			h.Fetch()
			h.want("after a reload", posture.Computer, map[string]string{"C1": found})
			h.pass(time.Second)
		}
		h.pass(10 * time.Minute)
		if inventory.atOnce() != 1 {
			t.Errorf("%d fetches at once", inventory.atOnce())
		}
		if _, ok := before.Recall(ask("C1", posture.Computer)); !ok {
			t.Error("the keeper before does not answer the requests that have it")
		}
		before.Observe(ask("C1", posture.Computer), nil, posture.ErrNotFound)
		h.want("what the one before has observed", posture.Computer, map[string]string{"C1": live})
	})
}

// TestCancel: a fetch that is cancelled changes nothing, and Run returns.
func TestCancel(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A1")
		inventory.takes = time.Hour
		k := New((&harness{t: t, inventory: inventory, clock: &fakeClock{start: time.Now()}, settings: Settings{Every: every, MaxAge: maxAge}}).options())
		k.Want(Wants{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { k.Run(ctx); close(ended) }()
		time.Sleep(time.Minute)
		cancel()
		<-ended
		if status := k.Status(); status[0].Err != nil || status[0].Devices != 0 {
			t.Errorf("the status is %+v", status)
		}
	})
}

// TestSlow: a fetch that takes longer than max_age is no copy.
func TestSlow(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A1")
		inventory.takes = every + time.Minute
		h := start(t, inventory)
		h.pass(every + 2*time.Minute)
		h.want("longer than every", "", map[string]string{"A1": found})
		h.wantReports("it took longer than every", "took 11m0s, longer than every")
		inventory.change(func(f *fakeInventory) { f.takes = 2 * maxAge })
		h.pass(4 * maxAge)
		h.want("longer than max_age", "", map[string]string{"A1": live})
	})
}

// TestPanic: a panic of the provider is a fetch that failed.
func TestPanic(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A1")
		inventory.panics = true
		h := start(t, inventory)
		h.fetched()
		h.want("after a panic", "", map[string]string{"A1": live})
		inventory.change(func(f *fakeInventory) { f.panics = false })
		h.pass(time.Minute)
		h.want("later", "", map[string]string{"A1": found})
	})
}

func numbered(prefix string, from, to int) (identifiers []string) {
	for i := from; i < to; i++ {
		identifiers = append(identifiers, fmt.Sprintf("%s%d", prefix, i))
	}
	return identifiers
}

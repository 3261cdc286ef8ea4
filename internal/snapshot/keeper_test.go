package snapshot

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"step-posture-connector/internal/posture"
)

// TestRecall: a copy answers with what was fetched, and nothing more.
func TestRecall(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A1", "A2", "A2", "A3")
		inventory.damaged["A3"] = true
		h := start(t, inventory)
		h.want("before the first fetch", "", map[string]string{"A1": live})
		h.fetched()
		h.want("after it", "", map[string]string{"A1": found, "a1": found, "A2": live, "A3": live, "A4": absent})
		recalled, _ := h.Recall(ask("A1", ""))
		if name, known := recalled.Device.Facts.Name.Get(); !known || name != "the name of A1" {
			t.Errorf("the name is %q, known %v", name, known)
		}
		if !recalled.Facts.Has(namesAndGroups()) || recalled.Facts.Has(posture.MustFacts("device.model")) {
			t.Errorf("the copy has the facts %v", recalled.Facts.Names())
		}
		q := ask("A1", "")
		q.Facts |= posture.MustFacts("device.model")
		if got := h.recall(q); got != live {
			t.Errorf("a question about a fact that was not fetched: %s", got)
		}
		q = ask("A1", "")
		q.Recorded = posture.MustFacts("device.model")
		if got := h.recall(q); got != found {
			t.Errorf("a question about a fact that is only recorded: %s", got)
		}
	})
}

// inBubble runs a test whose time passes at once.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// TestTwoLists: each kind of device has a copy of its own, and a question about any kind needs both.
func TestTwoLists(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory(posture.Computer, posture.MobileDevice)
		inventory.put(posture.Computer, "C1", "B1", "D1", "D1")
		inventory.put(posture.MobileDevice, "M1", "B1")
		h := start(t, inventory)
		h.fetched()
		for _, kind := range []posture.DeviceType{posture.AnyDevice, ""} {
			h.want("any", kind, map[string]string{"C1": found, "M1": found, "B1": ambiguous, "D1": live, "X1": absent})
		}
		h.want("computers", posture.Computer, map[string]string{"C1": found, "M1": absent, "B1": found, "D1": live, "X1": absent})
		h.want("mobile devices", posture.MobileDevice, map[string]string{"C1": absent, "M1": found, "B1": found, "D1": absent})

		// Several over two lists that each have it once is what both say.
		h.observe(ask("B1", posture.AnyDevice))
		h.want("after the same live", posture.AnyDevice, map[string]string{"B1": ambiguous})
		inventory.put(posture.MobileDevice, "M1")
		h.observe(ask("B1", posture.Computer))
		h.want("after a live answer about one kind", posture.AnyDevice, map[string]string{"B1": ambiguous})
		h.observe(ask("B1", posture.AnyDevice))
		h.want("after a live answer that contradicts one list", posture.AnyDevice, map[string]string{"B1": live})
		h.want("the other list is right", posture.Computer, map[string]string{"B1": found})
		h.want("this one was wrong", posture.MobileDevice, map[string]string{"B1": live})
	})
}

// TestOneListFails: the list that can be fetched is used, and questions about both are asked live.
func TestOneListFails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory(posture.Computer, posture.MobileDevice)
		inventory.put(posture.Computer, "C1")
		inventory.put(posture.MobileDevice, "M1", "M2")
		inventory.after = 1 // of two records
		h := start(t, inventory)
		h.fetched()
		h.want("computers", posture.Computer, map[string]string{"C1": found})
		h.want("mobile devices", posture.MobileDevice, map[string]string{"M1": live})
		h.want("any", posture.AnyDevice, map[string]string{"C1": live, "M1": live})
	})
}

// TestWantedTypes: a kind that no policy can ask for is not fetched.
func TestWantedTypes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory(posture.Computer, posture.MobileDevice)
		inventory.put(posture.Computer, "C1")
		h := start(t, inventory)
		h.Want(Wants{Types: []posture.DeviceType{posture.Computer}, Facts: namesAndGroups()})
		h.fetched()
		h.pass(4 * every)
		for _, list := range inventory.asked[2:] {
			if list.Type != posture.Computer {
				t.Errorf("the list of %s was fetched", list.Type)
			}
		}
		if status := h.Status(); len(status) != 1 || status[0].List != posture.Computer {
			t.Errorf("the status is of %v", status)
		}
	})
}

// TestSingleListTypes: a list of all devices answers about one kind only with records of that kind.
func TestSingleListTypes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.change(func(f *fakeInventory) {
			f.records[""] = []posture.Device{device(posture.Computer, "C1"), device("", "U1")}
		})
		h := start(t, inventory)
		h.fetched()
		h.want("computers", posture.Computer, map[string]string{"C1": found, "U1": found, "X1": absent})
		h.want("mobile devices", posture.MobileDevice, map[string]string{"C1": absent, "U1": found})
		h.Observe(ask("C1", posture.MobileDevice), nil, posture.ErrNotFound)
		h.want("an answer about another kind", posture.Computer, map[string]string{"C1": found})
		h.Observe(ask("C1", posture.Computer), nil, posture.ErrNotFound)
		h.want("an answer about its kind", posture.Computer, map[string]string{"C1": live})
	})
}

// TestIncomplete: a list that may lack devices answers about those that it has.
func TestIncomplete(t *testing.T) {
	tests := []struct {
		name   string
		change func(f *fakeInventory)
	}{
		{"no total", func(f *fakeInventory) { f.noTotal = true }},
		{"fewer than the total", func(f *fakeInventory) { f.less = 1 }},
		{"a damaged record without an identifier", func(f *fakeInventory) {
			f.records[""] = append(f.records[""], posture.Device{})
			f.damaged[""] = true
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				inventory := newInventory("")
				inventory.put("", "A1", "A2")
				inventory.change(test.change)
				h := start(t, inventory)
				h.fetched()
				h.want(test.name, "", map[string]string{"A1": found, "X1": live})
			})
		})
	}
	t.Run("a record without an identifier", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			inventory := newInventory("")
			inventory.put("", "A1", "", "\x00")
			h := start(t, inventory)
			h.fetched()
			h.want("only counted", "", map[string]string{"A1": found, "X1": absent})
		})
	})
}

// TestUnfetchedFacts: a list that does not give a fact says nothing about it.
func TestUnfetchedFacts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A1")
		inventory.gives = posture.MustFacts("device.name")
		h := start(t, inventory)
		h.fetched()
		h.want("with groups", "", map[string]string{"A1": live, "X1": live})
		q := ask("A1", "")
		q.Facts = posture.MustFacts("device.name", "device.managed")
		if got := h.recall(q); got != found {
			t.Errorf("without groups: %s", got)
		}
		before := inventory.lists
		h.pass(every / 2)
		if inventory.lists != before {
			t.Errorf("%d fetches more for a fact that the list does not give", inventory.lists-before)
		}
	})
}

// TestMoreFacts: a reload that reads more facts fetches at once; one that reads fewer does not.
func TestMoreFacts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A1")
		h := start(t, inventory)
		h.fetched()
		h.Want(Wants{Facts: posture.MustFacts("device.name")})
		h.fetched()
		if inventory.lists != 1 {
			t.Errorf("%d fetches, want 1", inventory.lists)
		}
		h.Want(Wants{Facts: posture.MustFacts("device.name"), Recorded: posture.MustFacts("device.model")})
		h.fetched()
		if inventory.lists != 2 {
			t.Errorf("%d fetches, want 2", inventory.lists)
		}
		h.Fetch()
		h.fetched()
		if inventory.lists != 3 {
			t.Errorf("%d fetches after Fetch, want 3", inventory.lists)
		}
	})
}

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

// TestSchedule: fetches begin every ± 10 %, one at a time, and those that fail are repeated after 30 s, 60 s and so on.
func TestSchedule(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A1")
		h := start(t, inventory)
		h.fetched()
		const rounds = 100
		h.pass(rounds * every)
		if inventory.lists < rounds*8/10 || inventory.lists > rounds*12/10 {
			t.Errorf("%d fetches in %d times every", inventory.lists, rounds)
		}
		inventory.change(func(f *fakeInventory) { f.down = true })
		h.pass(2 * every)
		var begun []time.Duration
		for range 7 {
			before, from := inventory.lists, h.clock.Boot()
			for inventory.lists == before {
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
		if inventory.most != 1 {
			t.Errorf("%d fetches at once", inventory.most)
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

package snapshot

import (
	"testing"
	"testing/synctest"

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
		for _, list := range inventory.questions()[2:] {
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
		before := inventory.fetches()
		h.pass(every / 2)
		if inventory.fetches() != before {
			t.Errorf("%d fetches more for a fact that the list does not give", inventory.fetches()-before)
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
		if inventory.fetches() != 1 {
			t.Errorf("%d fetches, want 1", inventory.fetches())
		}
		h.Want(Wants{Facts: posture.MustFacts("device.name"), Recorded: posture.MustFacts("device.model")})
		h.fetched()
		if inventory.fetches() != 2 {
			t.Errorf("%d fetches, want 2", inventory.fetches())
		}
		h.Fetch()
		h.fetched()
		if inventory.fetches() != 3 {
			t.Errorf("%d fetches after Fetch, want 3", inventory.fetches())
		}
	})
}

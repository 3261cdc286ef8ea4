package snapshot

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
)

// TestObserve: which live answers contradict a copy of one list.
func TestObserve(t *testing.T) {
	version := func(text string) posture.Fact[posture.Version] {
		v, _ := posture.ParseVersion(text)
		return posture.Known(v)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		name   string
		change func(d *posture.Device) // of the live answer
		err    error
		want   string
	}{
		{"the same", func(*posture.Device) {}, nil, found},
		{"not found", nil, posture.ErrNotFound, live},
		{"not found, with more words", nil, fmt.Errorf("%w: it was removed", posture.ErrNotFound), live},
		{"several", nil, posture.ErrAmbiguous, live},
		{"no identifier of the inventory", nil, posture.ErrIdentifier, live},
		{"a fault", nil, errDown, found},
		{"time ran out", nil, errors.New("time ran out"), found},
		{"no longer managed", func(d *posture.Device) { d.Facts.Managed = posture.Known(false) }, nil, live},
		{"managed is unknown", func(d *posture.Device) { d.Facts.Managed = posture.Fact[bool]{} }, nil, live},
		{"another name", func(d *posture.Device) { d.Facts.Name = posture.Known("another") }, nil, live},
		{"the name is unknown", func(d *posture.Device) { d.Facts.Name = posture.Fact[string]{} }, nil, live},
		{"a name that was not asked for", func(d *posture.Device) { d.Facts.User.RealName = posture.Known("another") }, nil, found},
		{"a group more", func(d *posture.Device) { d.Facts.Groups = posture.Known([]string{"staff", "wheel", "more"}) }, nil, live},
		{"another group", func(d *posture.Device) { d.Facts.Groups = posture.Known([]string{"staff", "more"}) }, nil, live},
		{"no groups", func(d *posture.Device) { d.Facts.Groups = posture.Known([]string{}) }, nil, live},
		{"groups in another order", func(d *posture.Device) { d.Facts.Groups = posture.Known([]string{"wheel", "staff"}) }, nil, found},
		{"another attribute", func(d *posture.Device) { d.Facts.Attributes = posture.Known(map[string]string{"a": "2"}) }, nil, live},
		{"another version", func(d *posture.Device) { d.Facts.OSVersion = version("15.4.2") }, nil, live},
		{"another type", func(d *posture.Device) { d.Type = posture.MobileDevice }, nil, live},
		{"the identifier in another case", func(d *posture.Device) { d.Identifier = "a1" }, nil, live},
		{"seen later", func(d *posture.Device) { d.Facts.LastSeen = posture.Known(at.Add(time.Hour)) }, nil, found},
		{"seen earlier", func(d *posture.Device) { d.Facts.LastSeen = posture.Known(at.Add(-time.Hour)) }, nil, live},
		{"not seen", func(d *posture.Device) { d.Facts.LastSeen = posture.Fact[time.Time]{} }, nil, live},
		{"seen within the same second", func(d *posture.Device) { d.Facts.LastSeen = posture.Known(at.Add(time.Second - 1)) }, nil, found},
		{"enrolled again", func(d *posture.Device) { d.Facts.EnrolledAt = posture.Known(at.Add(time.Hour)) }, nil, live},
		{"a recorded fact that is unknown", func(d *posture.Device) { d.Facts.Model = posture.Fact[string]{} }, nil, found},
		{"a recorded fact that differs", func(d *posture.Device) { d.Facts.Model = posture.Known("another") }, nil, live},
		{"other data", func(d *posture.Device) { d.Data = []byte(`{"a":2,"b":1}`) }, nil, live},
		{"the same data, written otherwise", func(d *posture.Device) { d.Data = []byte(`{"b":1, "a":1}`) }, nil, found},
		{"no data", func(d *posture.Device) { d.Data = nil }, nil, live},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				record := device(posture.Computer, "A1")
				record.Facts.Groups = posture.Known([]string{"staff", "wheel"})
				record.Facts.Attributes = posture.Known(map[string]string{"a": "1"})
				record.Facts.OSVersion, record.Facts.Model = version("15.4.1"), posture.Known("model")
				record.Facts.LastSeen, record.Facts.EnrolledAt = posture.Known(at), posture.Known(at)
				record.Facts.User.RealName = posture.Known("Ana")
				record.Data = []byte(`{"a":1,"b":1}`)
				inventory := newInventory("")
				inventory.records[""] = []posture.Device{record}
				h := start(t, inventory)
				all := posture.AllFacts()&^posture.MustFacts("user.realname") | posture.Document
				h.Want(Wants{Facts: posture.AllFacts() | posture.Document})
				h.fetched()
				q := ask("A1", posture.AnyDevice)
				q.Facts, q.Recorded = all, posture.MustFacts("device.model")
				if test.err != nil {
					h.Observe(q, nil, test.err)
				} else {
					test.change(&record)
					h.Observe(q, &record, nil)
				}
				h.want(test.name, "", map[string]string{"A1": test.want, "X1": absent})
				h.pass(every + every/5)
				h.want("after the next fetch", "", map[string]string{"A1": found})
			})
		})
	}
}

// TestObserveDuringFetch: a fetch that began before a live answer may have read the record before.
func TestObserveDuringFetch(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A1", "A2", "A3")
		h := start(t, inventory)
		h.fetched()
		inventory.put("", "A1", "A2", "A3", "N1")
		inventory.change(func(f *fakeInventory) { f.takes = time.Minute })
		h.Fetch()
		h.pass(10 * time.Second)
		// Both are removed while the list is read; the first one is in the copy of before, and the second is not.
		h.Observe(ask("A1", ""), nil, posture.ErrNotFound)
		h.Observe(ask("N1", ""), nil, posture.ErrNotFound)
		h.Observe(ask("X1", ""), nil, posture.ErrNotFound)
		h.pass(2 * time.Minute)
		h.want("after that fetch", "", map[string]string{"A1": live, "A2": found, "N1": live, "X1": absent})
		h.Fetch()
		h.pass(2 * time.Minute)
		h.want("after the next one", "", map[string]string{"A1": found, "A2": found, "N1": found})
	})
}

// TestObserveOthersDuringFetch: a live answer during a fetch contradicts only the records that it is about.
func TestObserveOthersDuringFetch(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.change(func(f *fakeInventory) {
			f.records[""] = []posture.Device{device(posture.Computer, "C1"), device(posture.MobileDevice, "M1")}
			f.takes = time.Minute
		})
		h := start(t, inventory)
		h.pass(10 * time.Second)
		h.Observe(ask("C1", posture.MobileDevice), nil, posture.ErrNotFound)
		h.Observe(ask("M1", posture.MobileDevice), nil, posture.ErrNotFound)
		h.pass(2 * time.Minute)
		h.want("an answer about another kind, and one about its own", posture.AnyDevice, map[string]string{"C1": found, "M1": live})
	})
	t.Run("several", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			inventory := newInventory(posture.Computer, posture.MobileDevice)
			inventory.put(posture.Computer, "B1", "C1")
			inventory.put(posture.MobileDevice, "B1")
			h := start(t, inventory)
			h.fetched()
			inventory.change(func(f *fakeInventory) { f.takes = time.Minute })
			h.Fetch()
			h.pass(10 * time.Second)
			h.observe(ask("B1", posture.AnyDevice))
			h.Observe(ask("C1", posture.AnyDevice), nil, posture.ErrAmbiguous)
			h.pass(4 * time.Minute)
			h.want("one that each list has once, and one that only this list has", posture.Computer, map[string]string{"B1": found, "C1": live})
		})
	})
}

// TestObserveNeverAdds: a device that the list does not have stays absent.
func TestObserveNeverAdds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A1")
		h := start(t, inventory)
		d := device("", "N1")
		h.Observe(ask("N1", ""), &d, nil)
		h.fetched()
		h.Observe(ask("N1", ""), &d, nil)
		h.want("after live answers", "", map[string]string{"A1": found, "N1": absent})
	})
}

// TestOverflow: when more devices have changed than can be hidden, the copy stops answering until the next fetch, also after
// a restart.
func TestOverflow(t *testing.T) {
	path := t.TempDir() + "/copy.json"
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A0", "A1", "A2")
		h := start(t, inventory, persisted(path))
		h.fetched()
		s := h.state.Load()
		s.mu.Lock()
		for _, key := range numbered("Z", 0, maxHidden-1) {
			s.lists[""].hide(key, s.clock.Boot())
		}
		s.mu.Unlock()
		h.Observe(ask("A0", ""), nil, posture.ErrNotFound)
		h.want("with as many as there is room for", "", map[string]string{"A0": live, "A1": found, "A2": found})
		h.Observe(ask("A1", ""), nil, posture.ErrNotFound)
		h.want("with one more", "", map[string]string{"A0": live, "A1": live, "A2": live, "X1": live})
		h.wantReports("with one more", "too many devices")
		h.pass(2 * time.Minute)
		inventory.change(func(f *fakeInventory) { f.down = true })
		h.restart()
		h.want("after a restart", "", map[string]string{"A0": live, "A2": live})
		inventory.change(func(f *fakeInventory) { f.down = false })
		h.pass(2 * every)
		h.want("after the next fetch", "", map[string]string{"A0": found, "A2": found})
	})
}

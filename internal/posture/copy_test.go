package posture_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"step-posture-connector/internal/posture"
)

// keptCopy is a copy of an inventory.
type keptCopy struct {
	record   posture.Device
	err      error
	age      time.Duration
	facts    posture.FactSet // those of its fetch; 0 means all
	unusable bool

	mu       sync.Mutex
	recalled []posture.Query
	observed []observation
}

// observation is one call of Observe.
type observation struct {
	found bool
	err   error
}

func (c *keptCopy) Recall(q posture.Query) (posture.Recalled, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recalled = append(c.recalled, q)
	facts := c.facts
	if facts == 0 {
		facts = posture.AllFacts()
	}
	if c.unusable || !facts.Has(q.Facts) {
		return posture.Recalled{}, false
	}
	record := c.record
	if c.err == nil && record.Identifier == "" {
		record.Identifier = q.Identifier.String()
	}
	return posture.Recalled{Device: record, Err: c.err, Age: c.age, Facts: facts}, true
}

func (c *keptCopy) Observe(_ posture.Query, d *posture.Device, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.observed = append(c.observed, observation{d != nil, err})
}

// compliantRules have one rule, which needs a compliant record, also of the inventories that they read; and data that needs
// a name.
type compliantRules struct{ reads []string }

func (r compliantRules) Evaluate(e *posture.Evidence) posture.Verdict {
	o := posture.Outcome{Rule: "compliant", Applies: true, Enforced: true, Code: posture.DeviceNotCompliant, Reason: "it is not"}
	compliant := func(d *posture.Device) posture.Result {
		if d == nil {
			return posture.Unknown
		}
		switch is, known := d.Facts.Compliant.Get(); {
		case !known:
			return posture.Unknown
		case is:
			return posture.Met
		}
		return posture.Unmet
	}
	o.Result = compliant(e.Deciding)
	for _, name := range r.reads {
		o.Result = min(o.Result, compliant(e.Answer(name).Record))
	}
	return posture.Verdict{Outcomes: []posture.Outcome{o}}
}

func (compliantRules) Render(e *posture.Evidence) (json.RawMessage, []string, error) {
	if _, known := e.Deciding.Facts.Name.Get(); !known {
		return nil, nil, errors.New("the data name cannot be evaluated")
	}
	return nil, nil, nil
}

// side is one inventory and its copy; a nil copy means that there is none.
type side struct {
	copy *keptCopy
	live *inventory
}

const group = "staff"

// changed is a device that the policy of these tests allows, with a change.
func changed(change func(*posture.Device)) posture.Device {
	d := managed(true)
	d.Type = posture.Computer
	d.Facts.Compliant, d.Facts.Name, d.Facts.Groups = posture.Known(true), posture.Known("x"), posture.Known([]string{group})
	change(&d)
	return d
}

// copiedGate is a gate over inventories a, b and x, y, which must know the device too.
func copiedGate(in, also []side, reads string) *posture.Gate {
	sources := func(names string, of []side) (all []posture.Source) {
		for i, s := range of {
			source := posture.Source{Name: names[i : i+1], Provider: s.live, Facts: posture.MustFacts("device.compliant", "device.name")}
			if s.copy != nil {
				source.Copy = s.copy
			}
			all = append(all, source)
		}
		return all
	}
	g := &posture.Gate{Join: posture.Join{Inventories: sources("ab", in), AlsoIn: sources("xy", also), Reads: strings.Split(reads, "")}}
	g.Policy = posture.Policy{Name: "p", Rules: compliantRules{strings.Split(reads, "")}, Requirements: map[string]posture.Requirements{}}
	if reads == "" {
		g.Reads, g.Policy.Rules = nil, compliantRules{}
	}
	g.Policy.Requirements["a"] = posture.Requirements{Groups: posture.RequiredGroups(group, "")}
	g.Inventories[0].Required = posture.MustFacts("device.groups")
	for _, source := range g.AlsoIn {
		g.Policy.AlsoIn = append(g.Policy.AlsoIn, source.Name)
	}
	return g
}

// asked names the inventories that were asked themselves, once for each time.
func askedOf(in, also []side) (asked string) {
	for names, sides := range map[string][]side{"ab": in, "xy": also} {
		for i, s := range sides {
			s.live.mu.Lock()
			asked += strings.Repeat(names[i:i+1], len(s.live.asked))
			s.live.mu.Unlock()
		}
	}
	letters := strings.Split(asked, "")
	slices.Sort(letters)
	return strings.Join(letters, "")
}

// A copy only ever allows: whatever it says that would refuse is asked of the inventory, and only that decides.
func TestCopyOnlyAllows(t *testing.T) {
	t.Parallel()
	good := changed(func(*posture.Device) {})
	with := func(change func(*posture.Device)) posture.Device { return changed(change) }
	unmanaged := with(func(d *posture.Device) { d.Facts.Managed = posture.Known(false) })
	unknownManaged := with(func(d *posture.Device) { d.Facts.Managed = posture.Fact[bool]{} })
	outside := with(func(d *posture.Device) { d.Facts.Groups = posture.Known([]string{"others"}) })
	noncompliant := with(func(d *posture.Device) { d.Facts.Compliant = posture.Known(false) })
	unknownCompliant := with(func(d *posture.Device) { d.Facts.Compliant = posture.Fact[bool]{} })
	nameless := with(func(d *posture.Device) { d.Facts.Name = posture.Fact[string]{} })
	another := with(func(d *posture.Device) { d.Identifier = "OTHER" })
	huge := with(func(d *posture.Device) { d.Facts.Name = posture.Known(strings.Repeat("x", 4<<10+1)) })
	mobile := with(func(d *posture.Device) { d.Type = posture.MobileDevice })
	down := errors.New("it is down")
	copyOf := func(d posture.Device) *keptCopy { return &keptCopy{record: d, age: time.Minute} }
	copyErr := func(err error) *keptCopy { return &keptCopy{err: err, age: time.Minute} }
	has := func(d posture.Device) *inventory { return &inventory{record: d} }
	says := func(err error) *inventory { return &inventory{err: err} }
	absent := func() *keptCopy { return copyErr(posture.ErrNotFound) }
	type sides = []side
	for _, c := range []struct {
		name     string
		in, also sides
		reads    string // the names of inventories whose records the rule reads too
		mode     posture.DeviceType
		want     string // allow and who decides, the code of the refusal, or a part of the error
		asked    string // who was asked
		age      time.Duration
	}{
		{name: "allowed by the copy", in: sides{{copyOf(good), says(down)}}, want: "allow a", age: time.Minute},
		{name: "no copy that can be used", in: sides{{&keptCopy{unusable: true}, has(good)}}, want: "allow a", asked: "a"},
		{name: "no copy that can be used, in an outage", in: sides{{&keptCopy{unusable: true}, says(down)}}, want: "it is down", asked: "a"},
		{name: "a copy without a fact that a rule reads", in: sides{{&keptCopy{record: good, facts: posture.MustFacts("device.name", "device.groups")}, has(noncompliant)}}, want: "deviceNotCompliant", asked: "a"},
		{name: "a copy without the groups that are required", in: sides{{&keptCopy{record: good, facts: posture.MustFacts("device.name", "device.compliant")}, has(outside)}}, want: "deviceNotInGroup", asked: "a"},

		// Each kind of refusal is the inventory's own.
		{name: "not found, and removed", in: sides{{absent(), says(posture.ErrNotFound)}}, want: "deviceNotFound", asked: "a"},
		{name: "not found, in an outage", in: sides{{absent(), says(down)}}, want: "it is down", asked: "a"},
		{name: "not found, and added", in: sides{{absent(), has(good)}}, want: "allow a", asked: "a"},
		{name: "several, in an outage", in: sides{{copyErr(posture.ErrAmbiguous), says(down)}}, want: "it is down", asked: "a"},
		{name: "several, and one since", in: sides{{copyErr(posture.ErrAmbiguous), has(good)}}, want: "allow a", asked: "a"},
		{name: "unmanaged, and managed since", in: sides{{copyOf(unmanaged), has(good)}}, want: "allow a", asked: "a"},
		{name: "unmanaged", in: sides{{copyOf(unmanaged), has(unmanaged)}}, want: "deviceNotManaged", asked: "a"},
		{name: "unmanaged, in an outage", in: sides{{copyOf(unmanaged), says(down)}}, want: "it is down", asked: "a"},
		{name: "managed unknown, in an outage", in: sides{{copyOf(unknownManaged), says(down)}}, want: "it is down", asked: "a"},
		{name: "outside of the group, and inside since", in: sides{{copyOf(outside), has(good)}}, want: "allow a", asked: "a"},
		{name: "outside of the group", in: sides{{copyOf(outside), has(outside)}}, want: "deviceNotInGroup", asked: "a"},
		{name: "outside of the group, in an outage", in: sides{{copyOf(outside), says(down)}}, want: "it is down", asked: "a"},
		{name: "a rule unmet, and fixed since", in: sides{{copyOf(noncompliant), has(good)}}, want: "allow a", asked: "a"},
		{name: "a rule unmet", in: sides{{copyOf(noncompliant), has(noncompliant)}}, want: "deviceNotCompliant", asked: "a"},
		{name: "a rule unmet, in an outage", in: sides{{copyOf(noncompliant), says(down)}}, want: "it is down", asked: "a"},
		{name: "a rule unmet, and removed since", in: sides{{copyOf(noncompliant), says(posture.ErrNotFound)}}, want: "deviceNotFound", asked: "a"},
		{name: "a rule unknown, and fixed since", in: sides{{copyOf(unknownCompliant), has(good)}}, want: "allow a", asked: "a"},
		{name: "a rule unknown, in an outage", in: sides{{copyOf(unknownCompliant), says(down)}}, want: "it is down", asked: "a"},
		{name: "data that is required, and known since", in: sides{{copyOf(nameless), has(good)}}, want: "allow a", asked: "a"},
		{name: "data that is required", in: sides{{copyOf(nameless), has(nameless)}}, want: "deviceNotCompliant", asked: "a"},
		{name: "data that is required, in an outage", in: sides{{copyOf(nameless), says(down)}}, want: "it is down", asked: "a"},
		{name: "an identifier of another form, in an outage", in: sides{{copyErr(posture.ErrIdentifier), says(down)}}, want: "it is down", asked: "a"},

		// A copy that cannot be believed does not decide, and neither does its inventory fail for it.
		{name: "another record in the copy", in: sides{{copyOf(another), has(good)}}, want: "allow a", asked: "a"},
		{name: "another record in the copy, in an outage", in: sides{{copyOf(another), says(down)}}, want: "it is down", asked: "a"},
		{name: "a record of the copy that is too large", in: sides{{copyOf(huge), has(good)}}, want: "allow a", asked: "a"},
		{name: "a record of the copy that is too large, in an outage", in: sides{{copyOf(huge), says(down)}}, want: "it is down", asked: "a"},
		{name: "another kind in the copy", in: sides{{copyOf(mobile), has(good)}}, mode: posture.Computer, want: "allow a", asked: "a"},
		{name: "another kind in both", in: sides{{copyOf(mobile), has(mobile)}}, mode: posture.Computer, want: "deviceNotFound", asked: "a"},
		{name: "the kind that was asked for", in: sides{{copyOf(good), says(down)}}, mode: posture.Computer, want: "allow a", age: time.Minute},

		// Two inventories.
		{name: "absent in a copy, and a later one decides by its copy", in: sides{{absent(), says(down)}, {copyOf(good), says(down)}}, want: "allow b", age: time.Minute},
		{name: "absent in a copy, and a later one decides itself", in: sides{{absent(), says(down)}, {nil, has(good)}}, want: "allow b", asked: "b", age: time.Minute},
		{name: "absent in a copy, and the later one refuses", in: sides{{absent(), says(posture.ErrNotFound)}, {nil, has(noncompliant)}}, want: "deviceNotCompliant", asked: "ab"},
		{name: "absent in a copy, and the later one refuses, in an outage", in: sides{{absent(), says(down)}, {nil, has(noncompliant)}}, want: "inventory a: it is down", asked: "ab"},
		{name: "absent in a copy, added since, and the later one refuses", in: sides{{absent(), has(good)}, {nil, has(noncompliant)}}, want: "allow a", asked: "ab"},
		{name: "unmanaged in a copy, and managed later", in: sides{{copyOf(unmanaged), says(down)}, {nil, has(good)}}, want: "allow b", asked: "b", age: time.Minute},
		{name: "the first is asked, and the later copy is not asked twice", in: sides{{nil, says(posture.ErrNotFound)}, {copyOf(noncompliant), has(noncompliant)}}, want: "deviceNotCompliant", asked: "ab"},
		{name: "the first fails itself", in: sides{{nil, says(down)}, {copyOf(good), has(good)}}, want: "inventory a: it is down", asked: "a"},
		{name: "a fault in the first pass is kept", in: sides{{absent(), says(posture.ErrNotFound)}, {nil, says(down)}}, want: "inventory b: it is down", asked: "ab"},
		{name: "a fault behind the one that decides does not count", in: sides{{absent(), has(good)}, {nil, says(down)}}, want: "allow a", asked: "ab"},
		{name: "a record that is read, from a copy", in: sides{{copyOf(good), says(down)}, {copyOf(good), says(down)}}, reads: "b", want: "allow a", age: time.Minute},
		{name: "a record that is read, and refuses", in: sides{{copyOf(good), says(down)}, {copyOf(noncompliant), has(good)}}, reads: "b", want: "inventory a: it is down", asked: "a"},
		{name: "a record that is read refuses", in: sides{{copyOf(good), has(good)}, {copyOf(noncompliant), has(noncompliant)}}, reads: "b", want: "deviceNotCompliant", asked: "ab"},
		{name: "a record that is read, fixed since", in: sides{{copyOf(good), has(good)}, {copyOf(noncompliant), has(good)}}, reads: "b", want: "allow a", asked: "ab"},
		{name: "the oldest copy counts, of the first", in: sides{{&keptCopy{record: good, age: time.Hour}, says(down)}, {copyOf(good), says(down)}}, reads: "b", want: "allow a", age: time.Hour},
		{name: "the oldest copy counts", in: sides{{absent(), says(down)}, {&keptCopy{record: good, age: time.Hour}, says(down)}}, want: "allow b", age: time.Hour},

		// Those that must know the device too.
		{name: "also in a copy", in: sides{{copyOf(good), says(down)}}, also: sides{{&keptCopy{record: good, age: time.Hour}, says(down)}}, want: "allow a", age: time.Hour},
		{name: "only the one of also in has a copy", in: sides{{nil, has(good)}}, also: sides{{copyOf(good), says(down)}}, want: "allow a", asked: "a", age: time.Minute},
		{name: "also in, asked itself", in: sides{{copyOf(good), says(down)}}, also: sides{{nil, has(good)}}, want: "allow a", asked: "x", age: time.Minute},
		{name: "not also in the copy, in an outage", in: sides{{nil, has(good)}}, also: sides{{absent(), says(down)}}, want: "inventory x: it is down", asked: "ax"},
		{name: "not also in the copy, and added", in: sides{{nil, has(good)}}, also: sides{{absent(), has(good)}}, want: "allow a", asked: "ax"},
		{name: "not also in", in: sides{{copyOf(good), has(good)}}, also: sides{{absent(), says(posture.ErrNotFound)}}, want: "deviceNotFound", asked: "ax"},
		{name: "not also in, asked itself: the first is asked, and has left", in: sides{{copyOf(good), says(posture.ErrNotFound)}}, also: sides{{nil, says(posture.ErrNotFound)}}, want: "deviceNotFound", asked: "ax"},
		{name: "not also in, asked itself, and the first is down", in: sides{{copyOf(good), says(down)}}, also: sides{{nil, says(posture.ErrNotFound)}}, want: "inventory a: it is down", asked: "ax"},
		{name: "several in the copy of also in", in: sides{{nil, has(good)}}, also: sides{{copyErr(posture.ErrAmbiguous), says(down)}}, want: "inventory x: it is down", asked: "ax"},
		{name: "unmanaged in the copy of also in", in: sides{{nil, has(good)}}, also: sides{{copyOf(unmanaged), has(good)}}, want: "allow a", asked: "ax"},
		{name: "also in fails itself, and the copy allows", in: sides{{copyOf(good), has(good)}}, also: sides{{nil, says(down)}}, want: "inventory x: it is down", asked: "ax"},
		{name: "two that must know it, of copy and asked", in: sides{{copyOf(good), says(down)}}, also: sides{{copyOf(good), says(down)}, {nil, has(good)}}, want: "allow a", asked: "y", age: time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := copiedGate(c.in, c.also, c.reads)
				g.Mode = c.mode
				id, _ := posture.ParseIdentifier("C02XK1JKLVCG")
				var e posture.Evidence
				d, err := g.Decide(t.Context(), posture.Query{Identifier: id}, &e)
				got := string(d.Code())
				switch {
				case err != nil:
					got = err.Error()
					if d.Allowed() {
						t.Error("a decision that could not be made allows")
					}
				case d.Allowed():
					got = "allow " + e.Inventory
				}
				if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
					t.Errorf("got %s, want %s", got, c.want)
				}
				synctest.Wait()
				if asked := askedOf(c.in, c.also); asked != c.asked {
					t.Errorf("asked %q, want %q", asked, c.asked)
				}
				age, recalled := e.SnapshotAge()
				if age != c.age || recalled != (c.age > 0) {
					t.Errorf("the age of the copy is %v, %v, want %v", age, recalled, c.age)
				}
				if (err != nil || !d.Allowed()) && recalled {
					t.Error("an answer of a copy is in the evidence of a refusal")
				}
				if e.Deciding != nil && !slices.ContainsFunc(e.Answers, func(a posture.Answer) bool { return a.Record == e.Deciding }) {
					t.Error("the record that decides is not among the answers")
				}
			})
		})
	}
}

package posture_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"step-posture-connector/internal/posture"
)

// A copy is told what its inventory itself has answered, and nothing that a copy has.
func TestCopyObserves(t *testing.T) {
	t.Parallel()
	down := errors.New("it is down")
	good := changed(func(*posture.Device) {})
	for name, c := range map[string]struct {
		copy *keptCopy
		live *inventory
		want []observation
	}{
		"allowed by the copy":    {&keptCopy{record: good}, &inventory{err: down}, nil},
		"found":                  {&keptCopy{err: posture.ErrNotFound}, &inventory{record: good}, []observation{{true, nil}}},
		"not found":              {&keptCopy{err: posture.ErrNotFound}, &inventory{err: posture.ErrNotFound}, []observation{{false, posture.ErrNotFound}}},
		"a fault":                {&keptCopy{err: posture.ErrNotFound}, &inventory{err: down}, []observation{{false, down}}},
		"no copy that is usable": {&keptCopy{unusable: true}, &inventory{record: good}, []observation{{true, nil}}},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := copiedGate([]side{{c.copy, c.live}}, nil, "")
			id, _ := posture.ParseIdentifier("C02XK1JKLVCG")
			_, _ = g.Decide(t.Context(), posture.Query{Identifier: id}, &posture.Evidence{})
			if !slices.EqualFunc(c.copy.observed, c.want, func(a, b observation) bool { return a.found == b.found && errors.Is(a.err, b.err) }) {
				t.Errorf("%s: got %v, want %v", name, c.copy.observed, c.want)
			}
		})
	}
}

// What is only recorded is not required of a copy; what it was fetched with is what it says something about.
func TestCopyAndRecordedFacts(t *testing.T) {
	t.Parallel()
	read := posture.MustFacts("device.compliant", "device.name", "device.groups")
	c := &keptCopy{record: changed(func(*posture.Device) {}), facts: read | posture.MustFacts("device.model"), age: time.Second}
	g := copiedGate([]side{{c, &inventory{err: errors.New("it is down")}}}, nil, "")
	g.Inventories[0].Recorded = posture.AllFacts()
	id, _ := posture.ParseIdentifier("C02XK1JKLVCG")
	var e posture.Evidence
	d, err := g.Decide(t.Context(), posture.Query{Identifier: id}, &e)
	if err != nil || !d.Allowed() {
		t.Fatal(d, err)
	}
	q := c.recalled[0]
	if q.Facts != read || q.Recorded != posture.AllFacts()&^g.Inventories[0].Facts {
		t.Errorf("asked for %v, recorded %v", q.Facts.Names(), q.Recorded.Names())
	}
	if got := e.Answers[0].Asked; got != c.facts {
		t.Errorf("it says something about %v, want %v", got.Names(), c.facts.Names())
	}
}

// Both passes share the time of the request, and what the first has answered itself is not asked again.
func TestCopiesAndTime(t *testing.T) {
	t.Parallel()
	noncompliant := changed(func(d *posture.Device) { d.Facts.Compliant = posture.Known(false) })
	for _, c := range []struct {
		name  string
		first time.Duration // of the one that must know it too, in the first pass
		then  time.Duration // of the one with the copy
		want  string
		took  time.Duration
	}{
		{"both in time", 3 * time.Second, 4 * time.Second, "", 7 * time.Second},
		{"the second pass is late", 5 * time.Second, 4 * time.Second, "inventory a: context deadline exceeded", 8 * time.Second},
		{"the first pass is late", 9 * time.Second, time.Millisecond, "context deadline exceeded", 8 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := side{&keptCopy{record: noncompliant}, &inventory{record: noncompliant, after: c.then}}
				x := side{nil, &inventory{record: changed(func(*posture.Device) {}), after: c.first}}
				g := copiedGate([]side{a}, []side{x}, "")
				id, _ := posture.ParseIdentifier("C02XK1JKLVCG")
				ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
				defer cancel()
				begin := time.Now()
				d, err := g.Decide(ctx, posture.Query{Identifier: id}, &posture.Evidence{})
				if took := time.Since(begin); took != c.took {
					t.Errorf("it took %v, want %v", took, c.took)
				}
				if c.want == "" && (err != nil || d.Code() != posture.DeviceNotCompliant) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
					t.Errorf("got %v, %v, want %q", d.Code(), err, c.want)
				}
				synctest.Wait()
				if len(x.live.asked) != 1 {
					t.Errorf("the one without a copy was asked %d times", len(x.live.asked))
				}
			})
		})
	}
}

// The type of the query, or the default, reaches the copy.
func TestCopyAndModes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ given, mode, usual, want posture.DeviceType }{
		{"", "", "", ""},
		{"", "", posture.MobileDevice, posture.MobileDevice},
		{"", posture.Computer, posture.MobileDevice, posture.Computer},
		{posture.AnyDevice, posture.MobileDevice, "", posture.AnyDevice},
	} {
		kept := &keptCopy{record: changed(func(*posture.Device) {})}
		kept.record.Type = ""
		g := copiedGate([]side{{kept, &inventory{}}}, nil, "")
		g.Policy.Requirements = nil
		g.Mode, g.Inventories[0].DefaultType = c.mode, c.usual
		id, _ := posture.ParseIdentifier("C02XK1JKLVCG")
		var e posture.Evidence
		if d, err := g.Decide(t.Context(), posture.Query{Identifier: id, Type: c.given}, &e); err != nil || !d.Allowed() {
			t.Fatal(d, err)
		}
		if got := kept.recalled[0].Type; got != c.want || e.Answers[0].Type != c.want || e.Given != c.given {
			t.Errorf("%v: the copy was asked for %q, the answer has %q, given is %q", c, got, e.Answers[0].Type, e.Given)
		}
	}
}

// Many requests share one copy and one gate.
func TestCopyConcurrently(t *testing.T) {
	t.Parallel()
	good := changed(func(*posture.Device) {})
	noncompliant := changed(func(d *posture.Device) { d.Facts.Compliant = posture.Known(false) })
	down := errors.New("it is down")
	for _, c := range []struct {
		record posture.Device
		want   bool
	}{{good, true}, {noncompliant, false}} {
		a, x := side{&keptCopy{record: c.record}, &inventory{err: down}}, side{&keptCopy{record: good}, &inventory{err: down}}
		g := copiedGate([]side{a}, []side{x}, "")
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				id, _ := posture.ParseIdentifier("C02XK1JKLVCG")
				var e posture.Evidence
				if d, err := g.Decide(t.Context(), posture.Query{Identifier: id}, &e); d.Allowed() != c.want || (err == nil) != c.want {
					t.Errorf("got %v, %v, want %v", d.Allowed(), err, c.want)
				}
			})
		}
		all.Wait()
	}
}

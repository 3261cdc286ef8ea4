package snapshot

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"step-posture-connector/internal/posture"
)

// fakeClock is the clock of a synctest bubble, which tests can set.
type fakeClock struct {
	mu    sync.Mutex
	start time.Time
	wall  time.Duration // how far the wall clock was set
	slept time.Duration // how long the machine has slept: both clocks went on, and timers did not
	up    time.Duration // since the boot before start
}

func (c *fakeClock) Wall() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Round(0).Add(c.wall + c.slept)
}

func (c *fakeClock) Boot() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.start) + c.slept + c.up
}

func (c *fakeClock) set(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall += by
}

func (c *fakeClock) sleep(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slept += by
}

// reboot returns a clock whose boot clock starts at zero again.
func (c *fakeClock) reboot() *fakeClock {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &fakeClock{start: time.Now(), wall: c.wall + c.slept, up: time.Second}
}

var errDown = errors.New("the fake inventory is down")

// fakeInventory is an inventory of records in lists.
type fakeInventory struct {
	mu      sync.Mutex
	records map[posture.DeviceType][]posture.Device
	damaged map[string]bool
	// gives are the facts that lists give; less is how many records fewer than its total a list gives.
	gives posture.FactSet
	less  int
	// noTotal: lists do not say how many records they have.
	noTotal bool
	// down: nothing is answered. after is how many records a list gives until it fails; negative for all.
	down  bool
	after int
	takes time.Duration // a fetch
	// absent are the identifiers that no lookup finds, though lists have them.
	absent  map[string]bool
	panics  bool
	lists   int // fetches that have begun
	running int // fetches that run, and most is how many did at once
	most    int
	lookups int
	asked   []posture.List
}

func newInventory(kinds ...posture.DeviceType) *fakeInventory {
	f := &fakeInventory{records: map[posture.DeviceType][]posture.Device{}, damaged: map[string]bool{}, absent: map[string]bool{}, gives: posture.AllFacts() | posture.Document, after: -1}
	for _, kind := range kinds {
		f.records[kind] = nil
	}
	return f
}

func (f *fakeInventory) Lists() (kinds []posture.DeviceType) {
	for _, kind := range []posture.DeviceType{"", posture.Computer, posture.MobileDevice} {
		if _, has := f.records[kind]; has {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

func (f *fakeInventory) ListGives() posture.FactSet { return f.gives }

func (f *fakeInventory) List(ctx context.Context, list posture.List, each func(posture.Listing) error) (posture.Listed, error) {
	f.mu.Lock()
	f.lists++
	f.running++
	f.most = max(f.most, f.running)
	f.asked = append(f.asked, list)
	records, damaged := append([]posture.Device(nil), f.records[list.Type]...), f.damaged
	down, after, takes, less, gives, noTotal, panics := f.down, f.after, f.takes, f.less, f.gives, f.noTotal, f.panics
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.running--
		f.mu.Unlock()
	}()
	if panics {
		panic("the fake inventory panics")
	}
	if err := wait(ctx, takes); err != nil {
		return posture.Listed{}, err
	}
	if down {
		return posture.Listed{}, errDown
	}
	for i, record := range records[:len(records)-less] {
		if i == after {
			return posture.Listed{}, errDown
		}
		if err := each(posture.Listing{Device: record, Damaged: damaged[record.Identifier]}); err != nil {
			return posture.Listed{}, err
		}
	}
	listed := posture.Listed{Facts: gives, Total: len(records)}
	if noTotal {
		listed.Total = -1
	}
	return listed, nil
}

func (f *fakeInventory) Lookup(_ context.Context, q posture.Query) (found posture.Device, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lookups++
	if f.down {
		return found, errDown
	}
	err = posture.ErrNotFound
	for kind, records := range f.records {
		if kind != "" && q.Type != "" && q.Type != posture.AnyDevice && kind != q.Type {
			continue
		}
		for _, d := range records {
			if !q.Identifier.Matches(d) || f.absent[d.Identifier] {
				continue
			}
			if err == nil {
				return posture.Device{}, posture.ErrAmbiguous
			}
			found, err = d, nil
		}
	}
	return found, err
}

// change changes the inventory.
func (f *fakeInventory) change(how func(f *fakeInventory)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how(f)
}

// put replaces the records of a list by devices that are managed.
func (f *fakeInventory) put(kind posture.DeviceType, identifiers ...string) {
	f.change(func(f *fakeInventory) {
		f.records[kind] = nil
		for _, identifier := range identifiers {
			f.records[kind] = append(f.records[kind], device(kind, identifier))
		}
	})
}

func device(kind posture.DeviceType, identifier string) posture.Device {
	return posture.Device{Identifier: identifier, Type: kind, Facts: posture.Facts{
		Managed: posture.Known(true), Name: posture.Known("the name of " + identifier), Groups: posture.Known([]string{"staff"}),
	}}
}

// fetches is how many have begun.
func (f *fakeInventory) fetches() int { return get(f, func() int { return f.lists }) }

// looked is how many lookups were made.
func (f *fakeInventory) looked() int { return get(f, func() int { return f.lookups }) }

// atOnce is how many fetches ran at once.
func (f *fakeInventory) atOnce() int { return get(f, func() int { return f.most }) }

func (f *fakeInventory) questions() []posture.List {
	return get(f, func() []posture.List { return slices.Clone(f.asked) })
}

func get[T any](f *fakeInventory, of func() T) T {
	f.mu.Lock()
	defer f.mu.Unlock()
	return of()
}

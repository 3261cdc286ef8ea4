package snapshot

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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

// reboot makes the boot clock begin anew.
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

// harness is a keeper in a synctest bubble.
type harness struct {
	t *testing.T
	*Keeper

	inventory *fakeInventory
	clock     *fakeClock
	settings  Settings
	mu        sync.Mutex
	reports   []Report
	end       context.CancelFunc
}

const (
	every  = 10 * time.Minute
	maxAge = 30 * time.Minute
)

// start starts a keeper that policies want the names and groups of.
func start(t *testing.T, inventory *fakeInventory, change ...func(h *harness)) *harness {
	t.Helper()
	h := &harness{t: t, inventory: inventory, clock: &fakeClock{start: time.Now(), up: time.Hour}, settings: Settings{Every: every, MaxAge: maxAge}}
	for _, c := range change {
		c(h)
	}
	h.Keeper = New(h.options())
	h.run()
	return h
}

func (h *harness) options() Options {
	return Options{Inventory: "mdm", Kind: "fake", Account: "account", Provider: h.inventory, Settings: h.settings, Clock: h.clock, Report: func(r Report) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.reports = append(h.reports, r)
	}}
}

func (h *harness) run() {
	ctx, cancel := context.WithCancel(h.t.Context())
	h.end = cancel
	h.Want(Wants{Facts: namesAndGroups()})
	go h.Run(ctx)
	h.pass(0)
}

func namesAndGroups() posture.FactSet { return posture.MustFacts("device.name", "device.groups") }

// pass lets time pass, and what is due happen.
func (h *harness) pass(d time.Duration) {
	h.t.Helper()
	time.Sleep(d)
	synctest.Wait()
}

// fetched lets a fetch that is due, and its check, end.
func (h *harness) fetched() {
	h.t.Helper()
	h.pass(20 * time.Second)
}

func ask(identifier string, kind posture.DeviceType) posture.Query {
	id, err := posture.ParseIdentifier(identifier)
	if err != nil {
		panic(err)
	}
	return posture.Query{Identifier: id, Type: kind, Facts: namesAndGroups()}
}

// What the copy can say about an identifier.
const (
	live      = "live"
	found     = "found"
	absent    = "absent"
	ambiguous = "ambiguous"
)

func (h *harness) recall(q posture.Query) string {
	recalled, ok := h.Recall(q)
	switch {
	case !ok:
		return live
	case errors.Is(recalled.Err, posture.ErrNotFound):
		return absent
	case errors.Is(recalled.Err, posture.ErrAmbiguous):
		return ambiguous
	case recalled.Err != nil:
		return recalled.Err.Error()
	}
	return found
}

// want compares what the copy says, of computers where the inventory distinguishes them.
func (h *harness) want(when string, kind posture.DeviceType, want map[string]string) {
	h.t.Helper()
	for identifier, answer := range want {
		if got := h.recall(ask(identifier, kind)); got != answer {
			h.t.Errorf("%s: the copy says %s about %s, want %s", when, got, identifier, answer)
		}
	}
}

// observe asks the inventory itself, as a gate does.
func (h *harness) observe(q posture.Query) {
	h.t.Helper()
	d, err := h.inventory.Lookup(h.t.Context(), q)
	if err != nil {
		h.Observe(q, nil, err)
		return
	}
	h.Observe(q, &d, nil)
}

// wantReports compares whether a line was reported that has a text.
func (h *harness) wantReports(when, text string) {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.reports {
		if strings.Contains(r.Text, text) {
			return
		}
	}
	h.t.Errorf("%s: no report has %q; reports: %v", when, text, h.reports)
}

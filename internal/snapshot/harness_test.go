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

package snapshot

import (
	"slices"
	"sync"
	"time"

	"step-posture-connector/internal/posture"
)

// state is what outlives a keeper: after a reload, the next one of the same account goes on with it, also while requests
// that began before still use the one before.
type state struct {
	mu    sync.RWMutex
	lists map[posture.DeviceType]*list
	// fetching is full while a fetch runs: there is one at a time for an inventory, also across reloads.
	fetching chan struct{}
	measures *measures
	// writing is held while the file is written, and nextWrite is when it may be written again, on the boot clock.
	writing   sync.Mutex
	nextWrite time.Duration
	clock     Clock
}

// list is one list of the inventory.
type list struct {
	kind posture.DeviceType
	copy *copied // nil without one
	// hidden are the keys of identifiers about which a live answer has contradicted the copy, and when on the boot clock.
	hidden map[string]time.Duration
	// overflow is when hidden was full, if it was: from then on the copy does not answer about any device.
	overflow    time.Duration
	hasOverflow bool
	// gone are the devices that live answers during a fetch did not find, or found several of: the fetch may have read their
	// records before. It is nil outside of fetches.
	gone map[goneKey]goneAnswer

	// expired means that the copy has stopped answering, and that it was reported.
	expired bool
	// shrunk means that a fetch has returned less than half of the copy. The next one is believed.
	shrunk bool
	// failures are the fetches since the last that was adopted, and err why the last one was not.
	failures int
	err      error
	// unsaved means that devices are hidden that the file does not have so.
	unsaved bool
	// forced means that a fetch is due at once.
	forced bool
	// retry is when a fetch is due that repeats one which was not adopted, and due otherwise, on the boot clock.
	retry, due time.Duration
	// tried are the facts that the last fetch has asked for, adopted or not.
	tried posture.FactSet
	// told has when a line about the list was last reported, by what it is about.
	told map[string]time.Duration
}

func newState(kinds []posture.DeviceType, clock Clock) *state {
	s := &state{clock: clock, lists: map[posture.DeviceType]*list{}, fetching: make(chan struct{}, 1), measures: newMeasures(kinds)}
	for _, kind := range kinds {
		s.lists[kind] = &list{kind: kind, hidden: map[string]time.Duration{}, told: map[string]time.Duration{}}
	}
	return s
}

// hide keeps the copy from answering about a device, until a fetch that begins later is adopted; added says that it was not
// hidden before. When there is no room for more, the copy stops answering about all devices: to forget one could allow a
// device that the inventory has refused.
func (l *list) hide(key string, at time.Duration) (added, full bool) {
	if _, known := l.hidden[key]; !known && len(l.hidden) >= maxHidden {
		full, l.unsaved = !l.hasOverflow, true
		l.overflow, l.hasOverflow = at, true
		return false, full
	}
	if _, known := l.hidden[key]; !known {
		added, l.unsaved = true, true
	}
	l.hidden[key] = at
	return added, false
}

// adopt replaces the copy.
func (l *list) adopt(c *copied) {
	l.copy, l.shrunk, l.failures, l.err = c, false, 0, nil
	// What was observed at the very moment at which the fetch began stays hidden: which was first is not known.
	for key, at := range l.hidden {
		if at < c.begun.boot {
			delete(l.hidden, key)
		}
	}
	if l.hasOverflow && l.overflow < c.begun.boot {
		l.hasOverflow = false
	}
}

// goneKey is what a live answer during a fetch was about.
type goneKey struct {
	device string // the key of its identifier
	kind   posture.DeviceType
}

// goneAnswer is the last one about it: ErrNotFound, for example.
type goneAnswer struct {
	query posture.Query
	err   error
	at    time.Duration // on the boot clock
}

// hideGone hides the devices of the new copy of a list that live answers have contradicted while it was fetched.
func (s *state) hideGone(k *Keeper, l *list) {
	for key, a := range l.gone {
		if slices.Contains(s.contradicted(k.fields, k.listsOf(key.kind), a.query, nil, a.err), l.kind) {
			l.hide(key.device, a.at)
		}
	}
	l.gone = nil
}

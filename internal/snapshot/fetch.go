package snapshot

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"step-posture-connector/internal/panics"
	"step-posture-connector/internal/posture"
)

// Why a list that was fetched to its end is not adopted.
var (
	errShrunk = errors.New("it has less than half of the devices of the copy; it is fetched again, and believed then")
	errSlow   = errors.New("the fetch took longer than max_age")
)

// fetch fetches a list and adopts it, if it can be believed. Otherwise nothing changes, and the copy does not get younger.
func (k *Keeper) fetch(ctx context.Context, l *list) {
	s := k.state.Load()
	select {
	case s.fetching <- struct{}{}:
	case <-ctx.Done():
		return
	}
	defer func() { <-s.fetching }()
	facts := k.begin(s, l)
	begun := read(s.clock) // before the first request: a record may be as old as that
	c, err := k.list(ctx, l.kind, facts, begun)
	took := s.clock.Boot() - begun.boot
	result := resultFailed
	if err == nil {
		result, err = k.judge(ctx, s, l, c)
	}
	if ctx.Err() != nil {
		k.abandon(s, l)
		return
	}
	s.measures.fetched(l.kind, result, took)
	if err != nil {
		k.fail(s, l, result, err)
		return
	}
	replaced := k.adopt(s, l, c, took)
	k.write()
	if replaced >= largeCopy {
		// Otherwise the program would keep the memory of the copy before until the next garbage collection, which may be
		// minutes later.
		debug.FreeOSMemory()
	}
}

// begin notes that a fetch begins, and returns the facts that it asks for.
func (k *Keeper) begin(s *state, l *list) posture.FactSet {
	k.mu.Lock()
	facts := k.facts(k.wants)
	k.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	l.forced, l.tried = false, facts
	l.gone = map[goneKey]goneAnswer{}
	return facts
}

// list fetches a list to its end. A panic of the provider is an error: the copy is beside the daemon, and must not stop it.
func (k *Keeper) list(ctx context.Context, kind posture.DeviceType, facts posture.FactSet, begun moment) (c *copied, err error) {
	// A copy whose fetch took longer would be too old when it is complete.
	limited, cancel := context.WithTimeout(ctx, k.Settings.MaxAge)
	defer cancel()
	defer func() {
		if p := panics.Recovered(recover()); p != nil {
			c, err = nil, p
		}
	}()
	b := build(k.fields, kind, facts, begun)
	listed, err := k.Provider.List(limited, posture.List{Type: kind, Facts: facts}, b.add)
	switch {
	case err != nil && limited.Err() != nil && ctx.Err() == nil:
		return nil, errSlow
	case err != nil:
		return nil, err
	}
	return b.end(listed), nil
}

// judge returns why a list is not adopted.
func (k *Keeper) judge(ctx context.Context, s *state, l *list, c *copied) (result string, err error) {
	now := read(s.clock)
	if !c.usable(now, k.Settings.MaxAge) {
		return resultFailed, errSlow
	}
	s.mu.RLock()
	baseline := 0
	if l.copy.usable(now, k.Settings.MaxAge) && !l.shrunk {
		baseline = l.copy.table.Len()
	}
	s.mu.RUnlock()
	if baseline >= shrinkBaseline && 2*c.table.Len() < baseline {
		return resultShrunk, errShrunk
	}
	if err := k.check(ctx, c); err != nil {
		return resultContradicted, err
	}
	return resultAdopted, nil
}

// abandon ends a fetch that is not waited for: the next keeper, or process, begins one of its own.
func (k *Keeper) abandon(s *state, l *list) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.gone, l.tried = nil, 0
}

// fail notes why a fetch was not adopted.
func (k *Keeper) fail(s *state, l *list, result string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := read(s.clock)
	l.err, l.gone = err, nil
	what := "fetch " + describe(l.kind) + ": "
	switch result {
	case resultShrunk:
		// A flag that stays until a fetch is adopted: a fetch that fails in between says nothing about the devices.
		l.shrunk = true
		l.retry = now.boot + shrunkRetry
		s.measures.alarm(l.kind, alarmShrunk)
	case resultContradicted:
		l.failures++
		l.retry = now.boot + backOff(l.failures, k.Settings.Every)
		s.measures.alarm(l.kind, alarmContradicted)
	default:
		l.failures++
		l.retry = now.boot + backOff(l.failures, k.Settings.Every)
	}
	k.notify(l, now, result, what+err.Error())
}

// adopt replaces the copy of a list, and returns the size of the one before, in bytes.
func (k *Keeper) adopt(s *state, l *list, c *copied, took time.Duration) (replaced int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := read(s.clock)
	if l.copy != nil {
		replaced = l.copy.table.Size()
	}
	first := l.copy == nil || l.failures > 0 || l.shrunk
	l.adopt(c)
	s.hideGone(k, l)
	l.expired = false
	l.due = c.begun.boot + spread(k.Settings.Every)
	if first {
		k.inform(fmt.Sprintf("%s was fetched: %d devices in %v", describe(l.kind), c.table.Len(), took.Round(time.Second)))
	}
	switch every, age := k.Settings.Every, k.Settings.MaxAge; {
	case took > every:
		s.measures.alarm(l.kind, alarmSlow)
		k.notify(l, now, alarmSlow, fmt.Sprintf("the fetch of %s took %v, longer than every", describe(l.kind), took.Round(time.Second)))
	case took+every > age:
		s.measures.alarm(l.kind, alarmSlow)
		k.notify(l, now, alarmSlow, fmt.Sprintf("the fetch of %s took %v; with every it is longer than max_age, so that the copy expires before the next one", describe(l.kind), took.Round(time.Second)))
	}
	return replaced
}

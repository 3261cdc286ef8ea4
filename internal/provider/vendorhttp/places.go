package vendorhttp

import (
	"context"
	"slices"
	"sync"

	"step-posture-connector/internal/posture"
)

// places bounds how many requests run at once. Lookups come first: a page of a list takes a place only while no lookup waits
// for one, and no two pages have places at once, so that lookups never find all of them taken by lists.
//
// Questions of doors have a share of the places: while all of it is taken, those that wait let the lookups of webhooks pass. So
// however many devices connect, a device that asks for a certificate waits for no more than it would without doors.
type places struct {
	all     int
	ofDoors int           // the share of doors
	pages   chan struct{} // the page that has a place, or waits for one

	mu           sync.Mutex
	taken        int
	takenByDoors int
	lookups      []waiter      // in the order in which they came, except those of Further
	page         chan struct{} // that of the page that waits; nil if there is none
}

// waiter is a lookup that waits.
type waiter struct {
	turn   chan struct{} // closed when it has its place
	atDoor bool
}

// The share of doors is three of five places, and one at least.
const (
	doorShare   = 3
	doorShareOf = 5
)

func newPlaces(all int) *places {
	return &places{all: all, ofDoors: max(all*doorShare/doorShareOf, 1), pages: make(chan struct{}, 1)}
}

// take waits for a place, for a page or for another request, until ctx is done. The function gives it back.
func (p *places) take(ctx context.Context, forPage bool) (giveBack func(), err error) {
	if !forPage {
		atDoor := posture.IsAtDoor(ctx)
		return func() { p.giveBack(atDoor) }, p.wait(ctx, false)
	}
	select {
	case p.pages <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if err := p.wait(ctx, true); err != nil {
		<-p.pages
		return nil, err
	}
	return func() {
		p.giveBack(false)
		<-p.pages
	}, nil
}

func (p *places) wait(ctx context.Context, forPage bool) error {
	turn := make(chan struct{})
	own := waiter{turn, !forPage && posture.IsAtDoor(ctx)}
	p.mu.Lock()
	switch {
	case forPage:
		p.page = turn
	case isFurther(ctx):
		p.lookups = slices.Insert(p.lookups, 0, own)
	default:
		p.lookups = append(p.lookups, own)
	}
	p.serve()
	p.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.lookups, own)
	switch {
	case i >= 0:
		p.lookups = slices.Delete(p.lookups, i, i+1)
	case p.page == turn:
		p.page = nil
	default: // it got its place at the same time
		p.release(own.atDoor)
	}
	p.serve() // a page may have waited behind this lookup
	return context.Cause(ctx)
}

func (p *places) giveBack(atDoor bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.release(atDoor)
	p.serve()
}

// release makes a place free; p.mu is held.
func (p *places) release(atDoor bool) {
	p.taken--
	if atDoor {
		p.takenByDoors--
	}
}

type furtherKey struct{}

// Further returns the context of another request of a lookup that has an answer already. It comes before the first requests of
// other lookups: behind them, the requests of many lookups at once would all be first ones, and none would be answered.
func Further(ctx context.Context) context.Context { return context.WithValue(ctx, furtherKey{}, true) }

func isFurther(ctx context.Context) bool { return ctx.Value(furtherKey{}) != nil }

// waiting is how many lookups wait before another one: for one of a webhook, those of webhooks and what doors may have beside them.
func (p *places) waiting(atDoor bool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if atDoor {
		return len(p.lookups)
	}
	doors := 0
	for _, w := range p.lookups {
		if w.atDoor {
			doors++
		}
	}
	return len(p.lookups) - doors + min(doors, p.ofDoors-p.takenByDoors)
}

// serve hands out the places that are free; p.mu is held.
func (p *places) serve() {
	for p.taken < p.all {
		i := slices.IndexFunc(p.lookups, func(w waiter) bool { return !w.atDoor || p.takenByDoors < p.ofDoors })
		if i < 0 {
			break
		}
		if p.lookups[i].atDoor {
			p.takenByDoors++
		}
		close(p.lookups[i].turn)
		p.lookups = slices.Delete(p.lookups, i, i+1)
		p.taken++
	}
	if p.taken < p.all && p.page != nil {
		close(p.page)
		p.page = nil
		p.taken++
	}
}

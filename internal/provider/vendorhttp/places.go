package vendorhttp

import (
	"context"
	"slices"
	"sync"
)

// places bounds how many requests run at once. Lookups come first: a page of a list takes a place only while no lookup waits
// for one, and no two pages have places at once, so that lookups never find all of them taken by lists.
type places struct {
	all   int
	pages chan struct{} // the page that has a place, or waits for one

	mu      sync.Mutex
	taken   int
	lookups []chan struct{} // that wait, in the order in which they came, except those of Further; each is closed when it has its place
	page    chan struct{}   // that of the page that waits; nil if there is none
}

func newPlaces(all int) *places { return &places{all: all, pages: make(chan struct{}, 1)} }

// take waits for a place, for a page or for another request, until ctx is done. The function gives it back.
func (p *places) take(ctx context.Context, forPage bool) (giveBack func(), err error) {
	if !forPage {
		return p.giveBack, p.wait(ctx, false)
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
		p.giveBack()
		<-p.pages
	}, nil
}

func (p *places) wait(ctx context.Context, forPage bool) error {
	turn := make(chan struct{})
	p.mu.Lock()
	switch {
	case forPage:
		p.page = turn
	case isFurther(ctx):
		p.lookups = slices.Insert(p.lookups, 0, turn)
	default:
		p.lookups = append(p.lookups, turn)
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
	i := slices.Index(p.lookups, turn)
	switch {
	case i >= 0:
		p.lookups = slices.Delete(p.lookups, i, i+1)
	case p.page == turn:
		p.page = nil
	default: // it got its place at the same time
		p.taken--
	}
	p.serve() // a page may have waited behind this lookup
	return context.Cause(ctx)
}

func (p *places) giveBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	p.serve()
}

type furtherKey struct{}

// Further returns the context of another request of a lookup that has an answer already. It comes before the first requests of
// other lookups: behind them, the requests of many lookups at once would all be first ones, and none would be answered.
func Further(ctx context.Context) context.Context { return context.WithValue(ctx, furtherKey{}, true) }

func isFurther(ctx context.Context) bool { return ctx.Value(furtherKey{}) != nil }

// waiting is how many lookups wait.
func (p *places) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.lookups)
}

// serve hands out the places that are free; p.mu is held.
func (p *places) serve() {
	for p.taken < p.all && len(p.lookups) > 0 {
		close(p.lookups[0])
		p.lookups = p.lookups[1:]
		p.taken++
	}
	if p.taken < p.all && p.page != nil {
		close(p.page)
		p.page = nil
		p.taken++
	}
}

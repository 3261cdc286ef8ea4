// Package flight joins work that several callers want at the same time, so that it is done once.
package flight

import (
	"context"
	"sync"
	"time"

	"step-posture-connector/internal/panics"
)

// Group joins calls with the same key. The zero Group is ready for use. Nothing is remembered:
// a call that begins after another has ended does the work again.
type Group[K comparable, V any] struct {
	mu    sync.Mutex
	calls map[K]*call[V]
}

type call[V any] struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiters int
	latest  deadline // of all callers

	value V
	err   error
	panic *panics.Panic
}

// Do returns what work returns, for every caller that comes with the same key while it runs. It
// returns by ctx's deadline. A caller that leaves does not end the work that others wait for; when
// the last one has left, the work's context is canceled; Deadline returns when that will be. A panic in
// work is raised in every caller, as a *panics.Panic.
func (g *Group[K, V]) Do(ctx context.Context, key K, work func(context.Context) (V, error)) (V, error) {
	c := g.join(ctx, key, work)
	select {
	case <-c.done:
		if c.panic != nil {
			panic(c.panic)
		}
		return c.value, c.err
	case <-ctx.Done():
		g.leave(key, c)
		var none V
		return none, context.Cause(ctx)
	}
}

// Waiting returns how many callers wait at present.
func (g *Group[K, V]) Waiting() (callers int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.calls {
		callers += c.waiters
	}
	return callers
}

func (g *Group[K, V]) join(ctx context.Context, key K, work func(context.Context) (V, error)) *call[V] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.calls[key]; c != nil {
		c.waiters++
		c.latest.extend(ctx)
		return c
	}
	free, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &call[V]{done: make(chan struct{}), cancel: cancel, waiters: 1}
	c.latest.extend(ctx)
	if g.calls == nil {
		g.calls = map[K]*call[V]{}
	}
	g.calls[key] = c
	go func() {
		defer cancel()
		g.run(context.WithValue(free, deadlineKey{}, &c.latest), key, c, work)
	}()
	return c
}

type deadlineKey struct{}

// Deadline is the time until which a caller waits for the work that has the context ctx. It moves
// when a more patient caller joins, so it is no deadline of the context itself: a context that is derived from
// it would keep the old time.
func Deadline(ctx context.Context) (time.Time, bool) {
	own, isOwn := ctx.Deadline()
	latest, isShared := ctx.Value(deadlineKey{}).(*deadline)
	if !isShared {
		return own, isOwn
	}
	at, some := latest.get()
	if isOwn && (!some || own.Before(at)) {
		return own, true
	}
	return at, some
}

// deadline is the latest of those of several callers. It asks them again each time, because a caller
// may itself be work that others wait for.
type deadline struct {
	mu      sync.Mutex
	callers []func() (time.Time, bool)
}

func (d *deadline) extend(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.callers = append(d.callers, func() (time.Time, bool) { return Deadline(ctx) })
}

func (d *deadline) get() (latest time.Time, some bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, caller := range d.callers {
		at, ok := caller()
		if !ok {
			return time.Time{}, false // this caller waits for as long as it takes
		}
		if at.After(latest) {
			latest = at
		}
	}
	return latest, true
}

func (g *Group[K, V]) run(ctx context.Context, key K, c *call[V], work func(context.Context) (V, error)) {
	defer func() {
		// A panic that is not recovered here would end the daemon, and not only the request.
		c.panic = panics.Recovered(recover())
		g.forget(key, c)
		close(c.done)
	}()
	c.value, c.err = work(ctx)
}

// leave ends the work when no caller waits for it any more; the next caller begins again.
func (g *Group[K, V]) leave(key K, c *call[V]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.waiters--
	if c.waiters == 0 {
		c.cancel()
		g.remove(key, c)
	}
}

func (g *Group[K, V]) forget(key K, c *call[V]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remove(key, c)
}

func (g *Group[K, V]) remove(key K, c *call[V]) {
	if g.calls[key] == c {
		delete(g.calls, key)
	}
}

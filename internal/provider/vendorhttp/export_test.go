package vendorhttp

import (
	"context"
	"net/http"
	"net/url"
	"runtime"
	"time"
)

// UseProxy does what HTTPS_PROXY does.
func (c *Client) UseProxy(proxy *url.URL) {
	c.way.findProxy = func(*http.Request) (*url.URL, error) { return proxy, nil }
}

// TokenUntil is until when the token in memory is used.
func (c *Client) TokenUntil() time.Time {
	t, ok := c.auth.(*tokens)
	if !ok {
		return time.Time{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.until
}

// ListBounds replaces the bounds of lists: the time and the bytes of a page, and the bytes and devices of all.
func (c *Client) ListBounds(timeout time.Duration, bytes int64, page, devices int) {
	c.way.bounds = bounds{timeout, bytes, page, devices}
}

// AwaitLookups waits until so many lookups wait for a place.
func (c *Client) AwaitLookups(n int) {
	c.way.places.await(func(p *places) bool { return len(p.lookups) == n })
}

// AwaitPage waits until a page waits for a place.
func (c *Client) AwaitPage() { c.way.places.await(func(p *places) bool { return p.page != nil }) }

// FreePlaces is how many requests could begin.
func (c *Client) FreePlaces() int {
	c.way.places.mu.Lock()
	defer c.way.places.mu.Unlock()
	return c.way.places.all - c.way.places.taken
}

func (p *places) await(reached func(*places) bool) {
	for {
		p.mu.Lock()
		done := reached(p)
		p.mu.Unlock()
		if done {
			return
		}
		runtime.Gosched()
	}
}

// Turns are those of the rate limit that are left; below zero where some are taken in advance.
func (c *Client) Turns() float64 { return c.turns.Tokens() }

// Reserve takes a turn where there is one in time.
func (c *Client) Reserve(ctx context.Context) bool {
	_, inTime := c.reserve(ctx)
	return inTime
}

// NotBefore is the time until which nothing is sent; zero where there is none.
func (c *Client) NotBefore() time.Time {
	if until := c.notBefore.Load(); until != nil {
		return *until
	}
	return time.Time{}
}

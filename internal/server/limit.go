package server

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// limiter is a listener that holds at most limit connections. When it is full, one of them makes room for a new one;
// see victim. No library does this: netutil.LimitListener of golang.org/x/net waits until one is closed, so that idle
// clients lock step-ca out, and an LRU cache knows neither who is authenticated nor what is in flight. The search for
// a victim goes through all connections, but only when the limit is reached: 0.1 ms with 4096 of them.
type limiter struct {
	net.Listener
	limit   int
	idle    time.Duration // how long a connection stays open without a request
	start   time.Time     // anchors the monotonic clock
	evicted atomic.Uint64
	refused atomic.Uint64 // because no connection could be evicted
	bodies  bodies
	notices *notices

	mu   sync.Mutex
	open map[*connection]struct{}
}

// ConnectionLimit returns how many of the wanted connections the limit of open files allows, when the daemon itself
// needs reserved ones. Without a file for one more connection, none could be accepted to make another one close, and
// unauthenticated clients would lock step-ca out.
func ConnectionLimit(wanted, reserved int) int {
	files := openFiles()
	if files == 0 {
		return wanted
	}
	return min(wanted, max(1, files-reserved))
}

func newLimiter(limit int) *limiter {
	return &limiter{limit: limit, idle: idleTimeout, start: time.Now(), bodies: bodies{most: maxUnfinished}, open: map[*connection]struct{}{}}
}

// Accept waits for a connection and makes room for it.
func (l *limiter) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := l.track(accepted)
		if l.admit(c) {
			return c, nil
		}
		// Every connection has an authenticated request in flight. step-ca tries again after a second.
		l.refused.Add(1)
		_ = accepted.Close()
		l.notices.say("refused", noticeEvery, func() string {
			return fmt.Sprintf("a connection was refused: each of the %d that are open has an authenticated request in flight; %s", l.limit, l.notices.wording.overload)
		})
	}
}

// track begins the account of a connection.
func (l *limiter) track(c net.Conn) *connection {
	tracked := &connection{Conn: c, limiter: l, accepted: l.now()}
	tracked.heard.Store(tracked.accepted)
	tracked.answered.Store(tracked.accepted)
	tracked.incomplete = account{bodies: &l.bodies, connection: tracked}
	return tracked
}

func (l *limiter) admit(c *connection) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= l.limit {
		victim := l.victim(c.accepted)
		if victim == nil {
			return false
		}
		delete(l.open, victim)
		_ = victim.Conn.Close()
		l.evicted.Add(1)
	}
	l.open[c] = struct{}{}
	return true
}

// victim chooses the connection to close, at the time now, so that neither idle clients nor those that send slowly can
// lock step-ca out. A connection is unauthenticated until a request on it was authenticated; a request in flight does
// not protect it, because unauthenticated clients have requests that never end. The order is:
//
//  1. the oldest unauthenticated one, except young ones: step-ca's own is among them before its first request;
//  2. the longest idle of the authenticated ones, but never one with a request in flight;
//  3. the oldest of the young ones. They arrive faster than they grow old, and to refuse all of them would lock
//     step-ca out. An admitted one is closed only after limit others have arrived, and a request takes less.
//
// It is nil when every connection has an authenticated request in flight.
func (l *limiter) victim(now int64) *connection {
	var unauthenticated, idle *connection
	for c := range l.open {
		switch {
		case !c.trusted.Load():
			if unauthenticated == nil || c.accepted < unauthenticated.accepted {
				unauthenticated = c
			}
		case c.requests.Load() == 0 && now-c.heard.Load() >= int64(afterAnswer):
			if idle == nil || c.heard.Load() < idle.heard.Load() {
				idle = c
			}
		}
	}
	if idle != nil && (unauthenticated == nil || now-unauthenticated.accepted < int64(young)) {
		return idle
	}
	return unauthenticated
}

func (l *limiter) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

func (l *limiter) remove(c *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}

// drain closes each connection that had no request in flight and sent nothing for the time of grace, and
// unauthenticated ones after unauthenticatedGrace. It returns when none is left, or with the error of ctx when that is
// done. net/http's own Shutdown waits a second after GOAWAY, and some seconds where nothing was sent yet.
func (l *limiter) drain(ctx context.Context) error {
	began := l.now()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for l.closeIdle(began) > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	return nil
}

// closeIdle closes what drain may close, and returns how many connections are still open.
func (l *limiter) closeIdle(began int64) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for c := range l.open {
		idle := c.requests.Load() == 0 && now-max(began, c.heard.Load()) >= int64(grace)
		if idle || !c.trusted.Load() && now-began >= int64(unauthenticatedGrace) {
			delete(l.open, c)
			_ = c.Conn.Close()
		}
	}
	return len(l.open)
}

// expire closes connections that are idle for too long, until ctx is done. HTTP/2 frames other than requests, such as
// PING, do not keep a connection open.
func (l *limiter) expire(ctx context.Context) {
	ticker := time.NewTicker(min(expireEvery, l.idle))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		l.mu.Lock()
		now := l.now()
		for c := range l.open {
			if c.requests.Load() == 0 && now-c.answered.Load() >= int64(l.idle) {
				delete(l.open, c)
				_ = c.Conn.Close()
			}
		}
		l.mu.Unlock()
	}
}

// now is a monotonic time in nanoseconds.
func (l *limiter) now() int64 { return int64(time.Since(l.start)) }

package server

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
)

// connection knows when it was last active, and what is in flight on it.
type connection struct {
	net.Conn
	limiter  *limiter
	accepted int64        // when, by the limiter's clock
	heard    atomic.Int64 // when bytes last arrived, or a request ended
	answered atomic.Int64 // when a request last ended; at first, when it was accepted
	requests atomic.Int32 // in flight: the header is read, the answer not written
	trusted  atomic.Bool  // a request on it was authenticated

	admittedBy atomic.Pointer[admission] // what its client certificate was last verified with

	received   atomic.Int64 // bytes of an unauthenticated client since its last request began
	incomplete account      // of the handshake, the header or the frames that these bytes belong to
}

// Read notes the time: a client that sends is not idle.
func (c *connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard.Store(c.limiter.now())
		c.count(n)
	}
	return n, err
}

// count counts what an unauthenticated client sends before the header of a request is complete, and HTTP/2 frames
// that need an answer (a PING), which it may never read. Of a body it counts the part beyond what step-ca sends.
func (c *connection) count(n int) {
	if c.trusted.Load() {
		return
	}
	before := max(c.received.Load(), receivedFree)
	if after := c.received.Add(int64(n)); after > before {
		c.incomplete.begin(int(after-before) * receivedCost)
	}
}

// complete finishes the account of a header; the next bytes begin a new one.
func (c *connection) complete() {
	if c.received.Swap(0) > receivedFree {
		c.incomplete.finish()
	}
}

// Close makes room for another connection.
func (c *connection) Close() error {
	c.limiter.remove(c)
	c.incomplete.end()
	return c.Conn.Close()
}

type connectionKey struct{}

// withConnection adds the connection to the context of its requests.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	if encrypted, ok := c.(*tls.Conn); ok {
		c = encrypted.NetConn()
	}
	return context.WithValue(ctx, connectionKey{}, c)
}

// trackRequests counts the requests of each connection, and ends those of clients that identity no longer admits.
func trackRequests(next http.Handler, d *doorman) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connectionKey{}).(*connection); ok {
			if d.turnsAway(w, r, c) {
				return
			}
			c.complete()
			c.requests.Add(1)
			defer func() {
				now := c.limiter.now()
				c.heard.Store(now) // the answer is still being written
				c.answered.Store(now)
				c.requests.Add(-1)
			}()
			if !c.trusted.Load() && r.Body != http.NoBody {
				var unfinished *body
				r, unfinished = c.limiter.bodies.begin(r, c)
				defer unfinished.finish()
			}
		}
		next.ServeHTTP(w, r)
	})
}

// Trust marks the connection of a request, whose context it takes, as authenticated.
func Trust(ctx context.Context) {
	if c, ok := ctx.Value(connectionKey{}).(*connection); ok {
		c.trusted.Store(true)
	}
}

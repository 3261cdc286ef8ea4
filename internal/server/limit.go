package server

import (
	"context"
	"crypto/tls"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// limiter is a listener that holds at most limit connections. When it is full, the connection that
// has been silent the longest makes room for a new one, so that idle strangers cannot lock step-ca out.
type limiter struct {
	net.Listener
	limit   int
	start   time.Time // anchors the monotonic clock
	evicted atomic.Uint64

	mu   sync.Mutex
	open map[*connection]struct{}
}

// reservedFiles is what the daemon itself needs: logs, inventory, connections to the inventory.
const reservedFiles = 64

// Affordable returns how many connections can really be held when wanted are asked for: without
// a file left for one more, none could be accepted, and strangers would lock step-ca out after all.
func Affordable(wanted int) int {
	files := openFiles()
	if files == 0 || files >= uint64(wanted)+reservedFiles { //nolint:gosec // G115: wanted is positive
		return wanted
	}
	return max(1, int(files)-reservedFiles) //nolint:gosec // G115: less than wanted
}

func newLimiter(limit int) *limiter {
	return &limiter{limit: limit, start: time.Now(), open: map[*connection]struct{}{}}
}

// Accept waits for a connection and makes room for it.
func (l *limiter) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err //nolint:wrapcheck // net/http looks at the error as it is
		}
		c := &connection{Conn: accepted, limiter: l}
		c.heard.Store(l.now())
		if l.admit(c) {
			return c, nil
		}
		// Every connection has a request under way. step-ca tries again after a second.
		_ = accepted.Close()
	}
}

func (l *limiter) admit(c *connection) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= l.limit {
		silent := l.longestSilent()
		if silent == nil {
			return false
		}
		delete(l.open, silent)
		_ = silent.Conn.Close()
		l.evicted.Add(1)
	}
	l.open[c] = struct{}{}
	return true
}

// longestSilent chooses among the connections without a request in flight, and where all have one,
// among those whose request was not authenticated: strangers must not be able to fill every place
// with bodies that they never finish.
func (l *limiter) longestSilent() *connection {
	var idle, stranger *connection
	for c := range l.open {
		switch {
		case c.requests.Load() == 0:
			idle = quieter(idle, c)
		case !c.trusted.Load():
			stranger = quieter(stranger, c)
		}
	}
	if idle != nil {
		return idle
	}
	return stranger
}

func quieter(a, b *connection) *connection {
	if a == nil || b.heard.Load() < a.heard.Load() {
		return b
	}
	return a
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

const (
	silence     = time.Second            // after which a connection without a request is not waited for when ending
	lookAtEvery = 100 * time.Millisecond // how often that is checked
)

// closeSilent closes connections that have no request in flight, until ctx is done. net/http waits
// some seconds for one that has not sent anything yet; its next request may be on the way only if
// the handshake has just been made.
func (l *limiter) closeSilent(ctx context.Context) {
	ticker := time.NewTicker(lookAtEvery)
	defer ticker.Stop()
	for {
		l.mu.Lock()
		for c := range l.open {
			if c.requests.Load() == 0 && l.now()-c.heard.Load() > int64(silence) {
				delete(l.open, c)
				_ = c.Conn.Close()
			}
		}
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// connection knows when it was last heard of and what is under way on it.
type connection struct {
	net.Conn
	limiter  *limiter
	heard    atomic.Int64 // when bytes last came in, by the limiter's clock
	requests atomic.Int32 // requests whose header is read and whose answer is not written
	trusted  atomic.Bool  // a request on it was authenticated

	admittedBy atomic.Pointer[authorities] // under which its client certificate was verified
}

// Read notes the time: a client that sends is not silent.
func (c *connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard.Store(c.limiter.now())
	}
	return n, err //nolint:wrapcheck // io.EOF must stay itself
}

// Close gives the place back.
func (c *connection) Close() error {
	c.limiter.remove(c)
	return c.Conn.Close() //nolint:wrapcheck // net/http looks at the error as it is
}

// now is a monotonic time in nanoseconds.
func (l *limiter) now() int64 { return int64(time.Since(l.start)) }

type connectionKey struct{}

// withConnection makes the connection known to its requests.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	if encrypted, ok := c.(*tls.Conn); ok {
		c = encrypted.NetConn()
	}
	return context.WithValue(ctx, connectionKey{}, c)
}

// trackRequests counts the requests of each connection, and turns away those of clients that identity
// no longer admits.
func trackRequests(next http.Handler, identity *TLS, complaints *log.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connectionKey{}).(*connection); ok {
			if identity != nil && !identity.admits(c, r.TLS) {
				complaints.Printf("%s: the client certificate is no longer valid under TLS_CA_PATH; the connection was closed", r.RemoteAddr)
				_ = c.Close()
				panic(http.ErrAbortHandler) // net/http ends the request without a word
			}
			c.requests.Add(1)
			defer func() {
				c.heard.Store(c.limiter.now()) // the answer is still to be written
				c.requests.Add(-1)
			}()
		}
		next.ServeHTTP(w, r)
	})
}

// Trust notes that a request was authenticated; its context says on which connection.
func Trust(ctx context.Context) {
	if c, ok := ctx.Value(connectionKey{}).(*connection); ok {
		c.trusted.Store(true)
	}
}

package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// limiter is a listener that holds at most limit connections. When it is full, one of them makes room for
// a new one; see victim.
type limiter struct {
	net.Listener
	limit   int
	idle    time.Duration // how long a connection stays open without a request
	start   time.Time     // anchors the monotonic clock
	evicted atomic.Uint64
	refused atomic.Uint64 // because there was nobody to evict
	bodies  bodies
	notices *notices

	mu   sync.Mutex
	open map[*connection]struct{}
}

// Affordable returns how many connections can really be held when wanted are asked for and the daemon
// itself needs reserved files: without a file left for one more, none could be accepted, and strangers
// would lock step-ca out after all.
func Affordable(wanted, reserved int) int {
	files := openFiles()
	if files == 0 || files >= uint64(wanted)+uint64(reserved) { //nolint:gosec // G115: both are positive
		return wanted
	}
	return max(1, int(files)-reserved) //nolint:gosec // G115: less than their sum
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
			return fmt.Sprintf("a connection was refused: each of the %d that are open has an authenticated request in flight; raise MAX_CONNECTIONS, or find out what makes them slow", l.limit)
		})
	}
}

// track begins the account of a connection.
func (l *limiter) track(c net.Conn) *connection {
	tracked := &connection{Conn: c, limiter: l, accepted: l.now()}
	tracked.heard.Store(tracked.accepted)
	tracked.answered.Store(tracked.accepted)
	tracked.reading.set, tracked.writing.set = c.SetReadDeadline, c.SetWriteDeadline
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

const (
	// young is for how long a new connection is spared: time for the handshake and one request.
	young = time.Second
	// afterAnswer is for how long one is spared whose request has just ended: its answer is still to be written.
	afterAnswer = 100 * time.Millisecond
)

// victim chooses whom to close, at the time now, so that neither idle nor trickling strangers can lock
// step-ca out. A connection is a stranger's until a request on it was authenticated; that it has a
// request in flight saves it not, because strangers have requests that never end. The order is:
//
//  1. the oldest stranger, but the young are spared: step-ca's own is among them before its first request;
//  2. the longest idle of the others, but no request of theirs that is in flight is given up;
//  3. the oldest of the young. They are so many that they come faster than they grow old, and to admit
//     none of them would lock step-ca out. Admitted, its connection is closed only after as many others
//     have come as there are places, and a request takes less.
//
// It is nil when all have authenticated requests in flight.
func (l *limiter) victim(now int64) *connection {
	var stranger, idle *connection
	for c := range l.open {
		switch {
		case !c.trusted.Load():
			if stranger == nil || c.accepted < stranger.accepted {
				stranger = c
			}
		case c.requests.Load() == 0 && now-c.heard.Load() >= int64(afterAnswer):
			if idle == nil || c.heard.Load() < idle.heard.Load() {
				idle = c
			}
		}
	}
	if idle != nil && (stranger == nil || now-stranger.accepted < int64(young)) {
		return idle
	}
	return stranger
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
	// grace is how long a connection stays open without a request in flight after the server began to
	// end. A request may be on its way: clients learn from GOAWAY that they have to send it elsewhere, and
	// need a round trip for that. step-ca pauses for a second before its only retry, and must find
	// the next daemon by then.
	grace = 150 * time.Millisecond
	// strangersGrace is how long a request is waited for on a connection where nothing was authenticated. Its
	// body is not complete: it would be authenticated, or refused, at once.
	strangersGrace = 2 * time.Second
	// lookEvery is how often connections are looked at while the server ends.
	lookEvery = 10 * time.Millisecond
)

// drain closes each connection that has had no request in flight and sent nothing for the time of grace,
// and waits a little longer for strangers. It returns when none is left, or with the error of ctx when that
// is done. net/http itself waits for a second after GOAWAY, and for some seconds where nothing was sent yet.
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

// closeIdle returns how many connections are still open.
func (l *limiter) closeIdle(began int64) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for c := range l.open {
		idle := c.requests.Load() == 0 && now-max(began, c.heard.Load()) >= int64(grace)
		if idle || !c.trusted.Load() && now-began >= int64(strangersGrace) {
			delete(l.open, c)
			_ = c.Conn.Close()
		}
	}
	return len(l.open)
}

// expireEvery is how often idle connections are looked for.
const expireEvery = time.Second

// expire closes connections that are idle for too long, until ctx is done. Frames that are no requests, such as
// PING, keep none open.
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

// connection knows when it was last heard of and what is under way on it.
type connection struct {
	net.Conn
	limiter  *limiter
	accepted int64        // when, by the limiter's clock
	heard    atomic.Int64 // when bytes last came in, or a request ended
	answered atomic.Int64 // when a request last ended; at first, when it was accepted
	requests atomic.Int32 // requests whose header is read and whose answer is not written
	trusted  atomic.Bool  // a request on it was authenticated

	admittedBy atomic.Pointer[authorities] // under which its client certificate was verified

	reading, writing deadline

	received   atomic.Int64 // bytes of a stranger since its last request began
	incomplete account      // of the handshake, the header or the frames that they belong to
}

// Read notes the time: a client that sends is not silent.
func (c *connection) Read(p []byte) (int, error) {
	n, err := c.read(p)
	if n > 0 {
		c.heard.Store(c.limiter.now())
		c.count(n)
	}
	return n, err
}

// count accounts for what a stranger sends: before it has completed the header of a request, and frames of HTTP/2
// that have to be answered (a PING), by one who does not read the answers. Of a body it counts what is more than
// step-ca sends.
func (c *connection) count(n int) {
	if c.trusted.Load() {
		return
	}
	before := max(c.received.Load(), receivedFree)
	if after := c.received.Add(int64(n)); after > before {
		c.incomplete.begin(int(after-before) * receivedCost)
	}
}

// complete ends the account of a header, and begins a new one.
func (c *connection) complete() {
	if c.received.Swap(0) > receivedFree {
		c.incomplete.finish()
	}
}

// Close gives the place back.
func (c *connection) Close() error {
	c.limiter.remove(c)
	c.incomplete.end()
	return c.Conn.Close()
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
			c.complete()
			c.requests.Add(1)
			defer func() {
				now := c.limiter.now()
				c.heard.Store(now) // the answer is still to be written
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

// Trust notes that a request was authenticated; its context says on which connection.
func Trust(ctx context.Context) {
	if c, ok := ctx.Value(connectionKey{}).(*connection); ok {
		c.trusted.Store(true)
	}
}

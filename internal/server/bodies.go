package server

import (
	"container/list"
	"io"
	"net/http"
	"sync"
)

// bodies limits the memory that unauthenticated clients can hold with headers and bodies that never end. A limit for
// each connection is not enough: there may be thousands. When all together hold too much, it closes the connection
// whose unfinished request, header or handshake is the oldest. step-ca's requests are small and arrive at once, so
// they are never the oldest.
//
// The order is container/list's. An LRU cache such as hashicorp/golang-lru (MPL-2.0) would not be less code: it limits
// a number of entries, not their bytes, and every use makes an entry the newest, so that a client that sends slowly
// would never be the oldest.
type bodies struct {
	most int

	mu         sync.Mutex
	held       int
	unfinished list.List // of *account, the oldest first
}

// account is what one unfinished thing of a connection holds.
type account struct {
	bodies     *bodies
	connection *connection

	// Guarded by bodies.mu.
	held  int
	self  *list.Element // in bodies.unfinished; nil when it is finished, was evicted, or has not begun
	ended bool          // its connection was closed, so it must not begin again
}

// body is a request body that counts what was read of it.
type body struct {
	io.ReadCloser
	account account
}

// begin begins the account of a request's body. The returned request has a body that counts.
func (b *bodies) begin(r *http.Request, c *connection) (*http.Request, *body) {
	counted := &body{ReadCloser: r.Body, account: account{bodies: b, connection: c}}
	counted.account.begin(unfinishedCost + headerCost(r.Header))
	// A copy, because net/http uses the original to find out how much of its body was read.
	copied := *r
	copied.Body = counted
	return &copied, counted
}

// headerCost is what a header holds, in bytes.
func headerCost(header http.Header) int {
	cost := 0
	for name, values := range header {
		for _, value := range values {
			cost += fieldCost + bodyCost*(len(name)+len(value))
		}
	}
	return cost
}

// Read counts, and finishes the account at the end of the body.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.finish()
	} else {
		b.account.hold(n * bodyCost)
	}
	return n, err
}

func (b *body) finish() { b.account.finish() }

// begin begins the account if it has not begun yet, and counts bytes.
func (a *account) begin(bytes int) {
	a.bodies.mu.Lock()
	if a.self == nil && !a.ended {
		a.self = a.bodies.unfinished.PushBack(a)
	}
	a.bodies.mu.Unlock()
	a.hold(bytes)
}

func (a *account) finish() {
	a.bodies.mu.Lock()
	defer a.bodies.mu.Unlock()
	a.bodies.drop(a)
}

// end finishes the account for good.
func (a *account) end() {
	a.bodies.mu.Lock()
	defer a.bodies.mu.Unlock()
	a.bodies.drop(a)
	a.ended = true
}

// hold counts bytes, and closes connections while there are too many.
func (a *account) hold(bytes int) {
	// Without the lock: Close ends the connection's own account.
	for _, c := range a.add(bytes) {
		c.limiter.evicted.Add(1)
		_ = c.Close()
	}
}

// add counts bytes, and returns the connections that have to be closed.
func (a *account) add(bytes int) (victims []*connection) {
	all := a.bodies
	all.mu.Lock()
	defer all.mu.Unlock()
	if a.self == nil {
		return nil
	}
	a.held += bytes
	all.held += bytes
	for all.held > all.most {
		oldest, _ := all.unfinished.Front().Value.(*account)
		all.drop(oldest)
		if c := oldest.connection; !c.trusted.Load() {
			victims = append(victims, c)
		}
	}
	return victims
}

// drop removes an account; b.mu must be held.
func (b *bodies) drop(one *account) {
	if one.self == nil {
		return
	}
	b.unfinished.Remove(one.self)
	b.held -= one.held
	one.self, one.held = nil, 0
}

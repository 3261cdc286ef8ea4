package server

import (
	"container/list"
	"io"
	"net/http"
	"sync"
)

const (
	// maxUnfinished is what all that strangers have begun and not finished may hold together, in bytes: requests
	// whose bodies are not read to their end, and headers and handshakes that are not complete.
	maxUnfinished = 32 << 20
	// unfinishedCost is what a request holds without its header and its body: stack, stream.
	unfinishedCost = 8 << 10
	// fieldCost is what a field of a header holds beside its text, which may be as short as a single byte.
	fieldCost = 128
	// bodyCost is how often a byte of a body, or of the text of a header, is counted: a buffer that grows is copied.
	bodyCost = 2
	// receivedFree and receivedCost are for what a connection has received: so many bytes are not counted, which is
	// about what step-ca needs, and the others so often, because a header of many short fields holds that much
	// more than was sent.
	receivedFree = 4 << 10
	receivedCost = 16
)

// bodies bounds the memory that strangers can hold by sending headers and bodies that never end. Limits for each
// connection are not enough for that: there may be thousands of them. When all together hold too much,
// the connection with what is unfinished for the longest time is closed. Requests of step-ca are small and come at
// once, so they are never the oldest.
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
	self  *list.Element // nil when it is finished, was given up, or holds nothing yet
	ended bool          // its connection was closed, so it begins no more
}

// body is a request body that accounts for what was read of it.
type body struct {
	io.ReadCloser
	account account
}

// begin begins the account of a request's body. The returned request has the body that keeps it.
func (b *bodies) begin(r *http.Request, c *connection) (*http.Request, *body) {
	counted := &body{ReadCloser: r.Body, account: account{bodies: b, connection: c}}
	counted.account.begin(unfinishedCost + headerCost(r.Header))
	// A copy, because net/http looks at the original to see how much of its body was read.
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

// Read counts, and ends the account with the body.
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

// begin begins the account where it has not begun yet, and counts bytes.
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

// end ends the account for good.
func (a *account) end() {
	a.bodies.mu.Lock()
	defer a.bodies.mu.Unlock()
	a.bodies.drop(a)
	a.ended = true
}

// hold counts bytes, and closes connections while there are too many.
func (a *account) hold(bytes int) {
	// Not under the lock: a connection that is closed ends its own account.
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

// drop ends an account; b.mu must be held.
func (b *bodies) drop(one *account) {
	if one.self == nil {
		return
	}
	b.unfinished.Remove(one.self)
	b.held -= one.held
	one.self, one.held = nil, 0
}

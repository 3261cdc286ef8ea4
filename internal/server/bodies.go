package server

import (
	"container/list"
	"io"
	"net/http"
	"sync"
)

const (
	// maxUnfinished is what all requests together may hold whose bodies are not read to their end, on
	// connections where nothing was authenticated yet, in bytes.
	maxUnfinished = 32 << 20
	// unfinishedCost is what such a request holds without its body: stack, stream, header.
	unfinishedCost = 8 << 10
	// bodyCost is how often a byte of a body is counted: a buffer that grows is copied.
	bodyCost = 2
)

// bodies bounds the memory that strangers can hold by sending bodies that never end. Limits for each
// connection are not enough for that: there may be thousands of them. When all together hold too much,
// the connection with the oldest unfinished body is closed. Bodies of step-ca are small and come at once, so
// they are never the oldest.
type bodies struct {
	most int

	mu         sync.Mutex
	held       int
	unfinished list.List // of *body, the oldest first
}

// body is a request body that accounts for what was read of it.
type body struct {
	io.ReadCloser
	bodies     *bodies
	connection *connection

	// Guarded by bodies.mu.
	held int
	self *list.Element // nil when the body is finished, or was given up
}

// begin begins the account of a request's body. The returned request has the body that keeps it.
func (b *bodies) begin(r *http.Request, c *connection) (*http.Request, *body) {
	counted := &body{ReadCloser: r.Body, bodies: b, connection: c}
	b.mu.Lock()
	counted.self = b.unfinished.PushBack(counted)
	b.mu.Unlock()
	counted.hold(unfinishedCost)
	// A copy, because net/http looks at the original to see how much of its body was read.
	copied := *r
	copied.Body = counted
	return &copied, counted
}

// Read counts, and ends the account with the body.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.finish()
	} else {
		b.hold(n * bodyCost)
	}
	return n, err //nolint:wrapcheck // io.EOF must stay itself
}

func (b *body) finish() {
	b.bodies.mu.Lock()
	defer b.bodies.mu.Unlock()
	b.bodies.drop(b)
}

// hold counts bytes, and closes connections while there are too many.
func (b *body) hold(bytes int) {
	all := b.bodies
	all.mu.Lock()
	defer all.mu.Unlock()
	if b.self == nil {
		return
	}
	b.held += bytes
	all.held += bytes
	for all.held > all.most {
		oldest, _ := all.unfinished.Front().Value.(*body)
		all.drop(oldest)
		if c := oldest.connection; !c.trusted.Load() {
			c.limiter.evicted.Add(1)
			_ = c.Close()
		}
	}
}

// drop ends the account of a body; b.mu must be held.
func (b *bodies) drop(one *body) {
	if one.self == nil {
		return
	}
	b.unfinished.Remove(one.self)
	b.held -= one.held
	one.self, one.held = nil, 0
}

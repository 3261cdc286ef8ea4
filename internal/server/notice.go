package server

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// notices are lines of the log for the administrator, rate-limited by kind.
type notices struct {
	mu      sync.Mutex
	notify  func(line string) // nil: every notice is dropped
	wording wording
	kinds   map[string]*notice
}

// notice is the last one of its kind.
type notice struct {
	given   time.Time
	writing bool
	dropped int // since it was given
}

// say logs a notice, or counts it if one of its kind was logged less than every ago. It never waits: a log that is not
// read must not stop the server from accepting connections.
func (n *notices) say(kind string, every time.Duration, text func() string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.notify == nil {
		return
	}
	if n.kinds == nil {
		n.kinds = map[string]*notice{}
	}
	last := n.kinds[kind]
	switch {
	case last == nil:
		last = &notice{}
		n.kinds[kind] = last
	case last.writing, time.Since(last.given) < every:
		last.dropped++
		return
	}
	line := text()
	if last.dropped > 0 {
		line += fmt.Sprintf(" (%d more since the last such line)", last.dropped)
	}
	last.given, last.writing, last.dropped = time.Now(), true, 0
	go func() {
		n.notify(line)
		n.mu.Lock()
		defer n.mu.Unlock()
		last.writing = false
	}()
}

// sayRevoked logs that a revoked client was turned away: a line for each client and minute, and one for those beyond
// maxRevoked of them. Any client of the CA may be among them, and may come with a new connection each time.
func (n *notices) sayRevoked(err error, what string, from net.Addr) {
	leaf := presented(err)
	kind := revokedCertificate
	if leaf != nil && n.hasRoom(leaf) {
		kind = revokedKind(leaf)
	}
	n.say(kind, noticeEvery, func() string {
		return what + strings.TrimPrefix(err.Error(), clientRefused) + describe(leaf) +
			"; " + n.wording.revoked + "; from " + from.String()
	})
}

// revokedKind is the kind of the notices about one revoked client.
func revokedKind(leaf *x509.Certificate) string {
	sum := sha256.Sum256(leaf.Raw)
	return revokedCertificate + " " + string(sum[:])
}

// hasRoom reports whether a revoked client has its own notices. Those that are old make room.
func (n *notices) hasRoom(leaf *x509.Certificate) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.kinds[revokedKind(leaf)] != nil {
		return true
	}
	clients := 0
	for kind, last := range n.kinds {
		if !strings.HasPrefix(kind, revokedCertificate+" ") {
			continue
		}
		if !last.writing && time.Since(last.given) >= noticeEvery {
			delete(n.kinds, kind)
			continue
		}
		clients++
	}
	return clients < maxRevoked
}

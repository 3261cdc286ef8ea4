package vendortest

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// settleTime is the default of API.Settle: ample for a busy machine, and less than a lookup has.
const settleTime = 2 * time.Second

// arrive counts a request and says how it is spoiled. The request is in flight until gone is called or its client is known to
// have left.
func (s *Server) arrive(r *http.Request, endpoint string) (fault Fault, spoiled bool, gone func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.announce()
	s.counts[endpoint]++
	s.arrivals = append(s.arrivals, arrival{endpoint, time.Now()})
	s.inFlight[endpoint]++
	s.now++
	s.most = max(s.most, s.allowed(s.now))
	fault, spoiled = s.take(endpoint)
	end := sync.OnceFunc(func() { s.depart(endpoint) })
	stop := context.AfterFunc(r.Context(), end)
	return fault, spoiled, func() { stop(); end() }
}

func (s *Server) depart(endpoint string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.announce()
	s.inFlight[endpoint]--
	s.now--
	if !s.crowded() {
		s.proven = false
	}
}

// settle waits until no more requests are in flight than are allowed, and records a violation if that does not come about.
// A client that gives up may send its next request before the server learns about the first: the client's transport resets
// a stream, or closes a connection, in the background. So more requests than are allowed are only a violation when their
// clients go on waiting. None of them is answered before that is known.
func (s *Server) settle(ctx context.Context, endpoint string) {
	limited, cancel := context.WithTimeout(ctx, s.api.Settle)
	defer cancel()
	_ = s.Await(limited, s.settled) // what counts is looked at below
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil || !s.crowded() {
		return
	}
	defer s.announce()
	s.proven = true
	s.most = max(s.most, s.now)
	s.violations = append(s.violations, fmt.Sprintf("%s: %d requests at once, %d are allowed", endpoint, s.now, s.api.AtOnce))
}

// leave returns what ends a request whose answer begins: gone, as soon as it is known whether too many are in flight.
func (s *Server) leave(ctx context.Context, gone func()) func() {
	return func() {
		_ = s.Await(ctx, s.settled) // a client that has left needs no answer
		gone()
	}
}

// settled reports whether it is known that all requests in flight are allowed, or that they are not.
func (s *Server) settled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proven || !s.crowded()
}

// crowded reports whether more requests are in flight than are allowed; s.mu is held.
func (s *Server) crowded() bool { return s.now > s.allowed(s.now) }

// allowed returns how many of n requests are allowed at once.
func (s *Server) allowed(n int) int {
	if s.api.AtOnce == 0 {
		return n
	}
	return min(n, s.api.AtOnce)
}

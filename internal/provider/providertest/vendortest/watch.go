package vendortest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// announce wakes every Await; s.mu is held.
func (s *Server) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Await returns when reached does, which is asked again whenever a request comes or goes.
func (s *Server) Await(ctx context.Context, reached func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if reached() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("await: %w", context.Cause(ctx))
		}
	}
}

// Count returns how many requests have come to the named endpoints, or to all when none is named.
func (s *Server) Count(endpoints ...string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sum(s.counts, endpoints)
}

// Counts returns how many requests have come to each endpoint.
func (s *Server) Counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.counts)
}

// InFlight returns how many requests the named endpoints, or all, have not begun to answer, while the client waits.
func (s *Server) InFlight(endpoints ...string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sum(s.inFlight, endpoints)
}

// MostWithin returns the greatest number of requests to the named endpoints, or to all, that have come within any period of
// that length.
func (s *Server) MostWithin(period time.Duration, endpoints ...string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var times []time.Time
	for _, a := range s.arrivals {
		if len(endpoints) == 0 || slices.Contains(endpoints, a.endpoint) {
			times = append(times, a.at)
		}
	}
	most, first := 0, 0
	for i, at := range times {
		for at.Sub(times[first]) >= period {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// arrival is when a request came.
type arrival struct {
	endpoint string
	at       time.Time
}

// Hanging returns how many requests a Hang or Endless fault keeps from their end, while the client waits.
func (s *Server) Hanging() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hanging
}

func (s *Server) changeHanging(by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.announce()
	s.hanging += by
}

// Abandoned returns how many requests a Slow, Hold or Hang fault held until their client left.
func (s *Server) Abandoned() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.abandoned
}

func (s *Server) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.announce()
	s.abandoned++
}

// Connections returns how many connections were accepted, those included that are closed by now.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Open returns how many connections neither side has closed.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// MostAtOnce returns the greatest number of requests that were in flight at once. What API.Settle excuses is not counted.
func (s *Server) MostAtOnce() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}

func sum(numbers map[string]int, names []string) int {
	total := 0
	for name, n := range numbers {
		if len(names) == 0 || slices.Contains(names, name) {
			total += n
		}
	}
	return total
}

// RequestIDs returns the X-Request-Id of every request that has come, in their order; "" for none.
func (s *Server) RequestIDs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requestIDs)
}

// Violations returns what clients have done that they must not do.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

// Violate records that a client has done what it must not do. The text names no secret.
func (s *Server) Violate(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations = append(s.violations, fmt.Sprintf(format, args...))
}

// inspect holds a request to what is asked of the clients of every vendor.
func (s *Server) inspect(r *http.Request, endpoint string, size int) {
	s.mu.Lock()
	s.requestIDs = append(s.requestIDs, strings.Join(r.Header.Values("X-Request-Id"), " and "))
	s.mu.Unlock()
	if agent := r.UserAgent(); agent == "" || strings.HasPrefix(agent, "Go-http-client") {
		s.Violate("%s: the User-Agent is %q, want one that names the client", endpoint, agent)
	}
	if len(r.Header.Values("Cookie")) > 0 {
		s.Violate("%s: a cookie was sent", endpoint)
	}
	if size > 0 && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		s.Violate("%s: a %s with a body", endpoint, r.Method)
	}
}

// isEscaped reports whether a request target has only the characters that RFC 3986 allows there.
// Servers such as Tomcat refuse others, and some proxies guess.
func isEscaped(target string) bool {
	const plain = "-._~!$&'()*+,;=:@/?"
	for i := 0; i < len(target); i++ {
		c := target[i]
		switch {
		case '0' <= c && c <= '9', 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', strings.IndexByte(plain, c) >= 0:
		case c == '%' && i+2 < len(target) && isHex(target[i+1]) && isHex(target[i+2]):
			i += 2
		default:
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'F' || 'a' <= c && c <= 'f'
}

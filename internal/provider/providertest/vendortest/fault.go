package vendortest

import (
	"slices"
	"time"
)

// Kind says how an answer is spoiled.
type Kind string

// The ways to spoil an answer.
const (
	// Answer answers with Status, Headers and Body in place of the vendor.
	Answer Kind = "answer"
	// Edit lets Change alter the body of the vendor's answer.
	Edit Kind = "edit"
	// Slow answers after Delay.
	Slow Kind = "slow"
	// Hold answers once Until is closed.
	Hold Kind = "hold"
	// Hang does not answer until the client leaves.
	Hang Kind = "hang"
	// Reset resets the connection.
	Reset Kind = "reset"
	// Truncate breaks off in the middle of the body.
	Truncate Kind = "truncate"
	// Endless never comes to the end of the body; to read too much of it is a violation.
	Endless Kind = "endless"
	// Redirect sends the client, with Status or 302, to another host, where its arrival is a violation.
	Redirect Kind = "redirect"
)

// Fault is how answers are spoiled.
type Fault struct {
	Kind    Kind              `json:"kind"`
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
	// Delay is in nanoseconds where a Fault is written as JSON.
	Delay time.Duration `json:"delay,omitempty"`
	// After is how many answers are sound before the first that is spoiled.
	After int `json:"after,omitempty"`
	// Times is how many answers are spoiled; 0 is all of them, until Heal.
	Times  int                 `json:"times,omitempty"`
	Until  <-chan struct{}     `json:"-"`
	Change func([]byte) []byte `json:"-"`
}

// active is a Fault that is in effect.
type active struct {
	Fault
	endpoints []string // none: every one
	used      int
}

// Fail spoils the answers of the named endpoints, or of every one when none is named. Of several
// faults of an endpoint the first one has precedence, until it has passed.
func (s *Server) Fail(f Fault, endpoints ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &active{Fault: f, endpoints: endpoints})
}

// Heal ends every fault.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// take returns the fault that spoils the next answer of an endpoint; s.mu is held.
func (s *Server) take(endpoint string) (Fault, bool) {
	for i, f := range s.faults {
		if len(f.endpoints) > 0 && !slices.Contains(f.endpoints, endpoint) {
			continue
		}
		if f.After > 0 {
			f.After--
			continue
		}
		f.used++
		if f.used == f.Times {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return f.Fault, true
	}
	return Fault{}, false
}

package server

import (
	"fmt"
	"sync"
	"time"
)

// notices are lines of the log for the administrator, rate-limited by kind.
type notices struct {
	mu     sync.Mutex
	notify func(line string) // nil: every notice is dropped
	kinds  map[string]*notice
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

package server

import (
	"fmt"
	"sync"
	"time"
)

const (
	// noticeEvery is how often a notice of the same kind is given: strangers can cause them.
	noticeEvery = time.Minute
	// noticeSeldom is for what scanners and health checks do all the time.
	noticeSeldom = time.Hour
)

// notices are lines for the administrator, of each kind not too many.
type notices struct {
	mu     sync.Mutex
	notify func(line string) // nil drops all
	kinds  map[string]*notice
}

// notice is the last one of a kind.
type notice struct {
	given   time.Time
	writing bool
	dropped int // since then
}

// say gives a notice, or counts it where one of its kind was given within the time of every. It never
// waits: a log that nobody reads must not keep connections from being accepted.
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

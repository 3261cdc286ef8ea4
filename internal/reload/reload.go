// Package reload takes files into force again when they have changed.
package reload

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	// quiet is how long a file must have stayed as it is before it is read: else it may be half written.
	quiet = 200 * time.Millisecond
	// recheck is how often the files are looked at even when nothing was reported: not every file
	// system reports changes, and a watch can be lost.
	recheck = time.Second
	// soon is how long a report of a change is sat on, because they come in swarms.
	soon = 50 * time.Millisecond
	// retry is how often a load that failed is tried again with the files as they are: what was wrong
	// may have been the system, or the clock.
	retry = time.Minute
)

// Set is files that are loaded together.
type Set struct {
	name  string
	paths []string
	load  func() (take func(), err error)

	loaded fingerprint // of what was loaded last, in force or refused
	seen   fingerprint // at the last look
	since  time.Time   // since when they are as seen
	forced bool        // load whether they changed or not

	refused string    // why the last load failed; empty when it did not
	tried   time.Time // when that was

	content string // a hash of what was loaded last, where it was taken
}

// NewSet makes a set of files and notes how they are now; an empty path is none. Make it before they
// are loaded for the first time, so that no change is missed in between.
func NewSet(name string, paths ...string) *Set {
	paths = slices.DeleteFunc(paths, func(path string) bool { return path == "" })
	now := take(paths)
	return &Set{name: name, paths: paths, loaded: now, seen: now}
}

// Loader sets what loads the files and checks them. It changes nothing; take puts what was loaded
// into force. With an error, take may still be there, for what is good nevertheless.
func (s *Set) Loader(load func() (take func(), err error)) { s.load = load }

// Loop keeps sets of files up to date.
type Loop struct {
	sets   []*Set
	done   func(name string, err error)
	forced chan chan<- struct{}
}

// NewLoop makes a Loop. done is told of every load that was taken, and with an error of every one that
// was refused, but of a repeated failure only when it fails in another way.
func NewLoop(done func(name string, err error), sets ...*Set) *Loop {
	return &Loop{sets: sets, done: done, forced: make(chan chan<- struct{})}
}

// Reload loads every set, whether its files have changed or not, as soon as they are quiet. It returns
// when that is done or ctx is.
func (l *Loop) Reload(ctx context.Context) {
	finished := make(chan struct{})
	select {
	case l.forced <- finished:
	case <-ctx.Done():
		return
	}
	select {
	case <-finished:
	case <-ctx.Done():
	}
}

// Run looks after the files until ctx is done.
func (l *Loop) Run(ctx context.Context) {
	w := newWatcher()
	defer w.close()
	next := time.NewTimer(0)
	defer next.Stop()
	soonAlready := false
	var waiting []chan<- struct{}
	for {
		select {
		case <-ctx.Done():
			return
		case finished := <-l.forced:
			waiting = append(waiting, finished)
			for _, s := range l.sets {
				s.forced = true
			}
			next.Reset(0)
		case <-w.reported:
			if !soonAlready {
				soonAlready = true
				next.Reset(soon)
			}
		case <-next.C:
			soonAlready = false
			w.follow(l.sets)
			if l.look() {
				next.Reset(soon)
				continue
			}
			next.Reset(recheck)
			for _, finished := range waiting {
				close(finished)
			}
			waiting = nil
		}
	}
}

// look looks at every set, and loads those that are due. It reports whether one is still in motion.
func (l *Loop) look() (inMotion bool) {
	for _, s := range l.sets {
		now := time.Now()
		if f := take(s.paths); !f.equal(s.seen) {
			s.seen, s.since = f, now
		}
		due := s.forced || !s.seen.equal(s.loaded) || s.refused != "" && now.Sub(s.tried) >= retry
		switch {
		case !due:
		case now.Sub(s.since) < quiet:
			inMotion = true
		default:
			inMotion = l.reload(s) || inMotion
		}
	}
	return inMotion
}

// reload loads a set. What was changed while it was read is not taken, but read again.
func (l *Loop) reload(s *Set) (inMotion bool) {
	sum, same := s.compareContent()
	if same && !s.forced {
		s.loaded = s.seen
		return false
	}
	into, err := s.try()
	if f := take(s.paths); !f.equal(s.seen) {
		s.seen, s.since = f, time.Now()
		return true
	}
	if into != nil {
		into()
	}
	news := err == nil || s.forced || !s.seen.equal(s.loaded) || err.Error() != s.refused
	s.loaded, s.forced, s.refused = s.seen, false, ""
	s.content = sum
	if err != nil {
		s.refused, s.tried = err.Error(), time.Now()
	}
	if news {
		l.done(s.name, err)
	}
	return false
}

// try loads the files. A fault in what reads them must not end the daemon: what is in force stays so.
func (s *Set) try() (into func(), err error) {
	defer func() {
		if cause := recover(); cause != nil {
			into, err = nil, fmt.Errorf("panic: value of type %T", cause)
		}
	}()
	return s.load()
}

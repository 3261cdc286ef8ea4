// Package reload reloads files when they have changed.
package reload

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Set is files that are loaded together.
type Set struct {
	name  string
	paths []string
	load  func() (apply func(), err error)

	loaded fingerprint // at the last load, whether it was applied or refused
	seen   fingerprint // at the last look
	since  time.Time   // when they became as seen
	moving time.Time   // when the first change came that was not loaded yet
	forced bool        // load them even without a change

	refused string    // why the last load failed; empty when it succeeded
	tried   time.Time // when it failed

	content string // a hash of the content at the last load, if it was compared
}

// NewSet makes a set of files and notes their state; empty paths are ignored. Make it before the files are loaded for the
// first time, so that no change is missed in between.
func NewSet(name string, paths ...string) *Set { return NewSetOf(name, StateOf(paths...)) }

// NewSetOf makes a set of files whose state was noted before they were loaded for the first time.
func NewSetOf(name string, state State) *Set {
	return &Set{name: name, paths: state.paths, loaded: state.print, seen: state.print}
}

// State is the state of files at one time.
type State struct {
	paths []string
	print fingerprint
}

// StateOf notes the present state of files; empty paths are ignored.
func StateOf(paths ...string) State {
	paths = slices.DeleteFunc(slices.Clone(paths), func(path string) bool { return path == "" })
	return State{paths, fingerprintOf(paths)}
}

// Has reports whether the state is that of the same files.
func (s State) Has(paths ...string) bool {
	return slices.Equal(s.paths, slices.DeleteFunc(slices.Clone(paths), func(path string) bool { return path == "" }))
}

// Watch replaces the files of the set by others. Their state was noted before they were read. Call it in the function
// that applies a load, because what was loaded may name other files.
func (s *Set) Watch(state State) { s.paths, s.seen = state.paths, state.print }

// Name is the name of the set.
func (s *Set) Name() string { return s.name }

// SetLoad sets the function that loads and checks the files. It changes nothing; apply applies what was loaded.
// With an error, apply may still be set: it applies the valid part.
func (s *Set) SetLoad(load func() (apply func(), err error)) { s.load = load }

// Loop keeps sets of files up to date.
type Loop struct {
	sets   []*Set
	next   []*Set // replaces sets after the present look, if it is not nil
	done   func(name string, err error)
	forced chan chan<- struct{}
	moving atomic.Value // string: names the sets that were not quiet at the last look
}

// NewLoop makes a Loop. done is called for every load that was applied, and with an error for every one that was refused.
// A failure that repeats with the same error is not reported again, and its valid part is not applied again.
func NewLoop(done func(name string, err error), sets ...*Set) *Loop {
	return &Loop{sets: sets, done: done, forced: make(chan chan<- struct{})}
}

// Use replaces the sets. Call it in a function that applies a load, which the loop calls between two looks at files.
func (l *Loop) Use(sets ...*Set) { l.next = sets }

// Reload loads every set, even without a change, as soon as its files are quiet. It returns when that is done. When ctx
// is done first, the error names the sets that are not quiet yet; the loop continues to wait for them.
func (l *Loop) Reload(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("not begun: %w", err) // of two channels that are ready, either may be chosen below
	}
	finished := make(chan struct{})
	select {
	case l.forced <- finished:
	case <-ctx.Done():
		return fmt.Errorf("still loading: %w", ctx.Err())
	}
	select {
	case <-finished:
		return nil
	case <-ctx.Done():
		if moving, _ := l.moving.Load().(string); moving != "" {
			return fmt.Errorf("still being written to: %s: %w", moving, ctx.Err())
		}
		return fmt.Errorf("still loading: %w", ctx.Err())
	}
}

// Run reloads the files when they have changed, until ctx is done.
func (l *Loop) Run(ctx context.Context) {
	w := newWatcher()
	defer w.close()
	next := time.NewTimer(0)
	defer next.Stop()
	pending := false
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
			if !pending {
				pending = true
				next.Reset(soon)
			}
		case <-next.C:
			pending = false
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

// look looks at every set, and loads those that are due. It reports whether one is still changing.
func (l *Loop) look() (inMotion bool) {
	var moving []string
	for _, s := range l.sets {
		if l.next != nil && !slices.Contains(l.next, s) {
			continue // dropped by the load of another set: what it loads has no use any more
		}
		s.changed()
		now := time.Now()
		due := s.forced || !s.seen.equal(s.loaded) || s.refused != "" && now.Sub(s.tried) >= retry
		if !due {
			continue
		}
		if now.Sub(s.since) >= quiet && !l.reload(s) {
			continue
		}
		moving = append(moving, s.name)
		if err := s.restless(); now.Sub(s.moving) >= restless && s.refused != err.Error() {
			s.refused, s.tried = err.Error(), now
			l.done(s.name, err)
		}
	}
	if l.next != nil {
		l.sets, l.next = l.next, nil
	}
	l.moving.Store(strings.Join(moving, ", "))
	return len(moving) > 0
}

// restless is the error about files that change all the time and so are not loaded.
func (s *Set) restless() error {
	return fmt.Errorf("%s: changing for %s without a pause of %s that lasts until it is read; it is loaded after such a pause", strings.Join(s.paths, ", "), restless, quiet)
}

// changed looks at the files, and reports whether they have changed since the last look.
func (s *Set) changed() bool {
	f := fingerprintOf(s.paths)
	if f.equal(s.seen) {
		return false
	}
	now := time.Now()
	// Not the end of the last quiet time: they may change during each load, because a load takes time.
	if s.seen.equal(s.loaded) {
		s.moving = now
	}
	s.seen, s.since = f, now
	return true
}

// reload loads a set. Files that change while they are read are not applied, but read again.
func (l *Loop) reload(s *Set) (inMotion bool) {
	sum, same := s.compareContent()
	if same && !s.forced {
		s.loaded = s.seen
		return false
	}
	apply, err := s.try()
	if s.changed() {
		return true
	}
	news := err == nil || s.forced || !s.seen.equal(s.loaded) || err.Error() != s.refused
	if apply != nil && news {
		apply()
	}
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

// try loads the files. A panic of what reads them must not kill the daemon: the previous version is kept.
func (s *Set) try() (apply func(), err error) {
	defer func() {
		if cause := recover(); cause != nil {
			apply, err = nil, fmt.Errorf("panic: value of type %T", cause)
		}
	}()
	return s.load()
}

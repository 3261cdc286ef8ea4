package snapshot

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"step-posture-connector/internal/posture"
)

// Options say whose copy is kept, and how.
type Options struct {
	// Inventory is its name, for logs, metrics and the file.
	Inventory string
	// Kind is the name of its provider, and Account distinguishes its records from those of another server, account or mapping.
	Kind, Account string
	// Provider is asked; it is a posture.Lister.
	Provider interface {
		posture.Provider
		posture.Lister
	}
	Settings Settings
	// ByHand is true in a command that only reports what the daemon answers. Root may run it, while the daemon is another
	// user: then the file may belong to the owner of its folder.
	ByHand bool
	// Clock is what ages are measured with; nil is the system's.
	Clock Clock
	// Report is called with what an operator should know, one line a time, from the goroutines of New, Run and Observe. Nil
	// drops it.
	Report func(Report)
}

// Report is a line for the log.
type Report struct {
	Text string
	// Warning is true for what is wrong: a fetch that failed, an alarm.
	Warning bool
}

// Clock has the two times that the age of a copy is measured with. The age is the larger of what both say: the wall clock
// may be set, and the other one does not outlive a boot. It is safe for concurrent use.
type Clock interface {
	// Wall is the time of day.
	Wall() time.Time
	// Boot is the time since the machine was booted, sleep included (CLOCK_BOOTTIME).
	Boot() time.Duration
}

// Wants are what the policies that are in effect read.
type Wants struct {
	// Types are the kinds of devices that a request can be about; nil means all that the inventory lists, and empty that no
	// request is about any.
	Types []posture.DeviceType
	// Facts are what rules, data, records and the required group read, and Recorded what is only recorded.
	Facts, Recorded posture.FactSet
}

// Keeper keeps the copy of one inventory: it fetches, replaces and ages it, and answers from it. It implements
// posture.Copy and prometheus.Collector.
type Keeper struct {
	Options

	fields *fields
	kinds  []posture.DeviceType // the inventory's lists
	state  atomic.Pointer[state]
	wake   chan struct{} // Run looks again at what is due

	mu      sync.Mutex
	wants   Wants
	wanted  bool // Want was called
	stop    context.CancelFunc
	retired bool     // another keeper goes on
	reports []Report // that are not delivered
}

// New makes a Keeper and loads the file of the copy, if there is one that can be used.
func New(o Options) *Keeper {
	if o.Clock == nil {
		o.Clock = systemClock{time.Now()}
	}
	k := &Keeper{Options: o, fields: newFields(), kinds: o.Provider.Lists(), wake: make(chan struct{}, 1)}
	k.state.Store(newState(k.kinds, o.Clock))
	k.load()
	k.deliver()
	return k
}

// Want says what policies read from now on. If the copy does not have all of it, a fetch is due at once.
func (k *Keeper) Want(w Wants) {
	k.mu.Lock()
	k.wants, k.wanted = w, true
	k.mu.Unlock()
	s := k.state.Load()
	s.mu.Lock()
	for kind, l := range s.lists {
		if !w.includes(kind) {
			l.copy = nil // no request can be about it
		}
	}
	s.mu.Unlock()
	k.look()
}

// includes reports whether a request can be about a list.
func (w Wants) includes(kind posture.DeviceType) bool {
	if w.Types == nil || kind == "" && len(w.Types) > 0 {
		return true
	}
	for _, t := range w.Types {
		if t == kind {
			return true
		}
	}
	return false
}

// facts are those that a fetch asks for.
func (k *Keeper) facts(w Wants) posture.FactSet {
	return (w.Facts|w.Recorded)&k.Provider.ListGives() | k.fields.always
}

// Inherit takes the copy of a Keeper of the same inventory whose account is the same, such as one with another secret. It
// is called before Run. The one before ends its fetch, and goes on answering for the requests that have it.
func (k *Keeper) Inherit(before *Keeper) {
	own, s := k.state.Load(), before.state.Load()
	before.retire()
	// What the one before has written is no news. In a file its age is known by the wall clock only, and that may have been
	// set back since.
	otherFile := k.Settings.Path != before.Settings.Path
	own.mu.Lock()
	s.mu.Lock()
	for kind, l := range own.lists {
		// A list that the one before did not have, or a file of a path that is new.
		if old := s.lists[kind]; old == nil {
			s.lists[kind] = l
		} else if otherFile && old.copy == nil {
			old.copy, old.due = l.copy, l.due
		}
	}
	for kind, l := range s.lists {
		if _, has := own.lists[kind]; !has {
			l.copy = nil // not deleted: the one before may still look at it
		}
		if !l.shrunk {
			l.retry = 0 // another secret may fix what has failed
		}
		if l.copy != nil {
			l.due = min(l.due, l.copy.begun.boot+k.Settings.Every)
		}
	}
	s.mu.Unlock()
	own.mu.Unlock()
	k.state.Store(s)
}

// retire ends Run.
func (k *Keeper) retire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.retired = true
	if k.stop != nil {
		k.stop()
	}
}

// Fetch makes a fetch due at once, as SIGHUP does. It does not wait.
func (k *Keeper) Fetch() {
	s := k.state.Load()
	s.mu.Lock()
	for _, l := range s.lists {
		l.forced = true
	}
	s.mu.Unlock()
	k.look()
}

func (k *Keeper) look() {
	select {
	case k.wake <- struct{}{}:
	default: // it will
	}
}

// Run fetches when a fetch is due, until ctx is done.
func (k *Keeper) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	k.mu.Lock()
	k.stop = cancel
	retired := k.retired
	k.mu.Unlock()
	for !retired && ctx.Err() == nil {
		due, pause := k.next()
		k.deliver()
		if due != nil && pause <= 0 {
			k.fetch(ctx, due)
			k.deliver()
			continue
		}
		k.rewrite()
		k.deliver()
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-k.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

package journal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/journal"
)

var errDown = fmt.Errorf("a test: %w", journal.ErrOutage)

// fakeStore keeps entries in memory. Its faults are those of databases.
type fakeStore struct {
	journal.Store // of the rest nothing is asked

	mu      sync.Mutex
	kept    map[journal.ID]string // references
	order   []string
	batches []int
	tries   int
	fail    func(batch []journal.Entry) error // before anything is kept
	lose    func() error                      // after it was kept: the answer is lost
	expire  func(before time.Time) (int64, error)
}

func (s *fakeStore) Append(ctx context.Context, batch []journal.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if s.fail != nil {
		if err := s.fail(batch); err != nil {
			return err
		}
	}
	if s.kept == nil {
		s.kept = map[journal.ID]string{}
	}
	for _, e := range batch {
		if _, before := s.kept[e.ID]; !before {
			s.kept[e.ID] = e.Reference
			s.order = append(s.order, e.Reference)
		}
	}
	s.batches = append(s.batches, len(batch))
	if s.lose != nil {
		return s.lose()
	}
	return nil
}

func (s *fakeStore) Expire(_ context.Context, before time.Time) (int64, error) {
	if s.expire == nil {
		return 0, nil
	}
	return s.expire(before)
}

func (s *fakeStore) set(fail func([]journal.Entry) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

func down([]journal.Entry) error { return errDown }

// watcher notes what it is told.
type watcher struct {
	mu  sync.Mutex
	all []string
}

func (w *watcher) note(format string, arguments ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, fmt.Sprintf(format, arguments...))
}

func (w *watcher) Taken(err error)           { w.note("taken: %v", err) }
func (w *watcher) Losing(why journal.Loss)   { w.note("losing: %s", why) }
func (w *watcher) Lost(lines journal.Losses) { w.note("lost: %d", lines.Total()) }
func (w *watcher) Expired(err error) {
	if err != nil {
		w.note("expired: %v", err)
	}
}

func (w *watcher) told() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.all, "\n")
}

// running is a Writer that runs, with small lines.
type running struct {
	*journal.Writer
	watcher

	store *fakeStore
	end   func()
}

func run(t *testing.T, store *fakeStore) *running {
	t.Helper()
	r := &running{store: store}
	r.Writer = journal.NewWriter(store, time.Hour, &r.watcher)
	r.Encode(func(e *audit.Event) (journal.Entry, error) {
		switch e.Code {
		case "panics":
			panic("a test")
		case "fails":
			return journal.Entry{}, errors.New("a test")
		}
		return journal.Entry{ID: journal.NewID(e.Time), Reference: e.Reference, Line: []byte(e.Reason)}, nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	r.end = func() { cancel(); <-done }
	t.Cleanup(r.end)
	return r
}

func (r *running) record(from, to int) {
	for i := from; i < to; i++ {
		r.Record(&audit.Event{Time: time.Now(), Authenticated: true, Reference: strconv.Itoa(i), Reason: "line"})
	}
}

func (r *running) want(t *testing.T, written, lost, waiting uint64) {
	t.Helper()
	synctest.Wait()
	if s := r.Stats(); s.Written != written || s.Lost != lost || s.Waiting != waiting || s.Recorded != written+lost+waiting {
		t.Errorf("got %+v, want %d written, %d lost, %d waiting", s, written, lost, waiting)
	}
}

func (r *running) wantTold(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := r.told(); got != strings.Join(want, "\n") {
		t.Errorf("the watcher was told\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// What comes within a short time is written at once, in its order; a whole batch does not wait.
func TestBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := run(t, &fakeStore{})
		r.record(0, 10)
		r.want(t, 0, 0, 10)
		time.Sleep(journal.Gathering / 2)
		r.record(10, 20)
		time.Sleep(journal.Gathering)
		r.want(t, 20, 0, 0)
		r.record(20, 20+2*journal.MaxBatch)
		synctest.Wait()
		r.end()
		r.want(t, 20+2*journal.MaxBatch, 0, 0)
		if want := []int{20, journal.MaxBatch, journal.MaxBatch}; !slices.Equal(r.store.batches, want) {
			t.Errorf("got batches %v, want %v", r.store.batches, want)
		}
		for i, reference := range r.store.order {
			if reference != strconv.Itoa(i) {
				t.Fatalf("line %d is %s", i, reference)
			}
		}
		r.Record(&audit.Event{Reference: "not authenticated"})
		r.Record(&audit.Event{Authenticated: true, Repeats: true})
		if s := r.Stats(); s.Recorded != 20+2*journal.MaxBatch {
			t.Errorf("got %+v: a line was recorded that is none", s)
		}
		r.wantTold(t)
	})
}

// While the database does not answer, the oldest lines are kept; the rest is counted, and logged in two lines.
func TestOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := run(t, &fakeStore{fail: down})
		r.record(0, journal.MaxWaiting)
		time.Sleep(time.Hour)
		r.want(t, 0, 0, journal.MaxWaiting)
		r.wantTold(t, "taken: "+errDown.Error())
		if s := r.Stats(); !errors.Is(s.Fault, errDown) || s.Losing {
			t.Errorf("got %+v, want the fault", s)
		}
		r.record(journal.MaxWaiting, journal.MaxWaiting+1000)
		time.Sleep(time.Hour)
		r.want(t, 0, 1000, journal.MaxWaiting)
		if s := r.Stats(); !s.Losing {
			t.Errorf("got %+v, want it to be losing", s)
		}
		r.store.set(nil)
		time.Sleep(journal.RetryEvery)
		r.want(t, journal.MaxWaiting, 1000, 0)
		time.Sleep(journal.LossOver)
		r.wantTold(t, "taken: "+errDown.Error(), "losing: "+string(journal.NoRoom), "taken: <nil>", "lost: 1000")
		if s := r.Stats(); s.Losing || s.Fault != nil {
			t.Errorf("got %+v, want it to be over", s)
		}
		kept := map[string]bool{}
		for _, reference := range r.store.order { // a burst may change the order, which the IDs keep
			kept[reference] = true
		}
		for i := range journal.MaxWaiting {
			if !kept[strconv.Itoa(i)] {
				t.Fatalf("the database lacks line %d, one of the oldest", i)
			}
		}
	})
}

// The bytes are bounded too.
func TestOutageOfLongLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := run(t, &fakeStore{fail: down})
		const size = 256 << 10
		const room = journal.MaxWaitingBytes / (size + journal.EntryBytes)
		for range 2 * room {
			r.Record(&audit.Event{Time: time.Now(), Authenticated: true, Reason: strings.Repeat("x", size)})
		}
		r.want(t, 0, room, room)
		r.store.set(nil)
		time.Sleep(2 * journal.RetryEvery)
		r.want(t, room, room, 0)
	})
}

// A line that the database refuses is lost alone, and the others stay in their order.
func TestRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refuse := func(batch []journal.Entry) error {
			if slices.ContainsFunc(batch, func(e journal.Entry) bool { return e.Reference == "77" || e.Reference == "200" }) {
				return fmt.Errorf("a test: %w", journal.ErrRefused)
			}
			return nil
		}
		r := run(t, &fakeStore{fail: refuse})
		r.record(0, 600)
		time.Sleep(journal.MaxRefusals * journal.RetryEvery)
		r.want(t, 598, 2, 0)
		if i := slices.Index(r.store.order, "78"); i != 77 || len(r.store.order) != 598 {
			t.Errorf("line 78 is at %d of %d", i, len(r.store.order))
		}
		time.Sleep(2 * journal.LossOver)
		r.wantTold(t, "taken: a test: "+journal.ErrRefused.Error(), "taken: <nil>", "losing: "+string(journal.Refused), "lost: 2")

		// All are refused, also by a panic: none stops the next.
		r.store.set(func([]journal.Entry) error { panic("a test") })
		r.record(600, 700)
		time.Sleep(10 * journal.RetryEvery)
		r.want(t, 598, 102, 0)
		r.store.set(nil)
		r.record(700, 701)
		time.Sleep(time.Second)
		r.want(t, 599, 102, 0)
	})
}

// A fault that is neither an outage nor about the lines, such as a full disk, loses nothing while there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := run(t, &fakeStore{fail: func([]journal.Entry) error { return errors.New("the disk is full") }})
		r.record(0, 10)
		time.Sleep(24 * time.Hour)
		r.want(t, 0, 0, 10)
		r.store.set(nil)
		time.Sleep(journal.RetryEvery)
		r.want(t, 10, 0, 0)
	})
}

// What cannot be encoded is counted, and no answer depends on it.
func TestUnencoded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := run(t, &fakeStore{})
		for range 5 {
			r.Record(&audit.Event{Authenticated: true, Code: "panics"})
			r.Record(&audit.Event{Authenticated: true, Code: "fails"})
		}
		r.record(0, 1)
		time.Sleep(journal.LossOver / 2)
		r.Record(&audit.Event{Authenticated: true, Code: "fails"})
		time.Sleep(2 * journal.LossOver)
		r.want(t, 1, 11, 0)
		r.wantTold(t, "losing: "+string(journal.Unencoded), "lost: 11")
	})
}

// At the end what waits is written, within a limit; the rest is lost, and counted.
func TestEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := run(t, &fakeStore{})
		r.record(0, 3*journal.MaxBatch+5)
		r.end()
		r.want(t, 3*journal.MaxBatch+5, 0, 0)
		r.record(0, 1)
		r.want(t, 3*journal.MaxBatch+5, 1, 0)

		r = run(t, &fakeStore{fail: down})
		r.record(0, 1000)
		began := time.Now()
		r.end()
		if took := time.Since(began); took != journal.LastBatches {
			t.Errorf("the end took %s, want %s", took, journal.LastBatches)
		}
		r.want(t, 0, 1000, 0)
		r.wantTold(t, "taken: "+errDown.Error(), "losing: "+string(journal.NotWritten), "lost: 1000")

		r = run(t, &fakeStore{fail: down})
		r.record(0, 1000)
		time.AfterFunc(journal.LastBatches/2, func() { r.store.set(nil) })
		r.end()
		r.want(t, 1000, 0, 0)
	})
}

// Old lines are deleted at the start and every minute, until nothing is left; a fault is told, and is not the end.
func TestExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		left, calls, fault := 3, 0, error(nil)
		store := &fakeStore{expire: func(before time.Time) (int64, error) {
			mu.Lock()
			defer mu.Unlock()
			calls++
			if age := time.Since(before); age < time.Hour || age > time.Hour+journal.ExpireEvery {
				t.Errorf("deletes what is older than %s", age)
			}
			if fault == nil && left > 0 {
				left--
				return 500, nil
			}
			return 0, fault
		}}
		r := run(t, store)
		time.Sleep(time.Second)
		state := func() (int, int) { mu.Lock(); defer mu.Unlock(); return left, calls }
		if left, calls := state(); left != 0 || calls != 4 {
			t.Errorf("%d are left after %d calls", left, calls)
		}
		mu.Lock()
		left, fault = 1, errDown
		mu.Unlock()
		time.Sleep(journal.ExpireEvery)
		r.wantTold(t, "expired: "+errDown.Error())
		mu.Lock()
		fault = nil
		mu.Unlock()
		time.Sleep(journal.ExpireEvery)
		if left, _ := state(); left != 0 {
			t.Errorf("%d are left", left)
		}
	})
}

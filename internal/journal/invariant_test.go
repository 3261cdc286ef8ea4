package journal_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/journal"
)

// Whatever the database does, what was recorded is written, lost or waiting, at every time; at the end written + lost is all of
// it, and the database has every line once that counts as written.
func TestInvariant(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { testInvariant(t, seed) })
		})
	}
}

func testInvariant(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 19))
	var mu sync.Mutex
	chance := func(of int) bool { mu.Lock(); defer mu.Unlock(); return random.IntN(of) == 0 }
	store := &fakeStore{
		fail: func(batch []journal.Entry) error {
			time.Sleep(time.Duration(1+len(batch)/10) * time.Millisecond)
			switch {
			case batch[len(batch)/2].Reference[0] == '9' && chance(2):
				return fmt.Errorf("a test: %w", journal.ErrRefused)
			case chance(4):
				return errDown
			case chance(6):
				return errors.New("full")
			case chance(10):
				panic("a test")
			}
			return nil
		},
		lose: func() error {
			if chance(5) {
				return errDown
			}
			return nil
		},
	}
	r := run(t, store)
	const writers, lines = 4, 20_000
	var all sync.WaitGroup
	for n := range writers {
		all.Go(func() {
			for i := range lines {
				code := ""
				if chance(500) {
					code = "panics"
				}
				r.Record(&audit.Event{Time: time.Now(), Authenticated: true, Reference: strconv.Itoa(n*lines + i), Reason: "line", Code: code})
				if i%50 == 0 {
					time.Sleep(3 * time.Millisecond)
					if s := r.Stats(); s.Recorded != s.Written+s.Lost+s.Waiting || s.Waiting > journal.MaxWaiting {
						t.Errorf("got %+v", s)
					}
				}
			}
		})
	}
	all.Wait()
	time.Sleep(time.Duration(seed) * time.Second)
	r.end()
	s := r.Stats()
	if s.Recorded != writers*lines || s.Waiting != 0 || s.Written+s.Lost != s.Recorded || s.Written == 0 || s.Lost == 0 {
		t.Errorf("got %+v", s)
	}
	// An answer that was lost last is the only difference.
	if kept := uint64(len(store.kept)); kept < s.Written || kept > s.Written+journal.MaxBatch*uint64(store.tries) || uint64(len(store.order)) != kept {
		t.Errorf("the database has %d lines of %+v", kept, s)
	}
}

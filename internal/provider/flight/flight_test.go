package flight

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/panics"
)

// joined waits until so many callers wait for the work with a key.
func joined[V any](g *Group[string, V], waiters int) {
	for {
		g.mu.Lock()
		c := g.calls["key"]
		all := c != nil && c.waiters == waiters
		g.mu.Unlock()
		if all {
			return
		}
		runtime.Gosched()
	}
}

// Callers that come while work is under way share it; one that comes later begins again.
func TestShared(t *testing.T) {
	t.Parallel()
	var g Group[string, int]
	begun, finish := make(chan struct{}), make(chan struct{})
	runs := 0
	work := func(context.Context) (int, error) {
		runs++
		close(begun)
		<-finish
		return runs, nil
	}
	var all sync.WaitGroup
	results := make(chan int, 10)
	ask := func() {
		got, err := g.Do(t.Context(), "key", work)
		if err != nil {
			t.Errorf("Do() = %v, want no error", err)
		}
		results <- got
	}
	all.Go(ask)
	<-begun
	for range 9 {
		all.Go(ask)
	}
	joined(&g, 10)
	// Another key is other work.
	if got, err := g.Do(t.Context(), "other", func(context.Context) (int, error) { return 7, nil }); got != 7 || err != nil {
		t.Errorf("Do(other) = %d, %v, want 7", got, err)
	}
	close(finish)
	all.Wait()
	for range 10 {
		if got := <-results; got != 1 {
			t.Errorf("got the result of run %d, want that of the first", got)
		}
	}
	if got, _ := g.Do(t.Context(), "key", func(context.Context) (int, error) { return 8, nil }); got != 8 {
		t.Errorf("got %d, want new work", got)
	}
}

// A caller that leaves does not end the work; when all have left it is canceled, and the next begins again.
func TestLeaving(t *testing.T) {
	t.Parallel()
	var g Group[string, int]
	begun, canceled := make(chan struct{}), make(chan struct{})
	work := func(ctx context.Context) (int, error) {
		close(begun)
		<-ctx.Done()
		close(canceled)
		return 0, ctx.Err()
	}
	first, leaveFirst := context.WithCancel(t.Context())
	second, leaveSecond := context.WithCancel(t.Context())
	gone := make(chan error, 2)
	go func() { _, err := g.Do(first, "key", work); gone <- err }()
	<-begun
	go func() { _, err := g.Do(second, "key", work); gone <- err }()
	joined(&g, 2)
	leaveSecond()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller that left got %v, want its own context's error", err)
	}
	select {
	case <-canceled:
		t.Error("the work was canceled though a caller waits for it")
	default:
	}
	leaveFirst()
	<-canceled
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the last one to leave got %v, want its own context's error", err)
	}
	if got, err := g.Do(t.Context(), "key", func(context.Context) (int, error) { return 1, nil }); got != 1 || err != nil {
		t.Errorf("Do() after all had left = %d, %v, want new work", got, err)
	}
}

// The work can find out how long the most patient caller waits, also through other shared work.
func TestDeadline(t *testing.T) {
	t.Parallel()
	var outer, inner Group[string, time.Time]
	early, cancelEarly := context.WithTimeout(t.Context(), time.Hour)
	defer cancelEarly()
	late, cancelLate := context.WithTimeout(t.Context(), 2*time.Hour)
	defer cancelLate()
	begun, look := make(chan struct{}), make(chan struct{})
	work := func(ctx context.Context) (time.Time, error) {
		return inner.Do(ctx, "key", func(ctx context.Context) (time.Time, error) {
			close(begun)
			<-look
			at, ok := Deadline(ctx)
			if !ok {
				return time.Time{}, errors.New("no deadline")
			}
			return at, nil
		})
	}
	results := make(chan time.Time, 2)
	ask := func(ctx context.Context) {
		at, err := outer.Do(ctx, "key", work)
		if err != nil {
			t.Errorf("Do() = %v", err)
		}
		results <- at
	}
	go ask(early)
	<-begun
	go ask(late)
	joined(&outer, 2)
	want, _ := late.Deadline()
	first, _ := early.Deadline()
	close(look)
	for range 2 {
		if at := <-results; !at.Equal(want) {
			t.Errorf("the deadline is %v, want %v, the later one", at, want)
		}
	}
	if at, ok := Deadline(early); !ok || !at.Equal(first) {
		t.Errorf("Deadline() outside of shared work = %v, %v, want the context's own", at, ok)
	}
}

// A panic reaches every caller and not the process, with the stack of the function that panicked; also
// through work that waits for other work.
func TestPanic(t *testing.T) {
	t.Parallel()
	var outer, inner Group[string, int]
	defer func() {
		p, ok := recover().(*panics.Panic)
		if !ok {
			t.Fatal("what was recovered is no *panics.Panic")
		}
		value, stack := p.Panicked()
		if value != "oops" || !strings.Contains(string(stack), "flight.thatPanics(") {
			t.Errorf("recovered %v with the stack\n%s\nwant oops, and the stack of thatPanics", value, stack)
		}
		if strings.Contains(p.Error(), "oops") {
			t.Errorf("%q shows the value", p.Error())
		}
	}()
	_, err := outer.Do(t.Context(), "key", func(ctx context.Context) (int, error) { return inner.Do(ctx, "key", thatPanics) })
	t.Errorf("the panic was swallowed: %v", err)
}

func thatPanics(context.Context) (int, error) { panic("oops") }

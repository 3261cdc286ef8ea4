package vendorhttp_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// TestPagesGiveWay: a list has one place, and its next page comes when no lookup waits for a place.
func TestPagesGiveWay(t *testing.T) {
	t.Parallel()
	s, c := newCatalog(t, nil)
	finds(t, c, numbered(0))
	await := func(what string, reached func() bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), ample)
		defer cancel()
		if err := s.Await(ctx, reached); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	// Three lists at once have one page under way.
	pages, devices := make(chan struct{}), make(chan struct{})
	s.Fail(vendortest.Fault{Kind: vendortest.Hold, Until: pages, Times: 1}, "catalog")
	s.Fail(vendortest.Fault{Kind: vendortest.Hold, Until: devices}, "devices")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	defer all.Wait()
	errs := make(chan error, 3)
	for range 3 {
		other := &catalog{acme: c.acme, size: 16}
		all.Go(func() { errs <- other.fetch(ctx) })
	}
	await("the first page", func() bool { return s.InFlight("catalog") == 1 })
	before := s.Count("devices")
	for i := range 10 {
		all.Go(func() {
			if _, err := lookup(t, c, numbered(i), ample); err != nil {
				t.Errorf("Lookup(%q) = %v", numbered(i), err)
			}
		})
	}
	await("four lookups beside the page", func() bool { return s.InFlight("devices") == 4 })
	c.AwaitLookups(6)
	close(pages) // the place of the page goes to a lookup, not to the next page
	await("five lookups", func() bool { return s.InFlight("devices") == 5 && s.InFlight("catalog") == 0 })
	if got := s.Count("catalog"); got != 1 {
		t.Errorf("%d pages were asked for while lookups waited, want the first", got)
	}
	close(devices)
	for range 3 {
		if err := <-errs; err != nil {
			t.Errorf("the list = %v", err)
		}
	}
	if got := s.Count("devices") - before; got != 10 {
		t.Errorf("%d lookups were asked, want 10", got)
	}
}

// TestPagesEnd: a list ends with its context, also while it waits for a place, and lookups still find all places.
func TestPagesEnd(t *testing.T) {
	t.Parallel()
	s, c := newCatalog(t, nil)
	finds(t, c, numbered(0))
	gate := make(chan struct{})
	s.Fail(vendortest.Fault{Kind: vendortest.Hold, Until: gate}, "devices")
	var all sync.WaitGroup
	defer all.Wait()
	for i := range 5 {
		all.Go(func() { _, _ = lookup(t, c, numbered(i), ample) })
	}
	arrival, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	if err := s.Await(arrival, func() bool { return s.InFlight("devices") == 5 }); err != nil {
		t.Fatal(err)
	}
	gone := errors.New("gone")
	ctx, end := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.fetch(ctx) }()
	c.AwaitPage()
	end(gone)
	if err := <-ended; !errors.Is(err, gone) {
		t.Errorf("the list = %v, want why it was given up", err)
	}
	if got := s.Count("catalog"); got != 0 {
		t.Errorf("%d pages were asked for, want none", got)
	}
	close(gate)
	all.Wait()
	s.Heal()
	lookups(t, c, catalogDevices)
	wantAll(t, s, c, 16, 16, 16)
	if got := c.FreePlaces(); got != 5 {
		t.Errorf("%d places are free, want 5", got)
	}
}

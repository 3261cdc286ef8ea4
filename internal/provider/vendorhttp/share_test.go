package vendorhttp_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// TestShareOfDoors: while devices connect and the server answers slowly, a webhook's lookup is asked for at once, also for a device
// about which a door asks; and when the server answers, all get their answers.
func TestShareOfDoors(t *testing.T) {
	t.Parallel()
	s, c := newCatalog(t, nil)
	finds(t, c, numbered(0)) // there is a token
	const doors, share, all = 50, 3, 5
	until := make(chan struct{})
	s.Fail(vendortest.Fault{Kind: vendortest.Hold, Until: until}, "devices")
	before := s.Count("devices")
	var asking sync.WaitGroup
	ask := func(ctx context.Context, serial string) {
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, ample)
			defer cancel()
			// The server has fewer devices; that one does not exist is an answer too.
			if _, err := c.Lookup(ctx, query(t, serial)); err != nil && !errors.Is(err, posture.ErrNotFound) {
				t.Errorf("Lookup(%q) = %v, want an answer", serial, err)
			}
		})
	}
	await := func(n int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), ample)
		defer cancel()
		if err := s.Await(ctx, func() bool { return s.InFlight("devices") == n }); err != nil {
			t.Fatalf("%d requests are under way, want %d: %v", s.InFlight("devices"), n, err)
		}
	}
	for i := range doors {
		ask(posture.AtDoor(t.Context()), numbered(i+1))
	}
	c.AwaitLookups(doors - share)
	await(share)
	ask(t.Context(), numbered(doors+1))
	await(share + 1)
	ask(t.Context(), numbered(1)) // a door asks about it too
	await(all)
	// Beyond that webhooks wait, as they do without doors; a page of a list and the doors come after them.
	ask(t.Context(), numbered(doors+2))
	c.AwaitLookups(doors - share + 1)
	close(until)
	asking.Wait()
	if got := s.Count("devices") - before; got != doors+3 {
		t.Errorf("%d lookups were asked, want %d", got, doors+3)
	}
	if free := c.FreePlaces(); free != all {
		t.Errorf("%d places are free at the end, want %d", free, all)
	}
}

// TestShareOfDoorsIsGivenBack: a question that ends while it waits, or before its answer, leaves its share to the next one.
func TestShareOfDoorsIsGivenBack(t *testing.T) {
	t.Parallel()
	s, c := newCatalog(t, nil)
	finds(t, c, numbered(0))
	until := make(chan struct{})
	s.Fail(vendortest.Fault{Kind: vendortest.Hold, Until: until}, "devices")
	left, leave := context.WithCancel(posture.AtDoor(t.Context()))
	var asking sync.WaitGroup
	for i := range 10 {
		asking.Go(func() {
			if _, err := c.Lookup(left, query(t, numbered(i+1))); err == nil {
				t.Errorf("Lookup(%q) = nil, want the error of one that left", numbered(i+1))
			}
		})
	}
	c.AwaitLookups(7)
	leave()
	asking.Wait()
	close(until)
	for i := range 10 {
		if device, err := c.Lookup(posture.AtDoor(t.Context()), query(t, numbered(i+1))); err != nil || device.Identifier != numbered(i+1) {
			t.Errorf("Lookup(%q) = %+v, %v, want the device", numbered(i+1), device, err)
		}
	}
}

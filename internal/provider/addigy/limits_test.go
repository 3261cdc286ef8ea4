package addigy_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/addigy/addigytest"
	"step-posture-connector/internal/provider/providertest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// TestLimits: 200 lookups at once and a list stay far below 1,000 requests within 10 seconds.
func TestLimits(t *testing.T) {
	t.Parallel()
	var server *vendortest.Server
	providertest.RunLimits(t, providertest.Limits{
		Open: func(t *testing.T, devices ...providertest.Device) providertest.Service {
			t.Helper()
			service := open(t, addigytest.Options{Requests: 130}, 10*time.Second, devices)
			server = service.Server
			return service
		},
		AtOnce: 5, Period: addigytest.Period,
	})
	if most := server.MostWithin(addigytest.Period); most > addigytest.Requests/5 {
		t.Errorf("%d requests within %v, want far less than %d", most, addigytest.Period, addigytest.Requests)
	}
}

// TestLockedOut: after the first 429, no lookup, list or check sends anything, not those either that wait for their turn.
func TestLockedOut(t *testing.T) {
	t.Parallel()
	server := started(t, addigytest.Options{Devices: []addigytest.Device{mac(macSerial), phone(phoneSerial)}})
	provider := opened(t, configOf(server))
	finds(t, provider, macSerial)
	server.LockOut()
	until := make(chan struct{})
	server.Fail(vendortest.Fault{Kind: vendortest.Hold, Until: until, Times: 1}, addigytest.Devices)
	before := server.Count()
	first := make(chan error, 1)
	go func() {
		_, err := provider.Lookup(t.Context(), query(t, macSerial, posture.AnyDevice))
		first <- err
	}()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	if err := server.Await(ctx, func() bool { return server.Count() > before }); err != nil {
		t.Fatal(err)
	}
	close(until)
	err := <-first
	if err == nil || !strings.Contains(err.Error(), "429") || !strings.Contains(err.Error(), "24 hours") {
		t.Errorf("the first lookup = %v, want an error that says that the tenant may be locked out for a day", err)
	}
	limited, cancelLimited := context.WithTimeout(t.Context(), 8500*time.Millisecond)
	defer cancelLimited()
	var together sync.WaitGroup
	for _, serial := range []string{macSerial, phoneSerial, absentSerial, "C02XK1ABJHD3", "C02XK1ABJHD4"} {
		together.Go(func() {
			_, err := provider.Lookup(limited, query(t, serial, posture.AnyDevice))
			if err == nil || !strings.Contains(err.Error(), "too many requests") {
				t.Errorf("Lookup(%q) = %v, want an error that says why Addigy is not asked", serial, err)
			}
		})
	}
	together.Go(func() {
		if _, err := provider.List(limited, posture.List{}, func(posture.Listing) error { return nil }); err == nil {
			t.Error("a list during the lock-out is no error")
		}
	})
	together.Go(func() {
		if _, _, err := provider.Check(limited); err == nil {
			t.Error("a check during the lock-out is no error")
		}
	})
	together.Wait()
	if got := server.Late(); got != 1 {
		t.Errorf("%d requests since the lock-out began, want the first only", got)
	}
	server.Unlock() // the connector does not know, and does not try
	if _, err := provider.Lookup(limited, query(t, macSerial, posture.AnyDevice)); err == nil || server.Late() != 1 {
		t.Errorf("a lookup within 10 minutes after a 429 = %v, %d requests", err, server.Late())
	}
}

// TestLockedOutList: a 429 to a page of a list counts for lookups too.
func TestLockedOutList(t *testing.T) {
	t.Parallel()
	server := started(t, addigytest.Options{Devices: []addigytest.Device{mac(macSerial)}})
	provider := opened(t, configOf(server))
	server.LockOut()
	limited, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := provider.List(limited, posture.List{}, func(posture.Listing) error { return nil }); err == nil {
		t.Error("a list during the lock-out is no error")
	}
	if _, err := provider.Lookup(limited, query(t, macSerial, posture.AnyDevice)); err == nil || server.Late() != 1 {
		t.Errorf("a lookup after it = %v, %d requests, want none after the first", err, server.Late())
	}
}

// TestConcurrentLockout: requests that wait for a place or for the rate limit while the 429 comes are not sent.
func TestConcurrentLockout(t *testing.T) {
	t.Parallel()
	server := started(t, addigytest.Options{})
	provider := opened(t, configOf(server))
	server.LockOut()
	limited, cancel := context.WithTimeout(t.Context(), 8500*time.Millisecond)
	defer cancel()
	var together sync.WaitGroup
	for i := range 200 {
		serial := "C02LMT" + string(rune('A'+i/26)) + string(rune('A'+i%26)) + "0000"
		together.Go(func() {
			if _, err := provider.Lookup(limited, query(t, serial, posture.AnyDevice)); err == nil {
				t.Error("a lookup during the lock-out is no error")
			}
		})
	}
	together.Wait()
	if got := server.Late(); got > 5 {
		t.Errorf("%d requests since the lock-out began, want at most the 5 that ran at once", got)
	}
}

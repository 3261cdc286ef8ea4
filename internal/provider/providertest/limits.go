package providertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// Limits are those of a vendor, which its simulated server holds requests to: what exceeds them is a violation.
type Limits struct {
	// Open starts the vendor's server with the devices and opens a new provider on it. Both end with t.
	Open func(t *testing.T, devices ...Device) Service
	// AtOnce is how many requests the provider sends at once at most.
	AtOnce int
	// Period is that of the vendor's own limit, such as 2,000 requests in 20 s.
	Period time.Duration
}

const concurrentLimits = 200 // lookups

// RunLimits tests that a vendor's limits hold while many devices ask at once and a list is fetched. It logs what was measured at
// the server. Lookups for which there is no turn in time may fail, and never as an answer about the device.
func RunLimits(t *testing.T, l Limits) {
	t.Helper()
	var devices []Device
	for i := range concurrentLimits {
		devices = append(devices, mac(fmt.Sprintf("C02LMT%06d", i)))
	}
	service := l.Open(t, devices...)
	service.watch(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*ample)
	defer cancel()
	var found, failed atomic.Int64
	var together sync.WaitGroup
	before := service.Server.Count()
	for _, d := range devices {
		together.Go(func() {
			const whole = 8500 * time.Millisecond // what a lookup for step-ca has
			device, err := service.lookup(t, query(t, d.Identifier, posture.Computer), whole)
			switch {
			case err == nil && device.Identifier == d.Identifier:
				found.Add(1)
			case err == nil, errors.Is(err, posture.ErrNotFound), errors.Is(err, posture.ErrAmbiguous), errors.Is(err, posture.ErrIdentifier):
				t.Errorf("Lookup(%q) = the record of %q, %v", d.Identifier, device.Identifier, err)
			default:
				failed.Add(1)
			}
		})
	}
	for _, of := range service.kinds() {
		together.Go(func() {
			listed := 0
			_, err := service.list(ctx, t, posture.List{Type: of, Facts: posture.AllFacts()}, func(posture.Listing) error {
				listed++
				return nil
			})
			if err != nil || listed != len(devices) && of != posture.MobileDevice {
				t.Errorf("List(%q) beside the lookups has %d devices, %v, want %d", of, listed, err, len(devices))
			}
		})
	}
	together.Wait()
	if most := service.Server.MostAtOnce(); most > l.AtOnce {
		t.Errorf("%d requests at once, want %d at most", most, l.AtOnce)
	}
	// On a busy machine none of them may have had its turn in time; one alone has.
	service.finds(t, devices[0].Identifier, posture.Computer)
	t.Logf("%d lookups at once and a list: %d answered, %d without a turn in time; %d requests, %d at once, %d within 1 s, %d within %v",
		concurrentLimits, found.Load(), failed.Load(), service.Server.Count()-before, service.Server.MostAtOnce(),
		service.Server.MostWithin(time.Second), service.Server.MostWithin(l.Period), l.Period)
}

// kinds are those of the provider's lists; none where it has no lists.
func (s Service) kinds() []posture.DeviceType {
	if lister := s.lister(); lister != nil {
		return lister.Lists()
	}
	return nil
}

// CountList lists all devices of an inventory and returns how many requests that took.
func CountList(t *testing.T, server *vendortest.Server, lister posture.Lister, facts posture.FactSet) (devices, requests int) {
	t.Helper()
	before := server.Count()
	for _, of := range lister.Lists() {
		_, err := lister.List(t.Context(), posture.List{Type: of, Facts: facts}, func(posture.Listing) error {
			devices++
			return nil
		})
		if err != nil {
			t.Fatalf("List(%q) = %v", of, err)
		}
	}
	return devices, server.Count() - before
}

package providertest

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// listFaults: a fault in the middle of a list is an error, and never a short list. A fault that passes costs nothing.
func listFaults(t *testing.T, h HTTPHarness) {
	if h.Sibling || h.open(t).lister() == nil {
		return
	}
	devices := []Device{mac(numbered(0))}
	for range h.ListPage {
		devices = append(devices, mac(numbered(len(devices))))
	}
	for _, row := range h.of(slices.Concat(statuses(), bodies(), transports())) {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			service := h.open(t, devices...)
			row.fault.After = min(h.ListPage, 1)
			service.Server.Fail(row.fault, service.listEndpoints()...)
			if passed, err := service.listComputers(t, row); err == nil || passed > h.ListPage {
				t.Errorf("List passed %d of %d devices, and returned %v, want an error after the first page", passed, len(devices), err)
			}
			service.abandoned(t)
			service.Server.Heal()
			if row.pausing || h.LocksOut && row.fault.Status == http.StatusTooManyRequests {
				return
			}
			if passed, err := service.listComputers(t, unsound{}); err != nil || passed != len(devices) {
				t.Errorf("when the server was sound again, List passed %d of %d devices, and returned %v", passed, len(devices), err)
			}
		})
	}
	for _, fault := range []vendortest.Fault{
		{Kind: vendortest.Reset},
		{Kind: vendortest.Truncate},
		{Kind: vendortest.Answer, Status: http.StatusServiceUnavailable, Body: vendorPage},
		{Kind: vendortest.Answer, Status: http.StatusTooManyRequests, Body: vendorJSON, Headers: map[string]string{"Retry-After": "1"}},
	} {
		t.Run("passing "+string(fault.Kind)+" "+http.StatusText(fault.Status), func(t *testing.T) {
			t.Parallel()
			service := h.open(t, devices...)
			fault.After, fault.Times = min(h.ListPage, 1), 1
			service.Server.Fail(fault, service.listEndpoints()...)
			if h.LocksOut && fault.Status == http.StatusTooManyRequests {
				if passed, err := service.listComputers(t, unsound{}); err == nil {
					t.Errorf("List passed %d of %d devices while the vendor locks out, want an error", passed, len(devices))
				}
				return
			}
			if passed, err := service.listComputers(t, unsound{}); err != nil || passed != len(devices) {
				t.Errorf("List passed %d of %d devices, and returned %v, want all of them", passed, len(devices), err)
			}
		})
	}
}

// listEndpoints are those of List, or of Lookup.
func (s Service) listEndpoints() []string {
	if len(s.List) > 0 {
		return s.List
	}
	return s.Lookup
}

// listComputers lists computers, as long as a row is waited for, and returns how many devices it was passed.
func (s Service) listComputers(t *testing.T, row unsound) (passed int, err error) {
	t.Helper()
	of := posture.Computer
	if !slices.Contains(s.lister().Lists(), of) {
		of = s.lister().Lists()[0]
	}
	limit := ample
	if row.patience() == brief {
		limit = grace // it is the deadline that ends the list
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	_, err = s.list(ctx, t, posture.List{Type: of, Facts: posture.AllFacts()}, func(posture.Listing) error {
		passed++
		return nil
	})
	return passed, err
}

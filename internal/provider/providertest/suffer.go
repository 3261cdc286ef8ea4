package providertest

import (
	"context"
	"testing"

	"step-posture-connector/internal/posture"
)

// suffers looks a device up while the endpoints are unsound, and once more when they are sound again.
func (s Service) suffers(t *testing.T, row unsound, endpoints []string) {
	t.Helper()
	before := s.Server.Count(endpoints...)
	s.Server.Fail(row.fault, endpoints...)
	device, err := s.lookup(t, query(t, serial, posture.Computer), row.patience())
	checkFault(t, device, err)
	// Once, and once more because it may have passed; a refused token counts as one such fault.
	if asked := s.Server.Count(endpoints...) - before; asked > 2 && !row.searches {
		t.Errorf("the endpoint was asked %d times in one lookup, want 2 at most", asked)
	}
	s.abandoned(t)
	s.Server.Heal()
	if !row.pausing {
		s.finds(t, serial, posture.Computer)
	}
}

// isLockedOut looks devices up while the vendor answers 429, and when it answers again: it is asked once.
func (s Service) isLockedOut(t *testing.T, row unsound) {
	t.Helper()
	before := s.Server.Count()
	s.Server.Fail(row.fault, s.Lookup...)
	for _, identifier := range []string{serial, secondSerial, serial} {
		device, err := s.lookup(t, query(t, identifier, posture.Computer), brief)
		checkFault(t, device, err)
		s.Server.Heal()
	}
	if asked := s.Server.Count() - before; asked != 1 {
		t.Errorf("the vendor, which locks out, was asked %d times, want once", asked)
	}
}

// abandoned insists that requests end when no lookup waits for them any more.
func (s Service) abandoned(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), grace)
	defer cancel()
	if err := s.Server.Await(ctx, func() bool { return s.Server.Hanging()+s.Server.InFlight() == 0 }); err != nil {
		t.Errorf("%d requests go on, though no lookup waits for them", s.Server.Hanging()+s.Server.InFlight())
	}
}

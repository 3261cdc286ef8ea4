package providertest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
)

const (
	// whole is the time that a lookup for step-ca has.
	whole = 8500 * time.Millisecond
	// crowd is more lookups at once than a provider makes requests at once.
	crowd = 7
)

// outages: a server that went dumb without closing a connection is asked on new ones. The first lookup after
// the outage is answered, and in the outage nothing is used up that the next lookups need.
func outages(t *testing.T, h HTTPHarness) {
	rows := map[string]func(*testing.T, Service){
		"accepts and is silent, then recovers":     silentThenRecovers,
		"recovers while a lookup waits":            recoversWhileWaiting,
		"goes dumb after the first lookup":         dumbAfterFirst,
		"goes dumb, and many lookups come at once": dumbForMany,
	}
	for name, test := range rows {
		for _, protocol := range []string{"HTTP/1.1", "HTTP/2"} {
			t.Run(name+", "+protocol, func(t *testing.T) {
				t.Parallel()
				var devices []Device
				for i := range crowd {
					devices = append(devices, mac(numbered(i)))
				}
				service := h.open(t, devices...)
				if protocol == "HTTP/1.1" {
					service.Server.OnlyHTTP1()
				}
				test(t, service)
			})
		}
	}
}

func numbered(i int) string { return fmt.Sprintf("C02XK1AB%04d", i) }

// many looks up different devices at once and returns their errors.
func (s Service) many(t *testing.T, timeout time.Duration) []error {
	t.Helper()
	errs := make([]error, crowd)
	var together sync.WaitGroup
	for i := range errs {
		q := query(t, numbered(i), posture.Computer)
		together.Go(func() { _, errs[i] = s.lookup(t, q, timeout) })
	}
	together.Wait()
	return errs
}

// recovered insists on an answer to the first lookup after an outage, and to one that comes next.
func (s Service) recovered(t *testing.T, since time.Time) {
	t.Helper()
	for _, which := range []string{"first", "second"} {
		device, err := s.lookup(t, query(t, numbered(0), posture.Computer), whole)
		if err != nil || device.Identifier != numbered(0) {
			t.Errorf("the %s lookup after the outage = the record of %q, %v, want the device", which, device.Identifier, err)
		}
		t.Logf("the %s lookup was answered %v after the server could be asked again", which, time.Since(since).Round(time.Millisecond))
	}
}

func silentThenRecovers(t *testing.T, s Service) {
	s.Server.Silence()
	for _, err := range s.many(t, brief) {
		checkFault(t, posture.Device{}, err)
	}
	s.Server.Speak()
	s.recovered(t, time.Now())
}

func recoversWhileWaiting(t *testing.T, s Service) {
	s.Server.Silence()
	first := make(chan error, 1)
	q := query(t, numbered(0), posture.Computer)
	go func() {
		_, err := s.lookup(t, q, whole)
		first <- err
	}()
	arrived, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	if err := s.Server.Await(arrived, func() bool { return s.Server.Connections() > 0 }); err != nil {
		t.Fatalf("no connection was made: %v", err)
	}
	s.Server.Speak()
	begin := time.Now()
	if err := <-first; err != nil {
		t.Errorf("the lookup that began in the outage = %v, want the device", err)
	}
	s.recovered(t, begin)
}

func dumbAfterFirst(t *testing.T, s Service) {
	s.finds(t, numbered(0), posture.Computer)
	s.Server.Freeze()
	s.recovered(t, time.Now())
}

func dumbForMany(t *testing.T, s Service) {
	for _, err := range s.many(t, ample) { // as many connections as there may be
		if err != nil {
			t.Fatalf("Lookup = %v, want the device", err)
		}
	}
	s.Server.Freeze()
	begin := time.Now()
	for i, err := range s.many(t, whole) {
		if err != nil {
			t.Errorf("lookup %d on dead connections = %v, want the device", i, err)
		}
	}
	s.recovered(t, begin)
}

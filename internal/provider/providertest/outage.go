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

// outages: a server that answers no more, and closes no connection either, is asked on new connections. The first lookup
// after the outage is answered, and nothing is used up in the outage that the next lookups need.
//
// All rows run at the same time: they do little but wait.
func outages(t *testing.T, h HTTPHarness) {
	if h.Sibling {
		return
	}
	rows := map[string]struct {
		test   func(*outage)
		limit  time.Duration
		shared bool // what a provider over vendorhttp does about it is all in vendorhttp
	}{
		"accepts and hangs, then recovers":                {(*outage).hangsThenRecovers, longLimit, false},
		"recovers while a lookup waits":                   {(*outage).recoversWhileWaiting, longLimit, false},
		"freezes after the first lookup":                  {(*outage).freezesAfterFirst, longLimit, true},
		"freezes, with a short limit":                     {(*outage).freezesAfterFirst, 2 * time.Second, true},
		"freezes, and many lookups come at the same time": {(*outage).freezesForMany, longLimit, true},
	}
	var devices []Device
	for i := range crowd {
		devices = append(devices, mac(numbered(i)))
	}
	var together sync.WaitGroup
	defer together.Wait()
	for name, row := range rows {
		if h.OverVendorhttp && row.shared {
			continue
		}
		for _, protocol := range []string{"HTTP/1.1", "HTTP/2"} {
			o := &outage{h.openWithLimit(t, row.limit, devices...), t, name + ", " + protocol}
			if protocol == "HTTP/1.1" {
				o.Server.OnlyHTTP1()
			}
			together.Go(func() { row.test(o) })
		}
	}
}

// outage is one row of outages, with a server of its own.
type outage struct {
	Service
	t   *testing.T
	row string
}

func numbered(i int) string { return fmt.Sprintf("C02XK1AB%04d", i) }

// many looks up different devices at once and returns their errors.
func (o *outage) many(timeout time.Duration) []error {
	errs := make([]error, crowd)
	var together sync.WaitGroup
	for i := range errs {
		q := query(o.t, numbered(i), posture.Computer)
		together.Go(func() { _, errs[i] = o.lookup(o.t, q, timeout) })
	}
	together.Wait()
	return errs
}

// recovered insists on an answer to the first lookup after an outage, and to one that comes next.
func (o *outage) recovered(since time.Time) {
	for _, which := range []string{"first", "second"} {
		device, err := o.lookup(o.t, query(o.t, numbered(0), posture.Computer), whole)
		if err != nil || device.Identifier != numbered(0) {
			o.t.Errorf("%s: the %s lookup after the outage = the record of %q, %v, want the device", o.row, which, device.Identifier, err)
		}
		o.t.Logf("%s: the %s lookup was over %v after the server could be asked again", o.row, which, time.Since(since).Round(time.Millisecond))
	}
}

func (o *outage) hangsThenRecovers() {
	o.Server.Stall()
	for _, err := range o.many(brief) {
		checkFault(o.t, posture.Device{}, err)
	}
	o.Server.Resume()
	o.recovered(time.Now())
}

func (o *outage) recoversWhileWaiting() {
	o.Server.Stall()
	first := make(chan error, 1)
	q := query(o.t, numbered(0), posture.Computer)
	go func() {
		_, err := o.lookup(o.t, q, whole)
		first <- err
	}()
	arrived, cancel := context.WithTimeout(o.t.Context(), ample)
	defer cancel()
	if err := o.Server.Await(arrived, func() bool { return o.Server.Connections() > 0 }); err != nil {
		o.t.Errorf("%s: no connection was made: %v", o.row, err)
	}
	o.Server.Resume()
	begin := time.Now()
	if err := <-first; err != nil {
		o.t.Errorf("%s: the lookup that began in the outage = %v, want the device", o.row, err)
	}
	o.recovered(begin)
}

func (o *outage) freezesAfterFirst() {
	o.finds(o.t, numbered(0), posture.Computer)
	o.Server.Freeze()
	o.recovered(time.Now())
}

func (o *outage) freezesForMany() {
	for _, err := range o.many(ample) { // as many connections as there may be
		if err != nil {
			o.t.Errorf("%s: Lookup = %v, want the device", o.row, err)
		}
	}
	o.Server.Freeze()
	begin := time.Now()
	for i, err := range o.many(whole) {
		if err != nil {
			o.t.Errorf("%s: lookup %d on dead connections = %v, want the device", o.row, i, err)
		}
	}
	o.recovered(begin)
}

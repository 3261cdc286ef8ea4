package main

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// fleetLoad is a large fleet, whose list is fetched while webhooks come at a constant rate.
type fleetLoad struct {
	devices int
	rate    float64
	windows int // with fetches; as many are without
	window  time.Duration
}

// The goals of the copy of a large fleet.
const (
	fleetBytes  = 250.0 // of a device in the copy
	fleetCopies = 3.0   // at the peak, and one page
	fleetPage   = 16 * mebibyte
	fleetGoal   = 2.0 // p99 during a fetch to p99 without
)

// fleetAsking is how many devices of the fleet ask.
const fleetAsking = 5000

// fleetRules reads everything that a list gives, so that a fetch asks for it, and every device meets it by its department.
const fleetRules = `
    rules:
      - name: everything
        require: >-
          "x" in device.groups || device.attributes["x"] == "x" || device.encrypted || device.supervised || device.compliant
          || device.last_seen > now || device.enrolled_at > now || device.os_version.atLeast("99") || device.udid == "x"
          || device.name == "x" || device.model == "x" || device.os == "Windows" || device.ownership == "personal"
          || user.username == "x" || user.realname == "x" || user.email_address == "x" || user.position == "x"
          || user.department.startsWith("Department")
`

// fleet measures a fetch of a large fleet with all facts: requests, time, memory, and what it costs the webhooks meanwhile.
func (b *bench) fleet(ctx context.Context) error {
	load := b.scale.fleet
	empty, err := b.fleetMemory(ctx)
	if err != nil {
		return err
	}
	b.say("fleet: starting a Jamf Pro server with %s", devices(load.devices))
	f, err := b.macs(ctx, load.devices)
	if err != nil {
		return err
	}
	t, err := b.mdm(ctx, f, "connector of a large fleet", "{every: 24h, max_age: 2d}", fleetRules)
	if err != nil {
		return err
	}
	b.say("fleet: first fetch")
	if err := t.fetched(ctx, 1); err != nil {
		return err
	}
	seen, err := f.report(ctx)
	if err != nil {
		return err
	}
	took, err := t.metric(ctx, durationMetric, "")
	if err != nil {
		return err
	}
	quiet, busy, err := b.fleetWindows(ctx, f, t)
	if err != nil {
		return err
	}
	peak, err := t.memory()
	if err != nil {
		return err
	}
	after, err := b.settled(ctx, t.target, empty.now)
	if err != nil {
		return err
	}
	b.fleetRows(seen, took, fleetMemories{empty, after, peak.peak}, quiet, busy)
	return b.end(t.process, f.process)
}

// fleetMemory is that of a daemon with the copy of a few devices.
func (b *bench) fleetMemory(ctx context.Context) (memory, error) {
	f, err := b.macs(ctx, 1)
	if err != nil {
		return memory{}, err
	}
	t, err := b.mdm(ctx, f, "connector of one device", "{every: 24h, max_age: 2d}", fleetRules)
	if err != nil {
		return memory{}, err
	}
	if err := t.fetched(ctx, 1); err != nil {
		return memory{}, err
	}
	r, err := b.rush(ctx, t.target, devicesUpTo(1), nobody)
	if err != nil {
		return memory{}, err
	}
	defer r.close()
	if _, err := r.slice(ctx, b.scale.fleet.rate, b.scale.fleet.window); err != nil {
		return memory{}, err
	}
	m, err := t.memory()
	if err != nil {
		return memory{}, err
	}
	return m, b.end(t.process, f.process)
}

// interval is while a list is fetched.
type interval struct{ from, to time.Duration }

// fleetWindows returns the p99s of windows without a fetch, and of the fetches in others.
func (b *bench) fleetWindows(ctx context.Context, f *fake, t *mdm) (quiet, busy []float64, err error) {
	load := b.scale.fleet
	asking := make([]device, min(fleetAsking, load.devices))
	for i := range asking {
		asking[i] = device(i * (load.devices / len(asking)))
	}
	r, err := b.rush(ctx, t.target, asking, nobody)
	if err != nil {
		return nil, nil, err
	}
	defer r.close()
	for n := range load.windows + 1 { // the first is to warm up
		b.say("fleet: window %d of %d", n, load.windows)
		without, err := r.slice(ctx, load.rate, load.window)
		if err != nil {
			return nil, nil, err
		}
		if n == 0 {
			continue
		}
		fetches := make(chan []interval, 1)
		failed := make(chan error, 1)
		go func() {
			during, err := b.fetchAgain(ctx, f, t, load.window)
			fetches <- during
			failed <- err
		}()
		with, err := r.slice(ctx, load.rate, load.window)
		during := <-fetches
		if failed := <-failed; err == nil {
			err = failed
		}
		if err != nil {
			return nil, nil, err
		}
		meanwhile := count(with, func(a answered) bool {
			return slices.ContainsFunc(during, func(i interval) bool { return i.from <= a.at && a.at < i.to })
		})
		quiet = append(quiet, count(without, everyone).p(99))
		busy = append(busy, meanwhile.p(99))
	}
	return quiet, busy, nil
}

// fetchAgain fetches the list one time after the other for a while, and returns when pages were fetched: not while lookups
// verify the list, which takes seconds and next to nothing of the machine.
func (b *bench) fetchAgain(ctx context.Context, f *fake, t *mdm, length time.Duration) (during []interval, err error) {
	began := time.Now()
	pages := b.fleetPages()
	for {
		before, err := f.report(ctx)
		if err != nil {
			return nil, err
		}
		adopted, err := t.metric(ctx, fetchesMetric, `result="adopted"`)
		if err != nil {
			return nil, err
		}
		from := time.Since(began)
		if err := t.command.Process.Signal(syscall.SIGHUP); err != nil {
			return nil, fmt.Errorf("ask for a fetch: %w", err)
		}
		if _, err := f.await(ctx, fetchLimit, func(r fakeReport) bool { return r.pages() >= before.pages()+pages }); err != nil {
			return nil, fmt.Errorf("wait for pages: %w", err)
		}
		during = append(during, interval{from, time.Since(began)})
		if err := t.fetched(ctx, adopted+1); err != nil {
			return nil, err
		}
		if time.Since(began) > length/2 {
			return during, nil
		}
	}
}

// fleetPages is how many pages the list has; a full last page is followed by an empty one.
func (b *bench) fleetPages() int { return b.scale.fleet.devices/listPage + 1 }

// listPage is how many devices the connector asks Jamf for at once.
const listPage = 500

// fleetMemories are those of the daemon with one device, and of the large one: at the end, and at its peak.
type fleetMemories struct {
	empty       memory
	after, peak float64
}

func (b *bench) fleetRows(seen fakeReport, took float64, m fleetMemories, quiet, busy []float64) {
	load := b.scale.fleet
	what := fmt.Sprintf("fetch of %s of Jamf at 50 ms, with all facts, %d groups and %d attributes: ", devices(load.devices), groupsEach, attributesEach)
	requests := 0
	for _, n := range seen.Counts {
		requests += n
	}
	resident := within(what+"memory a device, resident, over a daemon with one device", (m.after-m.empty.now)/float64(load.devices), wholeBytes, fleetBytes, "≤ 250 bytes in the copy itself")
	resident.result = reported
	most := fleetCopies*fleetBytes*float64(load.devices) + fleetPage
	highest := within(what+"memory at the peak, over a daemon with one device", m.peak-m.empty.peak, mebibytes, most, "≤ 3 copies of 250 bytes a device and a page of 16 MiB")
	highest.floor = mebibytes(m.empty.peak)
	b.rows = append(b.rows,
		reportOnly(what+"requests, those of 20 lookups included that verify the list", thousands(requests)),
		reportOnly(what+"time", seconds(took)),
		resident, highest,
		compared(fmt.Sprintf("%sp99 meanwhile, at %s webhooks a second", what, short(load.rate)), median(quiet), median(busy), millis, fleetGoal, "p99 without"))
}

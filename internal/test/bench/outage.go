package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// outageLoad is an outage of the MDM, with as much time before and after it. Times are those of a snapshot of
// {every: 15m, max_age: 2h} and an outage of ten minutes, divided by 60.
type outageLoad struct {
	devices        int
	around, outage time.Duration
}

// outageRate is less than what the MDM can answer: without the outage no webhook would fail.
const outageRate = 50.0

const outageSnapshot = "{every: 15s, max_age: 2m}"

// outage has the MDM go down in the middle of a constant load, with a snapshot and without.
func (b *bench) outage(ctx context.Context) error {
	load := b.scale.outage
	f, err := b.macs(ctx, load.devices)
	if err != nil {
		return err
	}
	for _, snapshot := range []string{outageSnapshot, ""} {
		name := "with a snapshot"
		if snapshot == "" {
			name = "without a snapshot"
		}
		t, err := b.mdm(ctx, f, "connector "+name, snapshot, encryptedOnly)
		if err != nil {
			return err
		}
		if snapshot != "" {
			if err := t.fetched(ctx, 1); err != nil {
				return err
			}
		}
		b.say("outage, %s: %v", name, 2*load.around+load.outage)
		sent, err := b.throughOutage(ctx, f, t)
		if err != nil {
			return fmt.Errorf("outage, %s: %w", name, err)
		}
		b.outageRows(name, sent, snapshot != "")
		if err := b.end(t.process); err != nil {
			return err
		}
	}
	return b.end(f.process)
}

func (b *bench) throughOutage(ctx context.Context, f *fake, t *mdm) ([]answered, error) {
	load := b.scale.outage
	r, err := b.rush(ctx, t.target, devicesUpTo(load.devices), device.unencrypted)
	if err != nil {
		return nil, err
	}
	defer r.close()
	changed := make(chan error, 1)
	go func() {
		changed <- func() error {
			for _, step := range []struct {
				after time.Duration
				path  string
			}{{load.around, "/down"}, {load.outage, "/up"}} {
				if err := pause(ctx, step.after); err != nil {
					return err
				}
				if _, err := f.command(ctx, http.MethodPost, step.path, ""); err != nil {
					return err
				}
			}
			return nil
		}()
	}()
	sent, err := r.send(ctx, schedule(int(outageRate*(2*load.around+load.outage).Seconds()), outageRate))
	if failed := <-changed; err == nil {
		err = failed
	}
	return sent, err
}

// outageMargin is around the ends of the outage: a webhook that comes within it may belong to either side.
const outageMargin = 500 * time.Millisecond

func (b *bench) outageRows(name string, sent []answered, hasSnapshot bool) {
	load := b.scale.outage
	during := func(a answered) bool {
		return a.at > load.around+outageMargin && a.at < load.around+load.outage-outageMargin
	}
	outside := func(a answered) bool {
		return a.at < load.around-outageMargin || a.at > load.around+load.outage+outageMargin
	}
	good := count(sent, func(a answered) bool { return during(a) && isAllowed(a) })
	bad := count(sent, func(a answered) bool { return during(a) && isRefused(a) })
	rest := count(sent, outside)
	last := time.Duration(0) // webhook that failed, counted from the end of the outage
	for _, a := range sent {
		if a.outcome == unavailable || a.outcome == unanswered {
			last = max(last, a.at-load.around-load.outage)
		}
	}
	what := fmt.Sprintf("outage of 10 minutes, 60 times as fast, at %s webhooks a second, %s: ", short(outageRate), name)
	allowedRow := reportOnly(what+"allowed meanwhile, of the 98 % that are not refused", good.share(good.outcomes[allowed]))
	if hasSnapshot {
		allowedRow.goal, allowedRow.result = "all", verdict(good.outcomes[allowed] == good.count && good.count > 0)
	}
	b.rows = append(b.rows, allowedRow,
		reportOnly(what+"503 meanwhile, of the 2 % that are refused", bad.share(bad.outcomes[unavailable])),
		reportOnly(what+"failed before and after", rest.share(rest.failed())),
		reportOnly(what+"from the end of the outage to the last that failed", fmt.Sprintf("%.1f s", last.Seconds())),
		reportOnly(what+"p99 meanwhile of the 2 %", millis(bad.p(99))))
}

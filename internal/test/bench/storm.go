package main

import (
	"context"
	"fmt"
	"time"
)

// stormLoad is a storm of webhooks: a rate, from so many devices, in slices that take turns with those of the floor.
type stormLoad struct {
	rate    float64
	devices int
	slices  int
	slice   time.Duration
}

// stormGoal is for the p99 of those that are not refused, as a multiple of the floor's.
const stormGoal = 3.0

// storm has thousands of devices ask within a minute, with a snapshot and without. The MDM answers after 50 ms, and
// is asked by five connections.
func (b *bench) storm(ctx context.Context) error {
	load := b.scale.storm
	f, err := b.macs(ctx, load.devices)
	if err != nil {
		return err
	}
	floor, err := b.floor(ctx, false)
	if err != nil {
		return err
	}
	t, err := b.mdm(ctx, f, "connector with a snapshot", "{every: 15m, max_age: 2h}", encryptedOnly)
	if err != nil {
		return err
	}
	if err := t.fetched(ctx, 1); err != nil {
		return err
	}
	if err := b.stormWith(ctx, f, floor, t); err != nil {
		return fmt.Errorf("storm, with a snapshot: %w", err)
	}
	if err := b.end(floor.process, t.process); err != nil {
		return err
	}
	if t, err = b.mdm(ctx, f, "connector without a snapshot", "", encryptedOnly); err != nil {
		return err
	}
	if err := b.stormWithout(ctx, f, t); err != nil {
		return fmt.Errorf("storm, without a snapshot: %w", err)
	}
	return b.end(t.process, f.process)
}

func (l stormLoad) String() string {
	return fmt.Sprintf("storm of %s webhooks a second for %v, %s", thousands(int(l.rate)), time.Duration(l.slices)*l.slice, devices(l.devices))
}

func nobody(device) bool { return false }

func everyone(answered) bool { return true }

func isRefused(a answered) bool { return a.about.unencrypted() }

func isAllowed(a answered) bool { return !a.about.unencrypted() }

// stormWith appends the rows of the storm with a snapshot.
func (b *bench) stormWith(ctx context.Context, f *fake, floor *target, t *mdm) error {
	load := b.scale.storm
	all := devicesUpTo(load.devices)
	least, err := b.rush(ctx, floor, all, nobody)
	if err != nil {
		return err
	}
	defer least.close()
	measured, err := b.rush(ctx, t.target, all, device.unencrypted)
	if err != nil {
		return err
	}
	defer measured.close()
	var before fakeReport
	var slicesOf [2][]tally
	var whole []answered
	for n := range load.slices + 1 { // the first is to warm up
		b.say("storm: slice %d of %d", n, load.slices)
		if n == 1 {
			if before, err = f.report(ctx); err != nil {
				return err
			}
		}
		for i, r := range []*rush{least, measured} {
			sent, err := r.slice(ctx, load.rate, load.slice)
			if err != nil {
				return err
			}
			if n == 0 {
				continue
			}
			slicesOf[i] = append(slicesOf[i], count(sent, isAllowed))
			if r == measured {
				whole = append(whole, sent...)
			}
		}
	}
	after, err := f.report(ctx)
	if err != nil {
		return err
	}
	b.stormRows(slicesOf[0], slicesOf[1], whole, after.pages()-before.pages())
	return nil
}

func (b *bench) stormRows(least, measured []tally, whole []answered, lookups int) {
	at := func(p float64) func(tally) float64 { return func(t tally) float64 { return t.p(p) } }
	what := b.scale.storm.String() + ", with a snapshot: "
	good, bad := count(whole, isAllowed), count(whole, isRefused)
	middle := against(what+"p50 of the 98 % that are not refused", medianOf(least, at(50)), medianOf(measured, at(50)), millis, 0)
	middle.goal, middle.result = none, reported
	b.rows = append(b.rows, middle,
		against(what+"p99 of them", medianOf(least, at(99)), medianOf(measured, at(99)), millis, stormGoal),
		row{
			what: what + "those of them that failed", floor: none, measured: good.share(good.failed()), ratio: none,
			goal: "0", result: verdict(good.failed() == 0 && good.count > 0),
		},
		reportOnly(what+"p99 of the 2 % that are refused, by a lookup each", millis(bad.p(99))),
		reportOnly(what+"those of the 2 % that failed", bad.share(bad.failed())),
		reportOnly(what+"lookups for each webhook", plain(float64(lookups)/float64(len(whole)))))
}

// stormWithout appends the rows of the storm without a snapshot. Its webhooks come all at once: what waits at the end of a
// slice would be missing at the beginning of the next one.
func (b *bench) stormWithout(ctx context.Context, f *fake, t *mdm) error {
	load := b.scale.storm
	r, err := b.rush(ctx, t.target, devicesUpTo(load.devices), device.unencrypted)
	if err != nil {
		return err
	}
	defer r.close()
	before, err := f.report(ctx)
	if err != nil {
		return err
	}
	length := time.Duration(load.slices) * load.slice
	b.say("storm without a snapshot: %v", length)
	sent, err := r.send(ctx, schedule(int(load.rate*length.Seconds()), load.rate))
	if err != nil {
		return err
	}
	after, err := f.report(ctx)
	if err != nil {
		return err
	}
	what := load.String() + ", without a snapshot: "
	all := count(sent, everyone)
	answeredOnly := count(sent, func(a answered) bool { return a.outcome == allowed || a.outcome == refused })
	b.rows = append(b.rows,
		reportOnly(what+"answered with 503", all.share(all.outcomes[unavailable])),
		reportOnly(what+"not answered within the 10 s of step-ca, or cut off", all.share(all.outcomes[unanswered])),
		reportOnly(what+"p50 and p99 of all", millis(all.p(50))+", "+millis(all.p(99))),
		reportOnly(what+"p50 and p99 of those with a decision", millis(answeredOnly.p(50))+", "+millis(answeredOnly.p(99))),
		reportOnly(what+"lookups a second", plain(float64(after.pages()-before.pages())/length.Seconds())))
	return nil
}

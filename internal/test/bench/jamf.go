package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// jamfDelay is how long the simulated Jamf Pro server takes over a lookup. The connector makes five at once, so
// it makes a hundred a second at most.
const jamfDelay = 50 * time.Millisecond

// The goals of provider jamf.
const (
	jamfCPUGoal        = 250.0 // µs for each webhook
	jamfConnectionGoal = 0.05  // new upstream connections for each webhook
	jamfCallGoal       = 1.0   // upstream calls for each webhook
	jamfCancelGoal     = time.Second
)

const (
	cancelDelay = 5 * time.Second // of a lookup whose client leaves
	joinDelay   = 2 * time.Second // of a lookup that two clients wait for
	arrival     = 2 * time.Second // within which a lookup reaches the fake
	joinPause   = 300 * time.Millisecond
)

// jamfLoad is so many clients with so many requests each, and one before, all about different devices.
type jamfLoad struct{ clients, requests int }

func (l jamfLoad) devices() int { return l.clients * (l.requests + 1) }

// jamf measures the provider jamf against a simulated Jamf Pro server.
func (b *bench) jamf(ctx context.Context) error {
	count := 2 // for the clients that leave
	for _, l := range b.scale.jamf {
		count += l.devices()
	}
	f, err := b.fake(ctx, count)
	if err != nil {
		return err
	}
	p, err := b.run(ctx, "connector with jamf", b.connector(map[string]string{
		"PROVIDER": "jamf", "JAMF_BASE_URL": "https://" + f.address, "JAMF_CLIENT_ID": fakeClient,
		"JAMF_CLIENT_SECRET": fakeSecret, "SSL_CERT_FILE": f.ca,
	}))
	if err != nil {
		return err
	}
	t := &target{process: p, devices: count}
	if err := f.delay(ctx, jamfDelay); err != nil {
		return err
	}
	floor, err := b.run(ctx, "floor that asks jamf", func(ctx context.Context, address string) *exec.Cmd {
		return self(ctx, lookupArgument, address, string(b.folder), "https://"+f.address, f.ca)
	})
	if err != nil {
		return err
	}
	from := 0
	for _, l := range b.scale.jamf {
		if err := b.jamfRound(ctx, t, &target{process: floor}, f, l, from); err != nil {
			return fmt.Errorf("jamf, %s: %w", clients(l.clients), err)
		}
		from += l.devices()
	}
	if err := b.jamfLeave(ctx, t, f, device(from)); err != nil {
		return fmt.Errorf("jamf, a client that leaves: %w", err)
	}
	if err := b.jamfJoin(ctx, t, f, device(from+1)); err != nil {
		return fmt.Errorf("jamf, one of two clients leaves: %w", err)
	}
	return b.end(p, floor, f.process)
}

// jamfCall is a webhook about a device, that is answered without data.
func (b *bench) jamfCall(ctx context.Context, t *target, d device) (call, error) {
	one, err := b.caller.call(ctx, t.address, d, time.Now(), kind{})
	one.want = allowing("{}")
	return one, err
}

// jamfRound appends the rows of a number of clients. The first request of each, which may find the
// connector still busy with its connection, counts for everything but CPU time.
func (b *bench) jamfRound(ctx context.Context, t, floor *target, f *fake, l jamfLoad, from int) error {
	b.say("jamf: %s", clients(l.clients))
	least, err := b.jamfDrive(ctx, floor, l, from)
	if err != nil {
		return err
	}
	before, err := f.report(ctx)
	if err != nil {
		return err
	}
	cpu, err := b.jamfDrive(ctx, t, l, from)
	if err != nil {
		return err
	}
	after, err := f.report(ctx)
	if err != nil {
		return err
	}
	b.rows = append(b.rows, jamfRows(l, least, cpu, before, after)...)
	return nil
}

// jamfDrive makes the requests of a number of clients and returns the CPU time of each, in µs.
func (b *bench) jamfDrive(ctx context.Context, t *target, l jamfLoad, from int) (float64, error) {
	calls := make([]call, l.devices())
	for i := range calls {
		var err error
		if calls[i], err = b.jamfCall(ctx, t, device(from+i)); err != nil {
			return 0, err
		}
	}
	k, err := b.keepAlive(ctx, t, l.clients)
	if err != nil {
		return 0, err
	}
	defer k.close()
	if err := k.drive(ctx, calls[:l.clients]); err != nil {
		return 0, err
	}
	spent, err := t.spent(func() error { return k.drive(ctx, calls[l.clients:]) })
	return round{l.clients * l.requests, spent}.perRequest(), err
}

func jamfRows(l jamfLoad, least, cpu float64, before, after fakeReport) []row {
	each := func(number int) float64 { return float64(number) / float64(l.devices()) }
	what := "jamf at 50 ms, " + clients(l.clients) + ": "
	cost := reportOnly(what+"CPU per webhook", micros(cpu))
	if l.clients == jamfGoalClients {
		cost = within(what+"CPU per webhook", cpu, micros, jamfCPUGoal, "≤ 250 µs")
	}
	cost.floor, cost.ratio = micros(least), fmt.Sprintf("%.2f", cpu/least)
	opened := each(after.Connections - before.Connections)
	connections := within(what+"new upstream connections per webhook", opened, plain, jamfConnectionGoal, "< 0.05")
	connections.result = verdict(opened < jamfConnectionGoal)
	return []row{cost, connections, within(what+"upstream calls per webhook", each(after.lookups()-before.lookups()), plain, jamfCallGoal, "≤ 1")}
}

func clients(count int) string {
	if count == 1 {
		return "1 connection"
	}
	return thousands(count) + " connections"
}

// jamfGoalClients: CPU time has a goal with this number of connections only.
const jamfGoalClients = 50

// jamfLeave has a client leave before its answer, and checks that the lookup is cancelled.
func (b *bench) jamfLeave(ctx context.Context, t *target, f *fake, d device) error {
	b.say("jamf: a client that leaves")
	if err := f.delay(ctx, cancelDelay); err != nil {
		return err
	}
	before, err := f.report(ctx)
	if err != nil {
		return err
	}
	one, err := b.jamfCall(ctx, t, d)
	if err != nil {
		return err
	}
	c, err := connect(ctx, t.address, b.tlsConfig(false))
	if err != nil {
		return err
	}
	defer c.connection.Close()
	if _, err := c.connection.Write(one.wire); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if _, err := f.await(ctx, arrival, func(r fakeReport) bool { return r.lookups() > before.lookups() }); err != nil {
		return fmt.Errorf("wait for the lookup: %w", err)
	}
	_ = c.connection.Close()
	spent, err := f.await(ctx, cancelDelay, func(r fakeReport) bool { return r.Abandoned > before.Abandoned })
	if err != nil && !errors.Is(err, errNotSeen) {
		return err
	}
	what, goal := "jamf: a client that leaves cancels its upstream call", "within 1 s"
	if err != nil {
		b.rows = append(b.rows, row{what, none, "never", none, goal, miss})
		return nil
	}
	b.rows = append(b.rows, within(what, inMillis(spent), millis, inMillis(jamfCancelGoal), goal))
	return nil
}

// jamfJoin has two clients ask about the same device. The first, whose request began the lookup, leaves.
func (b *bench) jamfJoin(ctx context.Context, t *target, f *fake, d device) error {
	b.say("jamf: one of two clients leaves")
	if err := f.delay(ctx, joinDelay); err != nil {
		return err
	}
	before, err := f.report(ctx)
	if err != nil {
		return err
	}
	both, err := b.keepAlive(ctx, t, 2)
	if err != nil {
		return err
	}
	defer both.close()
	for i, c := range both {
		one, err := b.jamfCall(ctx, t, d)
		if err != nil {
			return err
		}
		if i > 0 {
			// The first has to leave while the second waits.
			leave := time.AfterFunc(joinPause, func() { _ = both[0].connection.Close() })
			defer leave.Stop()
			if err := c.do(one); err != nil {
				return fmt.Errorf("the client that stays: %w", err)
			}
			break
		}
		if _, err := c.connection.Write(one.wire); err != nil {
			return fmt.Errorf("send: %w", err)
		}
		if _, err := f.await(ctx, arrival, func(r fakeReport) bool { return r.lookups() > before.lookups() }); err != nil {
			return fmt.Errorf("wait for the lookup: %w", err)
		}
	}
	now, err := f.report(ctx)
	if err != nil {
		return err
	}
	calls, left := now.lookups()-before.lookups(), now.Abandoned-before.Abandoned
	b.rows = append(b.rows, row{
		what: "jamf: unless another waits for it", floor: none, ratio: none,
		measured: fmt.Sprintf("answered; upstream calls: %d, cancelled: %d", calls, left),
		goal:     "answered by the one call", result: verdict(calls == 1 && left == 0),
	})
	return nil
}

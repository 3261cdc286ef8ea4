package main

import (
	"context"
	"fmt"
	"time"
)

// leastRounds are made however long they take.
const leastRounds = 3

// driver sends requests in one way.
type driver interface {
	drive(ctx context.Context, calls []call) error
	close()
}

// contestant is one server in a comparison of CPU time.
type contestant struct {
	*target
	driver driver
	rounds []round
}

func (c *contestant) summary() summary { return summarize(c.rounds) }

// contest compares servers that are asked in the same way.
type contest struct {
	name     string
	rounds   int
	requests int // in each round
	limit    time.Duration
	kind     kind
	// calls makes the requests, where they are not those of a webhook.
	calls func(count int) []call
	dial  func(ctx context.Context, t *target) (driver, error)
}

// hold makes the rounds. The servers take turns, so that other work of the machine
// hits all of them alike. A first round, not counted, lets each of them warm up. On a machine that
// is too slow for all rounds within the time limit, fewer are made.
func (b *bench) hold(ctx context.Context, c contest, targets ...*target) ([]*contestant, error) {
	all := make([]*contestant, len(targets))
	for i, t := range targets {
		all[i] = &contestant{target: t}
	}
	defer func() {
		for _, one := range all {
			if one.driver != nil {
				one.driver.close()
			}
		}
	}()
	began := time.Now()
	for n := range c.rounds + 1 {
		if spent := time.Since(began); n > leastRounds && spent/time.Duration(n)*time.Duration(n+1) > c.limit {
			b.say("%s: %d of %d rounds were made in %s", c.name, n-1, c.rounds, spent.Round(time.Second))
			break
		}
		b.say("%s: round %d of %d", c.name, n, c.rounds)
		for _, one := range all {
			measured, err := b.round(ctx, c, one)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", c.name, one.name, err)
			}
			if n > 0 {
				one.rounds = append(one.rounds, measured)
			}
		}
	}
	floor := all[0].summary()
	b.noise = max(b.noise, (floor.highest-floor.lowest)/floor.median)
	return all, nil
}

func (b *bench) round(ctx context.Context, c contest, one *contestant) (round, error) {
	var calls []call
	var err error
	if c.calls != nil {
		calls = c.calls(c.requests)
	} else if calls, err = b.calls(ctx, one.target, c.requests, c.kind); err != nil {
		return round{}, err
	}
	// Not earlier: a connection without a request is closed after some seconds.
	if one.driver == nil {
		if one.driver, err = c.dial(ctx, one.target); err != nil {
			return round{}, err
		}
	}
	spent, err := one.spent(func() error { return one.driver.drive(ctx, calls) })
	return round{len(calls), spent}, err
}

// The goals of CPU time, as multiples of the floor.
const (
	keepAliveGoal = 1.7
	sizeGoal      = 1.1 // of a large inventory to one of a thousand
	multiplexGoal = 1.2
	freshGoal     = 1.15
)

// thousandDevices is the inventory that a large one is compared with.
const thousandDevices = 1000

// keptConnections compares sizes of the inventory over connections that are kept.
func (b *bench) keptConnections(ctx context.Context) error {
	all, err := b.hold(ctx, contest{
		name: "HTTP/1.1", rounds: b.scale.rounds, requests: b.scale.requests, limit: b.scale.contestLimit,
		dial: func(ctx context.Context, t *target) (driver, error) { return b.keepAlive(ctx, t, connections) },
	}, append([]*target{b.floorServer}, b.sizes...)...)
	if err != nil {
		return err
	}
	floor := all[0].summary()
	b.curve = curve{floor: floor.median, goal: keepAliveGoal}
	var thousand, large summary
	for _, one := range all[1:] {
		s := one.summary()
		b.curve.add(one.devices, s.median)
		b.rows = append(b.rows, against("CPU per request, HTTP/1.1 keep-alive, 16 connections, "+devices(one.devices), floor.median, s.median, micros, keepAliveGoal))
		if one.devices == thousandDevices {
			thousand = s
		}
		large = s
	}
	what := fmt.Sprintf("the same, %s against %s devices", thousands(b.scale.large), thousands(thousandDevices))
	b.rows = append(b.rows, compared(what, thousand.median, large.median, micros, sizeGoal, "1,000 devices"))
	b.notes = append(b.notes, fmt.Sprintf("Means of all rounds, which hold what a median leaves out, such as a garbage collection: HTTP/1.1 floor %s, 1,000 devices %s, %s devices %s.",
		micros(floor.mean), micros(thousand.mean), thousands(b.scale.large), micros(large.mean)))
	return nil
}

// sharedConnection compares over one HTTP/2 connection.
func (b *bench) sharedConnection(ctx context.Context) error {
	all, err := b.hold(ctx, contest{
		name: "HTTP/2", rounds: b.scale.rounds, requests: b.scale.requests, limit: b.scale.contestLimit,
		dial: func(ctx context.Context, t *target) (driver, error) { return b.multiplexed(ctx, t) },
	}, b.floorServer, b.size(1), b.size(thousandDevices), b.size(b.scale.large))
	if err != nil {
		return err
	}
	floor := all[0].summary().median
	for _, one := range all[1:] {
		b.rows = append(b.rows, against("CPU per request, one HTTP/2 connection, 16 streams, "+devices(one.devices), floor, one.summary().median, micros, multiplexGoal))
	}
	return nil
}

// newConnections compares new connections for each request.
func (b *bench) newConnections(ctx context.Context) error {
	mutualFloor, err := b.floor(ctx, true)
	if err != nil {
		return err
	}
	mutualDaemon, err := b.daemonOf(ctx, thousandDevices, true)
	if err != nil {
		return err
	}
	for _, way := range []struct {
		name            string
		resumed         bool
		floor, measured *target
	}{
		{"plain", false, b.floorServer, b.size(thousandDevices)},
		{"resumed", true, b.floorServer, b.size(thousandDevices)},
		{"mutual", false, mutualFloor, mutualDaemon},
	} {
		all, err := b.hold(ctx, contest{
			name: "new connections, " + way.name, rounds: b.scale.rounds, requests: b.scale.handshakes, limit: b.scale.contestLimit,
			kind: kind{closing: true},
			dial: func(ctx context.Context, t *target) (driver, error) { return b.fresh(ctx, t, way.resumed) },
		}, way.floor, way.measured)
		if err != nil {
			return err
		}
		b.rows = append(b.rows, against("CPU per request, new TLS connection each, "+way.name, all[0].summary().median, all[1].summary().median, micros, freshGoal))
	}
	return b.end(mutualFloor.process, mutualDaemon.process)
}

// devices is a number of them in words.
func devices(count int) string {
	if count == 1 {
		return "1 device"
	}
	return thousands(count) + " devices"
}

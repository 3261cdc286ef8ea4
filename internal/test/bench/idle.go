package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// An idle connection is to be closed after 120 s: later than by step-ca, whose own idle time is 90 s,
// so that none is closed during a request, and before thousands are open.
const (
	earliestClose = 110 * time.Second
	latestClose   = 140 * time.Second
)

// idleWarmUp is how many requests go before, so that what the daemon takes anyway is not counted.
const idleWarmUp = 500

// idlers are connections that made one request and are idle since.
type idlers struct {
	server *process
	all    keepAlive
	since  []time.Time  // the end of the request of each
	closed chan closing // room for every one
}

// closing is the end of an idle connection.
type closing struct {
	which int
	at    time.Time
	err   error
}

// openIdle opens the idle connections and reports their memory. Whether
// they are closed in time is checked when the rest of the benchmark is done: it takes minutes.
func (b *bench) openIdle(ctx context.Context) error {
	t, err := b.daemonOf(ctx, thousandDevices, false)
	if err != nil {
		return err
	}
	warm, err := b.keepAlive(ctx, t, connections)
	if err != nil {
		return err
	}
	calls, err := b.calls(ctx, t, idleWarmUp, kind{})
	if err != nil {
		return err
	}
	if err := warm.drive(ctx, calls); err != nil {
		return err
	}
	warm.close()
	before, err := t.memory()
	if err != nil {
		return err
	}
	b.say("opening %d idle connections", b.scale.idle)
	idle := &idlers{server: t.process, closed: make(chan closing, b.scale.idle)}
	b.idle = idle
	for i := range b.scale.idle {
		// Made one by one: on a busy machine the last would be too old.
		one, err := b.caller.call(ctx, t.address, device(i%t.devices), time.Now(), kind{})
		if err != nil {
			return err
		}
		c, err := connect(ctx, t.address, b.tlsConfig(false))
		if err != nil {
			return err
		}
		idle.all = append(idle.all, c)
		if err := c.do(one); err != nil {
			return err
		}
		idle.since = append(idle.since, time.Now())
		go idle.watch(i, c)
	}
	after, err := t.memory()
	if err != nil {
		return err
	}
	b.idleRows = append(b.idleRows, reportOnly(fmt.Sprintf("memory for each of %s idle connections", thousands(b.scale.idle)),
		wholeBytes((after.now-before.now)/float64(b.scale.idle))))
	return nil
}

// watch notes when the server closes a connection.
func (i *idlers) watch(which int, c *client) {
	var one [1]byte
	_, err := c.reader.Read(one[:])
	if err == nil {
		err = errors.New("the server sent something without a request")
	}
	i.closed <- closing{which, time.Now(), err}
}

// closeIdle sees whether the idle connections were closed in time.
func (b *bench) closeIdle(ctx context.Context) error {
	b.rows = append(b.rows, b.idleRows...)
	idle := b.idle
	defer idle.all.close()
	goal := row{
		what: "idle connections closed after 120 s", floor: none, ratio: none, measured: none,
		goal: fmt.Sprintf("all after %.0f to %.0f s", earliestClose.Seconds(), latestClose.Seconds()), result: notWaited,
	}
	if !b.scale.waitIdle {
		b.rows = append(b.rows, goal)
		return b.end(idle.server)
	}
	b.say("waiting until idle connections are closed")
	kept, err := idle.kept(ctx)
	if err != nil {
		return err
	}
	inTime := len(kept) == len(idle.all)
	if len(kept) > 0 {
		inTime = inTime && slices.Min(kept) >= earliestClose.Seconds() && slices.Max(kept) <= latestClose.Seconds()
		goal.measured = fmt.Sprintf("%s of %s, after %.1f to %.1f s", thousands(len(kept)), thousands(len(idle.all)), slices.Min(kept), slices.Max(kept))
	}
	goal.result = verdict(inTime)
	b.rows = append(b.rows, goal)
	return b.end(idle.server)
}

// kept is how many seconds each idle connection was kept that was closed in time, or somewhat later.
func (i *idlers) kept(ctx context.Context) ([]float64, error) {
	late := time.NewTimer(time.Until(i.since[len(i.since)-1].Add(latestClose + settleEvery)))
	defer late.Stop()
	var kept []float64
	for len(kept) < len(i.all) {
		var one closing
		select {
		case one = <-i.closed:
		default:
			select {
			case one = <-i.closed:
			case <-late.C:
				return kept, nil
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
		if !errors.Is(one.err, io.EOF) {
			return nil, fmt.Errorf("an idle connection: %w", one.err)
		}
		kept = append(kept, one.at.Sub(i.since[one.which]).Seconds())
	}
	return kept, nil
}

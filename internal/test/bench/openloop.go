package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// pool is how many connections a constant rate of requests is spread over.
const pool = 64

// lateLimit is by how much a whole window of requests may be late before the run fails.
const lateLimit = 30 * time.Second

// sent is one request of a constant rate.
type sent struct {
	at      time.Duration // when it was to be sent, from the beginning
	latency time.Duration // from that time until its answer was read
}

// schedule spreads requests over time as independent callers do: the gaps follow the exponential
// distribution. It is the same in every run.
func schedule(count int, rate float64) []time.Duration {
	times := make([]time.Duration, count)
	at, state := 0.0, uint64(scatter)
	for i := range times {
		times[i] = time.Duration(at * float64(time.Second))
		// Xorshift: the same numbers in every run; they need not be hard to guess.
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		at += -math.Log(float64(state>>11+1)/(1<<53)) / rate
	}
	return times
}

// openLoop sends requests at their times, however long the answers take. What a slow answer keeps
// waiting is late, and its wait counts.
func (k keepAlive) openLoop(ctx context.Context, calls []call, times []time.Duration) ([]sent, error) {
	deadline := time.Now().Add(times[len(times)-1] + lateLimit)
	for _, c := range k {
		if err := c.connection.SetDeadline(deadline); err != nil {
			return nil, fmt.Errorf("set deadline: %w", err)
		}
	}
	defer context.AfterFunc(ctx, k.close)()
	due := make(chan int, len(calls)) // never full, so that sending does not wait
	all := make([]sent, len(calls))
	began := time.Now()
	stop := errors.New("a request failed")
	failing, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	go func() {
		defer close(due)
		for i, at := range times {
			if pause(failing, time.Until(began.Add(at))) != nil {
				return
			}
			due <- i
		}
	}()
	err := inParallel(len(k), func(worker int) error {
		for i := range due {
			if err := k[worker].do(calls[i]); err != nil {
				fail(stop)
				return err
			}
			all[i] = sent{times[i], time.Since(began) - times[i]}
		}
		return nil
	})
	return all, errors.Join(err, ctx.Err())
}

// slice sends requests at a constant rate for a while.
func (b *bench) slice(ctx context.Context, t *target, k keepAlive, rate float64, length time.Duration) ([]sent, error) {
	count := int(rate * length.Seconds())
	calls, err := b.calls(ctx, t, count, kind{})
	if err != nil {
		return nil, err
	}
	var all []sent
	err = undisturbed(func() error {
		all, err = k.openLoop(ctx, calls, schedule(count, rate))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s at %s requests a second: %w", t.name, short(rate), err)
	}
	return all, nil
}

// latencies are those of requests, in milliseconds.
func latencies(all []sent) []float64 {
	values := make([]float64, len(all))
	for i, one := range all {
		values[i] = inMillis(one.latency)
	}
	return values
}

// The constant rate, and its goal as a multiple of the floor's p99.
const (
	constantRate = 500.0
	constantGoal = 2.0
)

// constantLoad compares latencies at a constant rate.
func (b *bench) constantLoad(ctx context.Context) error {
	targets := []*target{b.floorServer, b.size(b.scale.large)}
	pools := make([]keepAlive, len(targets))
	defer func() {
		for _, k := range pools {
			k.close()
		}
	}()
	p50, p99 := make([][]float64, len(targets)), make([][]float64, len(targets))
	for n := range b.scale.slices + 1 { // the first is to warm up
		b.say("open loop: slice %d of %d", n, b.scale.slices)
		for i, t := range targets {
			if pools[i] == nil {
				k, err := b.keepAlive(ctx, t, pool)
				if err != nil {
					return err
				}
				pools[i] = k
			}
			all, err := b.slice(ctx, t, pools[i], constantRate, b.scale.slice)
			if err != nil {
				return err
			}
			if n > 0 {
				p50[i] = append(p50[i], percentile(latencies(all), 50))
				p99[i] = append(p99[i], percentile(latencies(all), 99))
			}
		}
	}
	what := fmt.Sprintf("latency at %s requests a second, %s, ", short(constantRate), devices(b.scale.large))
	floor, measured := median(p50[0]), median(p50[1])
	middle := against(what+"p50", floor, measured, millis, 0)
	middle.goal, middle.result = none, reported
	b.rows = append(b.rows, middle, against(what+"p99", median(p99[0]), median(p99[1]), millis, constantGoal))
	return nil
}

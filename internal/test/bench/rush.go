package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// stepCALimit is when step-ca ends a webhook call.
const stepCALimit = 10 * time.Second

// outcome is how a webhook of a rush was answered.
type outcome int

const (
	allowed outcome = iota
	refused
	unavailable // 503
	unanswered  // within stepCALimit, or the connection ended
	outcomes
)

// answered is one webhook of a rush.
type answered struct {
	sent

	about   device
	outcome outcome
}

// rush is a load that does not wait: each webhook is sent when it is due, however many are under way, over HTTP/2 as from
// step-ca. It is signed when it is due, as the daemon refuses old timestamps.
type rush struct {
	bench   *bench
	calls   *multiplexed
	about   func(i int) device
	refuses func(device) bool // whom the server is to refuse
	first   sync.Once         // that has no answer; the reasons of the others are hardly others
}

// rush prepares the CSRs of so many devices, and connects.
func (b *bench) rush(ctx context.Context, t *target, devices []device, refuses func(device) bool) (*rush, error) {
	for _, d := range devices {
		if _, err := b.caller.csr(d.identifier()); err != nil {
			return nil, err
		}
	}
	r := &rush{bench: b, calls: b.unconnected(t), refuses: refuses, about: func(i int) device { return devices[i*scatter%len(devices)] }}
	_, err := r.send(ctx, []time.Duration{0})
	return r, err
}

func (r *rush) close() { r.calls.close() }

// slice sends a slice of a constant rate.
func (r *rush) slice(ctx context.Context, rate float64, length time.Duration) (all []answered, err error) {
	err = undisturbed(func() error {
		all, err = r.send(ctx, schedule(int(rate*length.Seconds()), rate))
		return err
	})
	return all, err
}

// send sends a webhook at each time, and waits for the answers. An answer that is wrong ends it: a device that is to be
// refused was allowed, or the other way round.
func (r *rush) send(ctx context.Context, times []time.Duration) ([]answered, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	all := make([]answered, len(times))
	var waiting sync.WaitGroup
	began := time.Now()
	for i, at := range times {
		if pause(ctx, time.Until(began.Add(at))) != nil {
			break
		}
		waiting.Go(func() {
			d := r.about(i)
			answer, err := r.ask(ctx, d)
			if err != nil {
				fail(fmt.Errorf("%s: %w", d.identifier(), err))
			}
			all[i] = answered{sent{at, time.Since(began) - at}, d, answer}
		})
	}
	waiting.Wait()
	return all, context.Cause(ctx)
}

func (r *rush) ask(ctx context.Context, d device) (outcome, error) {
	body, err := r.bench.caller.body(d.identifier(), time.Now())
	if err != nil {
		return 0, err
	}
	limited, cancel := context.WithTimeout(ctx, stepCALimit)
	defer cancel()
	one := call{body: body, header: r.bench.caller.header(body)}
	request, err := one.request(limited, r.calls.address)
	if err != nil {
		return 0, err
	}
	status, text, err := r.receive(request)
	var answer struct {
		Allow *bool `json:"allow"`
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return 0, err
	case err != nil:
		r.first.Do(func() { r.bench.say("%s: no answer: %v", d.identifier(), err) })
		return unanswered, nil
	case status == http.StatusServiceUnavailable:
		return unavailable, nil
	case status != http.StatusOK || json.Unmarshal(text, &answer) != nil || answer.Allow == nil:
		return 0, fmt.Errorf("wrong answer: %d %s", status, text)
	case *answer.Allow == r.refuses(d):
		return 0, errors.New("the wrong device was refused, or allowed")
	case *answer.Allow:
		return allowed, nil
	}
	return refused, nil
}

func (r *rush) receive(request *http.Request) (status int, body []byte, err error) {
	response, err := r.calls.transport.RoundTrip(request)
	if err != nil {
		return 0, nil, fmt.Errorf("receive: %w", err)
	}
	defer response.Body.Close()
	if body, err = io.ReadAll(io.LimitReader(response.Body, maxResponse)); err != nil {
		err = fmt.Errorf("receive: %w", err)
	}
	return response.StatusCode, body, err
}

// tally is what webhooks of a rush came to.
type tally struct {
	count     int
	outcomes  [outcomes]int
	latencies []float64 // in milliseconds
}

// count counts those that belong to it.
func count(all []answered, belongs func(answered) bool) (t tally) {
	for _, one := range all {
		if belongs(one) {
			t.count++
			t.outcomes[one.outcome]++
			t.latencies = append(t.latencies, inMillis(one.latency))
		}
	}
	return t
}

// failed is how many were answered with neither yes nor no.
func (t tally) failed() int { return t.outcomes[unavailable] + t.outcomes[unanswered] }

// share writes a part of all of them.
func (t tally) share(number int) string {
	return fmt.Sprintf("%s of %s, %.1f %%", thousands(number), thousands(t.count), percent*float64(number)/float64(max(t.count, 1)))
}

func (t tally) p(p float64) float64 {
	if t.count == 0 {
		return 0
	}
	return percentile(t.latencies, p)
}

package vendorhttp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

func numbered(i int) string { return fmt.Sprintf("C02XK%05d", i) }

func computers(n int) []string {
	var all []string
	for i := range n {
		all = append(all, numbered(i))
	}
	return all
}

// lookups looks up n computers at once, each once.
func lookups(t *testing.T, provider posture.Provider, n int) {
	t.Helper()
	var together sync.WaitGroup
	for i := range n {
		together.Go(func() {
			if device, err := lookup(t, provider, numbered(i), ample); err != nil || device.Identifier != numbered(i) {
				t.Errorf("Lookup(%q) = %+v, %v, want the device", numbered(i), device, err)
			}
		})
	}
	together.Wait()
}

// TestDeadlineNamesServer: an error at the end of a lookup's time says which server did not answer.
func TestDeadlineNamesServer(t *testing.T) {
	t.Parallel()
	server := started(t, computers(1)...)
	provider := opened(server.options(t))
	server.Fail(vendortest.Fault{Kind: vendortest.Hang})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := provider.Lookup(ctx, query(t, numbered(0)))
	if want := strings.TrimPrefix(server.URL(), "https://") + " did not answer in time"; !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), want) {
		t.Errorf("Lookup = %v, want it to say %q", err, want)
	}
}

// TestWaits runs, at the same time, what does little but wait. Each row prepares, and returns what waits.
func TestWaits(t *testing.T) {
	t.Parallel()
	var together sync.WaitGroup
	defer together.Wait()
	for _, prepare := range []func(*testing.T) func(){timeoutIsOfTheRequest, joiningTakesNothing, slowIsWaitedFor, joinedRequestEnds} {
		together.Go(prepare(t))
	}
}

// timeoutIsOfTheRequest: the wait for one of the five places is not part of TIMEOUT.
func timeoutIsOfTheRequest(t *testing.T) func() {
	t.Helper()
	const many, answer = 40, 400 * time.Millisecond
	server := started(t, computers(many)...)
	o := server.options(t)
	o.Timeout = 2 * time.Second
	provider := opened(o)
	finds(t, provider, numbered(0))
	server.Fail(vendortest.Fault{Kind: vendortest.Slow, Delay: answer}, "devices")
	before := server.Count("devices")
	return func() {
		lookups(t, provider, many) // 40 lookups, five at once: the last one waits for more than TIMEOUT
		if got := server.Count("devices") - before; got != many {
			t.Errorf("%d lookups made %d requests, want one for each", many, got)
		}
	}
}

// joiningTakesNothing: a lookup that would be answered at the second try of a request is so, too, when others
// join it.
func joiningTakesNothing(t *testing.T) func() {
	t.Helper()
	server := started(t, computers(2)...)
	provider := opened(server.options(t))
	server.Fail(vendortest.Fault{Kind: vendortest.Hang, Times: 1}, tokenEndpoint)
	queries := []posture.Query{query(t, numbered(0)), query(t, numbered(1))}
	return func() {
		var both sync.WaitGroup
		defer both.Wait()
		for i, q := range queries {
			both.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), whole)
				defer cancel()
				if _, err := provider.Lookup(ctx, q); err != nil {
					t.Errorf("joined token request: lookup %d = %v, want the device", i, err)
				}
			})
			time.Sleep(3 * time.Second)
		}
	}
}

// slowIsWaitedFor: a server that needs most of the time of a lookup is not asked a second time, which it would
// not answer in time either. Its connection is known to work: PINGs are answered.
func slowIsWaitedFor(t *testing.T) func() {
	t.Helper()
	server := started(t, computers(1)...)
	provider := opened(server.options(t))
	server.Fail(vendortest.Fault{Kind: vendortest.Slow, Delay: 6500 * time.Millisecond}, "devices")
	q := query(t, numbered(0))
	return func() {
		ctx, cancel := context.WithTimeout(t.Context(), whole)
		defer cancel()
		if _, err := provider.Lookup(ctx, q); err != nil {
			t.Errorf("slow server: Lookup = %v, want the device", err)
		}
	}
}

// joinedRequestEnds: a request for a token that hangs is not kept alive by lookups that join it, one after the
// other: no lookup waits for it as long as a large TIMEOUT allows.
func joinedRequestEnds(t *testing.T) func() {
	t.Helper()
	const longest = 40 // lookups, one a second
	server := started(t, computers(longest)...)
	o := server.options(t)
	o.Timeout = 300 * time.Second
	provider := opened(o)
	server.Fail(vendortest.Fault{Kind: vendortest.Hang, Times: 2}, tokenEndpoint) // both tries
	var queries []posture.Query
	for i := range longest {
		queries = append(queries, query(t, numbered(i)))
	}
	return func() {
		begin := time.Now()
		var answered atomic.Bool
		var all sync.WaitGroup
		defer all.Wait()
		for _, q := range queries {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), whole)
				defer cancel()
				if _, err := provider.Lookup(ctx, q); err == nil {
					answered.Store(true)
				}
			})
			time.Sleep(time.Second)
			if answered.Load() {
				t.Logf("a lookup was answered %s after the server began to hang", time.Since(begin).Round(time.Second))
				return
			}
		}
		t.Errorf("no lookup was answered within %ds, although the server hung only twice", longest)
	}
}

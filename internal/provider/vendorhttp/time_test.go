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

// TestTimeoutIsOfTheRequest: the wait for one of the five places is not part of TIMEOUT.
func TestTimeoutIsOfTheRequest(t *testing.T) {
	t.Parallel()
	const many, answer = 40, 400 * time.Millisecond
	server := started(t, computers(many)...)
	o := server.options(t)
	o.Timeout = 2 * time.Second
	provider := opened(o)
	finds(t, provider, numbered(0))
	server.Fail(vendortest.Fault{Kind: vendortest.Slow, Delay: answer}, "devices")
	before := server.Count("devices")
	lookups(t, provider, many) // 40 lookups, five at once: the last one waits for more than TIMEOUT
	if got := server.Count("devices") - before; got != many {
		t.Errorf("%d lookups made %d requests, want one for each", many, got)
	}
}

// TestDeadlineHasWords: an error at the end of a lookup's time says which server did not answer.
func TestDeadlineHasWords(t *testing.T) {
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

// TestJoiningTakesNothing: a lookup that would be answered at the second try of a request is so, too, when others
// join it.
func TestJoiningTakesNothing(t *testing.T) {
	t.Parallel()
	server := started(t, computers(2)...)
	provider := opened(server.options(t))
	server.Fail(vendortest.Fault{Kind: vendortest.Hang, Times: 1}, tokenEndpoint)
	var both sync.WaitGroup
	defer both.Wait()
	for i := range 2 {
		q := query(t, numbered(i))
		both.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), whole)
			defer cancel()
			if _, err := provider.Lookup(ctx, q); err != nil {
				t.Errorf("lookup %d = %v, want the device", i, err)
			}
		})
		time.Sleep(3 * time.Second)
	}
}

// TestSlowIsWaitedFor: a server that needs most of the time of a lookup is not asked a second time, which it would
// not answer in time either. Its connection is known to work: PINGs are answered.
func TestSlowIsWaitedFor(t *testing.T) {
	t.Parallel()
	server := started(t, computers(1)...)
	provider := opened(server.options(t))
	server.Fail(vendortest.Fault{Kind: vendortest.Slow, Delay: 6500 * time.Millisecond}, "devices")
	ctx, cancel := context.WithTimeout(t.Context(), whole)
	defer cancel()
	if _, err := provider.Lookup(ctx, query(t, numbered(0))); err != nil {
		t.Errorf("Lookup = %v, want the device", err)
	}
}

// TestJoinedRequestEnds: a request for a token that hangs is not kept alive by lookups that join it, one after the
// other: no lookup waits for it as long as a large TIMEOUT allows.
func TestJoinedRequestEnds(t *testing.T) {
	t.Parallel()
	server := started(t, computers(40)...)
	o := server.options(t)
	o.Timeout = 300 * time.Second
	provider := opened(o)
	server.Fail(vendortest.Fault{Kind: vendortest.Hang, Times: 2}, tokenEndpoint) // both tries
	begin := time.Now()
	var answered atomic.Bool
	var all sync.WaitGroup
	defer all.Wait()
	for i := 0; !answered.Load(); i++ {
		if time.Since(begin) > 40*time.Second {
			t.Fatal("no lookup was answered within 40s, although the server hung only twice")
		}
		q := query(t, numbered(i))
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), whole)
			defer cancel()
			if _, err := provider.Lookup(ctx, q); err == nil {
				answered.Store(true)
			}
		})
		time.Sleep(time.Second)
	}
	t.Logf("a lookup was answered %s after the server began to hang", time.Since(begin).Round(time.Second))
}

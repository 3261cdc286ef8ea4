package vendorhttp_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/provider/providertest/vendortest"
	"step-posture-connector/internal/provider/vendorhttp"
)

// TestRushLosesNoTurn: lookups for which there is no turn in time take none from those that come after them.
func TestRushLosesNoTurn(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	// The next turn is in half an hour.
	c := exchanging(t, vendorhttp.Options{Rate: 1.0 / 1800, Burst: 1, Vendor: vendorhttp.Vendor{Name: "Acme"}}, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	var rush sync.WaitGroup
	for range 500 {
		rush.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), ample)
			defer cancel()
			if err := ask(ctx, c); err != nil && err.Error() != "request: too many lookups for the rate limit of Acme" {
				t.Errorf("Ask = %v", err)
			}
		})
	}
	rush.Wait()
	// Those that come all at the same moment, too.
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	for range 8 {
		rush.Go(func() {
			for range 5000 {
				if c.Reserve(ctx) {
					t.Error("there is a turn half an hour too early")
				}
			}
		})
	}
	rush.Wait()
	if left := c.Turns(); asked.Load() != 1 || left < -0.1 {
		t.Errorf("%d lookups were sent, and %.1f turns are left, want 1 and none", asked.Load(), left)
	}
}

// TestTurnsComeLast: lookups that wait for a place do not take turns meanwhile, with which they would come all at once.
func TestTurnsComeLast(t *testing.T) {
	t.Parallel()
	server := started(t, computers(30)...)
	o := server.options(t)
	o.Rate, o.Burst, o.AtOnce = 1.0/1800, 30, 2
	provider := opened(o)
	gate := make(chan struct{})
	server.Fail(vendortest.Fault{Kind: vendortest.Hold, Until: gate, Times: 2}, "devices")
	var together sync.WaitGroup
	for i := range 30 {
		together.Go(func() { finds(t, provider, numbered(i)) })
	}
	provider.AwaitLookups(28)
	if left := provider.Turns(); left < 28 || left > 28.1 {
		t.Errorf("%.1f turns are left while two of 30 lookups are sent, want 28", left)
	}
	close(gate)
	together.Wait()
	if server.Count("devices") != 30 {
		t.Errorf("%d requests, want 30", server.Count("devices"))
	}
}

// TestRateOfPages: the rate limit holds for the pages of lists too.
func TestRateOfPages(t *testing.T) {
	t.Parallel()
	s, c := newCatalog(t, func(o *vendorhttp.Options) { o.Rate, o.Burst = 1.0/1800, 3 })
	c.size = 4
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	const want = "catalog: too many lookups for the rate limit of Acme"
	if err := c.fetch(ctx); err == nil || err.Error() != want || s.Count("catalog") != 3 {
		t.Errorf("the list = %v after %d pages, want %s after 3", err, s.Count("catalog"), want)
	}
	s, c = newCatalog(t, func(o *vendorhttp.Options) { o.Rate, o.Burst = 20, 1 })
	c.size = 4
	begin := time.Now()
	wantAll(t, s, c, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4)
	if took := time.Since(begin); took < 9*time.Second/20 {
		t.Errorf("ten pages at a rate of 20 a second have taken %v", took)
	}
}

// tooManyOnce is a vendor that answers 429 to the first request, and counts.
type tooManyOnce struct {
	retryAfter string
	asked      atomic.Int64
	arrived    chan struct{} // gets something for each request, where it is not nil
	hold       chan struct{}
}

func (v *tooManyOnce) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	n := v.asked.Add(1)
	if v.arrived != nil {
		v.arrived <- struct{}{}
		<-v.hold
	}
	if n == 1 {
		if v.retryAfter != "" {
			w.Header().Set("Retry-After", v.retryAfter)
		}
		w.WriteHeader(http.StatusTooManyRequests)
	}
}

const lockedOut = "the server has answered that there are too many requests, and is not asked for a while"

// TestLockoutEnds: after a 429, neither its own lookup nor another one reaches the server until the time has passed.
func TestLockoutEnds(t *testing.T) {
	t.Parallel()
	within := func(c *vendorhttp.Client, limit time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		return ask(ctx, c)
	}
	v := &tooManyOnce{}
	c := exchanging(t, vendorhttp.Options{Lockout: time.Hour}, v.ServeHTTP)
	if err := within(c, ample); !vendorhttp.HasStatus(err, "request", http.StatusTooManyRequests) {
		t.Errorf("Ask = %v, want the 429", err)
	}
	for range 3 {
		if err := within(c, ample); err == nil || err.Error() != lockedOut {
			t.Errorf("Ask = %v, want %s", err, lockedOut)
		}
	}
	if v.asked.Load() != 1 {
		t.Errorf("%d requests in the lock-out", v.asked.Load()-1)
	}
	// With time to wait, the lookup itself comes again.
	const brief = time.Second
	v = &tooManyOnce{}
	c = exchanging(t, vendorhttp.Options{Lockout: brief}, v.ServeHTTP)
	begin := time.Now()
	if err := within(c, ample); err != nil || time.Since(begin) < brief || v.asked.Load() != 2 {
		t.Errorf("Ask = %v after %v and %d requests, want it repeated after %v", err, time.Since(begin), v.asked.Load(), brief)
	}
}

// TestLockoutOfThoseThatWait: requests that wait for a place or a turn when the 429 comes are not sent. Those that have time
// are sent later.
func TestLockoutOfThoseThatWait(t *testing.T) {
	t.Parallel()
	v := &tooManyOnce{arrived: make(chan struct{}, 10), hold: make(chan struct{})}
	c := exchanging(t, vendorhttp.Options{Lockout: time.Hour, AtOnce: 1}, v.ServeHTTP)
	var together sync.WaitGroup
	ask := func(want string) {
		together.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), ample)
			defer cancel()
			if err := ask(ctx, c); err == nil || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("Ask = %v, want %s", err, want)
			}
		})
	}
	ask("request answered 429: too many requests")
	<-v.arrived
	for range 5 {
		ask("request: " + lockedOut)
	}
	c.AwaitLookups(5)
	close(v.hold)
	together.Wait()
	if v.asked.Load() != 1 {
		t.Errorf("%d requests in the lock-out", v.asked.Load()-1)
	}
}

// TestLockoutIsKept: another request that the server puts off for a second does not shorten the lock-out.
func TestLockoutIsKept(t *testing.T) {
	t.Parallel()
	arrived, locked := make(chan struct{}), make(chan struct{})
	c := exchanging(t, vendorhttp.Options{Lockout: time.Hour}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("first") {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		close(arrived)
		<-locked
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	var together sync.WaitGroup
	together.Go(func() {
		if err := ask(ctx, c); err == nil {
			t.Error("a 503 is no fault")
		}
	})
	<-arrived
	_, err := c.Ask(ctx, vendorhttp.Request{Endpoint: "first", Method: http.MethodGet, Path: "/", Query: url.Values{"first": {"1"}}})
	until := c.NotBefore()
	close(locked)
	together.Wait()
	if err == nil || until.IsZero() || !c.NotBefore().Equal(until) {
		t.Errorf("Ask = %v; nothing is sent until %v, and then until %v", err, until, c.NotBefore())
	}
}

// TestLockoutOfLists: a page waits until the lock-out has passed, and the list goes on.
func TestLockoutOfLists(t *testing.T) {
	t.Parallel()
	s, c := newCatalog(t, func(o *vendorhttp.Options) { o.Lockout = 1200 * time.Millisecond })
	s.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusTooManyRequests, Times: 1, After: 1}, "catalog")
	begin := time.Now()
	wantAll(t, s, c, 16, 16, 16)
	if time.Since(begin) < 1200*time.Millisecond || s.Count("catalog") != 4 {
		t.Errorf("the list has taken %v and %d requests", time.Since(begin), s.Count("catalog"))
	}
}

// TestLockoutThatIsSaid: what a 429 says makes a lock-out no shorter, and neither does another answer.
func TestLockoutThatIsSaid(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		lockout     time.Duration
		status      int
		retryAfter  string
		least, most time.Duration
	}{
		{time.Hour, 429, "", time.Hour, time.Hour},
		{time.Hour, 429, "0", time.Hour, time.Hour},
		{time.Hour, 429, "soon", time.Hour, time.Hour},
		{time.Hour, 429, "1", time.Hour, time.Hour},
		{time.Hour, 429, "7200", time.Hour, time.Hour},
		{time.Second, 429, "7200", 10 * time.Second, 10 * time.Second},
		{time.Hour, 503, "7200", 10 * time.Second, 10 * time.Second},
		{time.Hour, 503, "", 0, 0},
		{0, 429, "7200", 10 * time.Second, 10 * time.Second},
		{0, 429, "", 0, 0},
	} {
		var later atomic.Bool
		c := exchanging(t, vendorhttp.Options{Lockout: row.lockout, AtOnce: 2}, func(w http.ResponseWriter, _ *http.Request) {
			if later.Load() {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			w.Header().Set("Retry-After", row.retryAfter)
			w.WriteHeader(row.status)
		})
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second) // too little to wait for 10 s
		before := time.Now()
		_ = ask(ctx, c)
		left := c.NotBefore()
		if after := time.Now(); row.most == 0 && !left.IsZero() || row.most > 0 && (left.Before(before.Add(row.least)) || left.After(after.Add(row.most))) {
			t.Errorf("%+v: not before %v from now", row, left.Sub(before))
		}
		later.Store(true)
		_ = ask(ctx, c)
		if c.NotBefore().Before(left) {
			t.Errorf("%+v: made shorter, to %v from now", row, c.NotBefore().Sub(before))
		}
		cancel()
	}
}

package webhook_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/posture"
)

// x509 is an order at the webhook that identifies by an expression.
func (o order) x509(t testing.TB) []byte {
	t.Helper()
	return form(t, "jwk-x509-enriching", func(body members) { o.request(t, body) })
}

func (o order) x509Signing(t testing.TB) []byte {
	t.Helper()
	return form(t, "jwk-x509-authorizing", func(body members) { o.certificate(t, body, serial) })
}

// Where the client has one try, a fault of the state database is tried again within 6 s; elsewhere it is answered at once. A
// database that hangs is waited for within the budget of the path, and the answer is 503 then.
func TestFaultsOfTheStateDatabase(t *testing.T) {
	t.Parallel()
	fault := errors.New("connection refused")
	times := func(n int, operation string) func(context.Context, string) error {
		return func(_ context.Context, of string) error {
			if of == operation && n > 0 {
				n--
				return fault
			}
			return nil
		}
	}
	hanging := func(operation string) func(context.Context, string) error {
		return func(ctx context.Context, of string) error {
			if of == operation {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
	}
	const always = 1000
	const enriching, authorizing = "enriching", "authorizing"
	for name, test := range map[string]struct {
		hook   int
		kind   string
		before func(context.Context, string) error
		code   string
		after  time.Duration
		state  enroll.State // after an enriching request
	}{
		"one fault at first":                {x509Hook, enriching, times(1, "find"), "", 250 * time.Millisecond, enroll.Used},
		"one fault at last":                 {x509Hook, enriching, times(1, "bind"), "", 250 * time.Millisecond, enroll.Used},
		"four faults at last":               {x509Hook, enriching, times(4, "bind"), "", 3750 * time.Millisecond, enroll.Used},
		"faults for ever at first":          {x509Hook, enriching, times(always, "find"), "unavailable", 3750 * time.Millisecond, enroll.Live},
		"faults for ever at last":           {x509Hook, enriching, times(always, "bind"), "unavailable", 3750 * time.Millisecond, enroll.Live},
		"hangs at first":                    {x509Hook, enriching, hanging("find"), "unavailable", 5500 * time.Millisecond, enroll.Live},
		"hangs at last":                     {x509Hook, enriching, hanging("bind"), "unavailable", 5500 * time.Millisecond, enroll.Live},
		"one fault, certificate":            {x509Hook, authorizing, times(1, "bound"), "", 250 * time.Millisecond, ""},
		"faults for ever, certificate":      {x509Hook, authorizing, times(always, "bound"), "unavailable", 3750 * time.Millisecond, ""},
		"hangs, certificate":                {x509Hook, authorizing, hanging("bound"), "unavailable", 5500 * time.Millisecond, ""},
		"one fault, SCEP later":             {laterHook, enriching, times(1, "bound"), "", 250 * time.Millisecond, ""},
		"two faults, SCEP certificate":      {laterHook, authorizing, times(2, "bound"), "", 750 * time.Millisecond, ""},
		"faults for ever, SCEP certificate": {laterHook, authorizing, times(always, "bound"), "unavailable", 3750 * time.Millisecond, ""},
		"hangs, SCEP later":                 {laterHook, enriching, hanging("bound"), "unavailable", 5500 * time.Millisecond, ""},
		"one fault, attested":               {attestedHook, enriching, times(1, "find"), "unavailable", 0, enroll.Live},
		"one fault at last, attested":       {attestedHook, enriching, times(1, "bind"), "unavailable", 0, enroll.Live},
		"hangs, attested":                   {attestedHook, enriching, hanging("find"), "unavailable", 8500 * time.Millisecond, enroll.Live},
		"hangs at last, attested":           {attestedHook, enriching, hanging("bind"), "unavailable", 8500 * time.Millisecond, enroll.Live},
		"hangs, attested certificate":       {attestedHook, authorizing, hanging("bound"), "unavailable", 8500 * time.Millisecond, ""},
		"one fault, challenge":              {challengeHook, enriching, times(1, "find"), "unavailable", 0, enroll.Live},
		"hangs, challenge":                  {challengeHook, enriching, hanging("bind"), "unavailable", 8500 * time.Millisecond, enroll.Live},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnrolment(t)
			shown, token := e.issue(t, serial, "")
			o, scep := enrolling(t, shown), bySCEP(t, shown)
			bodies := map[int]map[string][]byte{
				attestedHook: {enriching: o.enriching(t, serial), authorizing: o.authorizing(t, serial)}, x509Hook: {enriching: o.x509(t), authorizing: o.x509Signing(t)},
				challengeHook: {enriching: scep.challenging(t, shown)}, laterHook: {enriching: scep.later(t), authorizing: scep.signing(t)},
			}
			switch {
			case test.hook == laterHook:
				wantAllow(t, "challenge", e.ask(t, challengeHook, scep.challenging(t, shown)))
			case test.kind == authorizing:
				wantAllow(t, "CSR", e.ask(t, test.hook, bodies[test.hook][enriching]))
			}
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				e.handler.Now = func() time.Time { return recorded().Add(time.Since(begin)) }
				e.store.before = test.before
				got := e.ask(t, test.hook, bodies[test.hook][test.kind])
				if took := time.Since(begin); got.code != test.code || took != test.after {
					t.Errorf("got %q (%s) after %s, want %q after %s", got.code, got.event.Reason, took, test.code, test.after)
				}
				if want := map[bool]int{true: http.StatusServiceUnavailable, false: http.StatusOK}[test.code == "unavailable"]; got.status != want {
					t.Errorf("got status %d, want %d", got.status, want)
				}
				e.store.before = nil
				if test.state != "" {
					e.wantState(t, name, token, test.state)
				}
				wantAllow(t, "then", e.ask(t, test.hook, bodies[test.hook][test.kind]))
			})
		})
	}
}

// What is wrong with a token is no fault, and is not tried again; nor does anybody wait for a client that has left.
func TestNoSecondTryWithAToken(t *testing.T) {
	t.Parallel()
	e := newEnrolment(t)
	body := enrolling(t, "unknown").x509(t)
	synctest.Test(t, func(t *testing.T) {
		begin, calls := time.Now(), e.store.calls.Load()
		wantInvalid(t, "unknown", e.ask(t, x509Hook, body), "no such token")
		if took := time.Since(begin); took != 0 || e.store.calls.Load() != calls+1 {
			t.Errorf("%d calls took %s, want one", e.store.calls.Load()-calls, took)
		}
		tries := 0
		e.store.before = func(context.Context, string) error {
			if tries++; tries == 1 {
				return errors.New("connection refused")
			}
			return nil
		}
		wantInvalid(t, "a fault, then unknown", e.ask(t, x509Hook, body), "no such token")
		if took := time.Since(begin); took != 250*time.Millisecond {
			t.Errorf("took %s, want one pause", took)
		}
	})
}

// The inventory and the state database share one budget.
func TestSlowInventoryAndStateDatabase(t *testing.T) {
	t.Parallel()
	e := newEnrolment(t)
	shown, token := e.issue(t, serial, "")
	body := enrolling(t, shown).x509(t)
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		e.handler.Now = func() time.Time { return recorded().Add(time.Since(begin)) }
		e.lookup = func(posture.Query) error { time.Sleep(3 * time.Second); return nil }
		e.store.before = func(_ context.Context, operation string) error {
			if operation == "bind" {
				return errors.New("connection refused")
			}
			time.Sleep(time.Second)
			return nil
		}
		wantCode(t, "slow", e.ask(t, x509Hook, body), http.StatusServiceUnavailable, "unavailable")
		if took := time.Since(begin); took > 5500*time.Millisecond {
			t.Errorf("took %s, want 5.5s at most", took)
		}
		e.store.before = nil
		e.wantState(t, "slow", token, enroll.Live)
	})
}

// Without a state database a policy that requires a token allows nothing.
func TestNoStateDatabase(t *testing.T) {
	t.Parallel()
	e := newEnrolment(t)
	shown, _ := e.issue(t, serial, "")
	o := enrolling(t, shown)
	e.handler.Tokens = nil
	for hook, bodies := range map[int][][]byte{
		attestedHook: {o.enriching(t, serial), o.authorizing(t, serial)}, challengeHook: {bySCEP(t, shown).challenging(t, shown)},
		laterHook: {bySCEP(t, shown).later(t), o.signing(t)}, x509Hook: {o.x509Signing(t)},
	} {
		for _, body := range bodies {
			synctest.Test(t, func(t *testing.T) {
				wantCode(t, "no database", e.ask(t, hook, body), http.StatusServiceUnavailable, "unavailable")
			})
		}
	}
}

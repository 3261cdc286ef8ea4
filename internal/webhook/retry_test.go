package webhook_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/webhook"
)

// A client with a token has one try, so a fault is tried again within 6 s; a refusal is none, and an order with attestation can
// be tried again by the client.
func TestFaultsAreTriedAgain(t *testing.T) {
	t.Parallel()
	fault := errors.New("connection refused")
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	failing := func(times int, then error) func(context.Context, int) error {
		return func(_ context.Context, call int) error {
			if call <= times {
				return fault
			}
			return then
		}
	}
	const always = 1000
	for name, test := range map[string]struct {
		sample string
		answer func(ctx context.Context, call int) error
		code   string
		calls  int
		after  time.Duration
	}{
		"at once":                {"k8ssa-x509-enriching", failing(0, nil), "", 1, 0},
		"one fault":              {"k8ssa-x509-enriching", failing(1, nil), "", 2, 250 * time.Millisecond},
		"one fault, SSH":         {"k8ssa-sshuser-authorizing", failing(1, nil), "", 2, 250 * time.Millisecond},
		"two faults, SSH host":   {"k8ssa-sshhost-enriching", failing(2, nil), "", 3, 750 * time.Millisecond},
		"four faults":            {"k8ssa-x509-authorizing", failing(4, nil), "", 5, 3750 * time.Millisecond},
		"a fault, then unknown":  {"k8ssa-x509-enriching", failing(1, posture.ErrNotFound), "deviceNotFound", 2, 250 * time.Millisecond},
		"unknown at once":        {"k8ssa-x509-enriching", failing(0, posture.ErrNotFound), "deviceNotFound", 1, 0},
		"faults for ever":        {"k8ssa-x509-enriching", failing(always, nil), "unavailable", 5, 3750 * time.Millisecond},
		"silence":                {"k8ssa-x509-enriching", func(ctx context.Context, _ int) error { return hang(ctx) }, "unavailable", 1, 5500 * time.Millisecond},
		"silence of an attested": {"acme-da-x509-enriching", func(ctx context.Context, _ int) error { return hang(ctx) }, "unavailable", 1, 8500 * time.Millisecond},
		"fault of an attested":   {"acme-da-x509-enriching", failing(1, nil), "unavailable", 1, 0},
		"a fault, then silence": {"k8ssa-x509-enriching", func(ctx context.Context, call int) error {
			if call == 1 {
				return fault
			}
			return hang(ctx)
		}, "unavailable", 2, 5500 * time.Millisecond},
		"faults after a while": {"k8ssa-x509-enriching", func(context.Context, int) error {
			time.Sleep(3 * time.Second)
			return fault
		}, "unavailable", 2, 6250 * time.Millisecond}, // the second call overruns, for it does not heed its limit
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := readSample(t, test.sample), callerOf(test.sample)
			hook := c.hookFor(t)
			synctest.Test(t, func(t *testing.T) {
				calls, begin := 0, time.Now()
				hook.Gate = gateOf(inventory(func(ctx context.Context, q posture.Query) (posture.Device, error) {
					calls++
					if err := test.answer(ctx, calls); err != nil {
						return posture.Device{}, err
					}
					return allowing()(ctx, q)
				}))
				d := newDoor(hook, true)
				d.handler.Now = func() time.Time { return timeOf(t, s.body).Add(time.Since(begin)) }
				w := d.ask(pathFor(c.accepts)+c.query, s.body)
				_, code := d.allowed(w)
				if took := time.Since(begin); code != test.code || calls != test.calls || took != test.after {
					t.Errorf("got code %q (%s) after %d calls and %s, want %q after %d and %s", code, d.last.Reason, calls, took, test.code, test.calls, test.after)
				}
				if wantStatus := map[bool]int{true: 503, false: 200}[code == "unavailable"]; w.Code != wantStatus {
					t.Errorf("got status %d, want %d", w.Code, wantStatus)
				}
			})
		})
	}
}

// Nobody waits for the answer to a client that has left.
func TestNoSecondTryForAClientThatLeft(t *testing.T) {
	t.Parallel()
	s, c := readSample(t, "k8ssa-x509-enriching"), callerOf("k8ssa-x509-enriching")
	hook := c.hookFor(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		calls, begin := 0, time.Now()
		hook.Gate = gateOf(inventory(func(context.Context, posture.Query) (posture.Device, error) {
			calls++
			time.AfterFunc(100*time.Millisecond, leave)
			return posture.Device{}, errors.New("connection refused")
		}))
		d := newDoor(hook, true).at(timeOf(t, s.body))
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, webhook.CertificatePath+c.query, bytes.NewReader(s.body))
		r.ProtoMajor = 2
		for header, values := range signed(hook, s.body) {
			r.Header[header] = values
		}
		w := httptest.NewRecorder()
		d.handler.ServeHTTP(w, r)
		if took := time.Since(begin); w.Code != http.StatusServiceUnavailable || calls != 1 || took != 100*time.Millisecond {
			t.Errorf("got %d after %d calls and %s, want 503 after the first call, when the client left", w.Code, calls, took)
		}
	})
}

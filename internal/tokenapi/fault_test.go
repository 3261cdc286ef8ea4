package tokenapi_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/enroll"
)

// operations are the three, each as it would succeed.
func operations(t *testing.T, a *api, id string) map[string]reply {
	t.Helper()
	return map[string]reply{
		"issue":  a.issue(t, enrolBearer, `{"policy":"enrolment","identifier":"C02"}`),
		"list":   a.list(t, enrolBearer, ""),
		"revoke": a.revoke(t, enrolBearer, id),
	}
}

func TestDatabaseIsDown(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	a := startWith(t, store)
	id := a.issued(t, enrolBearer, `{"policy":"enrolment","identifier":"C02"}`).body.ID
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	for name, r := range operations(t, a, id) {
		wantError(t, r, http.StatusServiceUnavailable, "unavailable", "try again later")
		if r.event.Operation != name || r.event.Client != "enrol" || r.closed {
			t.Errorf("%s: got event %+v, closed %v", name, r.event, r.closed)
		}
		if strings.Contains(r.text, r.event.Reason) {
			t.Errorf("%s: got %s, want no cause", name, r.text)
		}
	}
	wantError(t, a.list(t, "wrong", ""), http.StatusUnauthorized, "unauthenticated")
	wantError(t, a.issue(t, enrolBearer, `{}`), http.StatusBadRequest, "malformed")
}

// A panic ends one request.
func TestPanic(t *testing.T) {
	t.Parallel()
	a := start(t)
	tokens := a.handler.Tokens
	a.handler.Tokens = nil
	for name, r := range operations(t, a, "X") {
		wantError(t, r, http.StatusInternalServerError, "internal", "has a fault")
		if !strings.Contains(r.event.Reason, "nil pointer") || !strings.Contains(r.event.Stack, "tokenapi") {
			t.Errorf("%s: got event %+v, want the cause and the stack", name, r.event)
		}
	}
	a.handler.Tokens = tokens
	a.issued(t, enrolBearer, `{"policy":"enrolment","identifier":"C02"}`)
}

// deadlines is the state database, with the time that it was given.
type deadlines struct {
	enroll.Store
	left chan time.Duration
}

func (d *deadlines) note(ctx context.Context) {
	deadline, _ := ctx.Deadline()
	d.left <- time.Until(deadline)
}

func (d *deadlines) Insert(ctx context.Context, t enroll.Token, lifetime time.Duration) (enroll.Token, error) {
	d.note(ctx)
	return d.Store.Insert(ctx, t, lifetime)
}

func (d *deadlines) List(ctx context.Context, f enroll.Filter) ([]enroll.Token, bool, error) {
	d.note(ctx)
	return d.Store.List(ctx, f)
}

func (d *deadlines) Revoke(ctx context.Context, id string, policies []string) error {
	d.note(ctx)
	return d.Store.Revoke(ctx, id, policies)
}

func TestBudget(t *testing.T) {
	t.Parallel()
	d := &deadlines{openStore(t), make(chan time.Duration, 3)}
	operations(t, startWith(t, d), "X")
	for range 3 {
		if left := <-d.left; left <= 0 || left > 9*time.Second {
			t.Errorf("the database was given %s, want no more than 9s", left)
		}
	}
}

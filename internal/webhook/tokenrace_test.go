package webhook_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"step-posture-connector/internal/enroll"
)

// What happens to a token after it was looked up counts when it is redeemed.
func TestTokenChangesBetween(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		happens func(t *testing.T, e *enrolment, token enroll.Token, own order)
		reason  string // of a refusal
		state   enroll.State
	}{
		"nothing": {func(*testing.T, *enrolment, enroll.Token, order) {}, "", enroll.Used},
		"expires": {func(t *testing.T, e *enrolment, k enroll.Token, _ order) { t.Helper(); e.age(t, k, time.Hour) }, "the token expired at", enroll.Expired},
		"revoked": {func(t *testing.T, e *enrolment, k enroll.Token, _ order) { t.Helper(); e.revoke(t, k) }, "the token was revoked at", enroll.Revoked},
		"redeemed by another key": {func(t *testing.T, e *enrolment, k enroll.Token, _ order) {
			t.Helper()
			e.bind(t, k, order{key: newKey(t)}, serial)
		}, "redeemed with another key", enroll.Used},
		"redeemed by its key": {func(t *testing.T, e *enrolment, k enroll.Token, own order) { t.Helper(); e.bind(t, k, own, serial) }, "", enroll.Used},
		"redeemed by its key for another device": {func(t *testing.T, e *enrolment, k enroll.Token, own order) {
			t.Helper()
			e.bind(t, k, own, otherSerial)
		}, `redeemed by the device "` + otherSerial, enroll.Used},
		"gone": {func(t *testing.T, e *enrolment, k enroll.Token, _ order) {
			t.Helper()
			e.administer(t, "DELETE FROM tokens WHERE id = $1", k.ID)
		}, "the token is gone", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnrolment(t)
			shown, token := e.issue(t, "", udid)
			o := enrolling(t, shown)
			e.store.before = func(_ context.Context, operation string) error {
				if operation == "bind" {
					test.happens(t, e, token, o)
				}
				return nil
			}
			got := e.ask(t, attestedHook, o.enriching(t, serial))
			if test.reason == "" {
				wantAllow(t, name, got)
			} else {
				wantInvalid(t, name, got, test.reason)
				if got.event.TokenID != token.ID {
					t.Errorf("got token %q in the event, want %s", got.event.TokenID, token.ID)
				}
			}
			if test.state != "" {
				e.wantState(t, name, token, test.state)
			}
		})
	}
}

func (e *enrolment) bind(t testing.TB, token enroll.Token, by order, identifier string) {
	t.Helper()
	if _, err := e.db.Bind(t.Context(), token.Hash, by.keyHash(t), identifier); err != nil {
		t.Fatal(err)
	}
}

// idle is a store that redeems nothing, and says so.
type idle struct{ enroll.Store }

func (s idle) Bind(ctx context.Context, h enroll.Hash, _ enroll.Key, _ string) (enroll.Token, error) {
	return s.Find(ctx, h)
}

// A token that is not bound afterwards is a fault, and no allow.
func TestTokenIsNotBound(t *testing.T) {
	t.Parallel()
	e := newEnrolment(t)
	shown, token := e.issue(t, serial, "")
	e.tokens.Store = idle{e.db}
	wantCode(t, "not bound", e.ask(t, attestedHook, enrolling(t, shown).enriching(t, serial)), http.StatusServiceUnavailable, "unavailable")
	e.wantState(t, "not bound", token, enroll.Live)
}

// Without udid_in the UDID of the record alone counts; a list that pairs none leaves that of the CSR.
func TestUDIDOfOnePlace(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		udidIn           string
		unpaired         bool
		identifier, udid string // the token is for
		record           string
		allowed          bool
	}{
		"record, the same":                      {"", false, "", udid, udid, true},
		"record, another":                       {"", false, "", otherUDID, udid, false},
		"record, another, with an identifier":   {"", false, serial, otherUDID, udid, false},
		"no record":                             {"", false, "", udid, "", false},
		"no record, with an identifier":         {"", false, serial, otherUDID, "", true},
		"CSR, the same":                         {udidIn, true, "", udid, "", true},
		"CSR, the same, and another record":     {udidIn, true, "", udid, otherUDID, true},
		"CSR, another":                          {udidIn, true, "", otherUDID, otherUDID, false},
		"CSR, another, with an identifier":      {udidIn, true, serial, otherUDID, otherUDID, false},
		"CSR, the same, with an identifier":     {udidIn, true, serial, udid, "", true},
		"CSR, the same, for another identifier": {udidIn, true, otherSerial, udid, "", false},
	} {
		e := newEnrolment(t)
		e.rule.UDIDIn, e.rule.UnpairedUDID, e.udids[serial] = test.udidIn, test.unpaired, test.record
		shown, token := e.issue(t, test.identifier, test.udid)
		got := e.ask(t, attestedHook, enrolling(t, shown).enriching(t, serial))
		if test.allowed {
			wantAllow(t, name, got)
		} else {
			wantInvalid(t, name, got, "the token ")
		}
		e.wantState(t, name, token, map[bool]enroll.State{true: enroll.Used, false: enroll.Live}[test.allowed])
	}
}

package webhook_test

import (
	"context"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/posture"
)

// An order with its token is allowed, again with the same key in the same words, and then its certificate.
func TestTokenIsRedeemed(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]struct{ identifier, udid string }{
		"for an identifier":               {serial, ""},
		"in another case":                 {strings.ToLower(serial), ""},
		"for both":                        {serial, udid},
		"for a UDID":                      {"", udid},
		"for a UDID in another form":      {"", strings.ToLower(strings.ReplaceAll(udid, "-", ""))},
		"for a UDID with more of hyphens": {serial, "-" + udid + "-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnrolment(t)
			text, token := e.issue(t, of.identifier, of.udid)
			o := enrolling(t, text)
			body := o.enriching(t, serial)
			first := e.ask(t, attestedHook, body)
			wantAllow(t, "first", first)
			e.wantState(t, "first", token, enroll.Used)
			if first.event.TokenID != token.ID || first.event.Policy != "enrolment" {
				t.Errorf("got event %+v, want the token and the policy", first.event)
			}
			for what, body := range map[string][]byte{"again": body, "another CSR": o.enriching(t, serial), "in another case": o.enriching(t, serial)} {
				if again := e.ask(t, attestedHook, body); again.body != first.body {
					t.Errorf("%s: got %s, want %s", what, again.body, first.body)
				}
			}
			certificate := e.ask(t, attestedHook, o.authorizing(t, serial))
			wantAllow(t, "certificate", certificate)
			if certificate.event.TokenID != token.ID {
				t.Errorf("got token %q in the event, want %s", certificate.event.TokenID, token.ID)
			}
			// Within the 10 minutes after it, whatever the lifetime.
			e.age(t, token, 9*time.Minute)
			wantAllow(t, "again after 9 minutes", e.ask(t, attestedHook, body))
			wantAllow(t, "certificate after 9 minutes", e.ask(t, attestedHook, o.authorizing(t, serial)))
			e.age(t, token, time.Minute)
			wantInvalid(t, "again after 10 minutes", e.ask(t, attestedHook, body), "was good for its key until")
			wantInvalid(t, "certificate after 10 minutes", e.ask(t, attestedHook, o.authorizing(t, serial)), "was good for its key until")
		})
	}
}

// All that is wrong with a token has one answer; the reason tells it apart. The token stays as it was.
func TestTokenIsInvalid(t *testing.T) {
	t.Parallel()
	type test struct {
		identifier, udid string                                     // the token is for
		before           func(*testing.T, *enrolment, enroll.Token) // what happened to it
		change           func(t *testing.T, o *order)               // to the order
		asks             string                                     // the device, if it is another one
		hook             int                                        // that is called
		text             func(token string) (shown string)          // what is shown
		reason           string
		state            enroll.State
	}
	shownUDID := func(values ...string) func(*testing.T, *order) {
		return func(t *testing.T, o *order) {
			t.Helper()
			o.subject = o.subject[:2]
			for _, v := range values {
				o.subject = append(o.subject, with(attribute(t, udidIn, text(asn1.TagUTF8String, v)))...)
			}
		}
	}
	for name, test := range map[string]test{
		"unknown":                   {identifier: serial, text: func(string) string { return strings.Repeat("A", 43) }, reason: "no such token"},
		"empty":                     {identifier: serial, text: func(string) string { return "" }, reason: "no such token"},
		"garbage":                   {identifier: serial, text: func(string) string { return "%00'; DROP TABLE tokens --" }, reason: "no such token"},
		"a space more":              {identifier: serial, text: func(token string) string { return token + " " }, reason: "no such token"},
		"a character less":          {identifier: serial, text: func(token string) string { return token[1:] }, reason: "no such token"},
		"in capitals":               {identifier: serial, text: strings.ToUpper, reason: "no such token"},
		"expired":                   {identifier: serial, before: func(t *testing.T, e *enrolment, k enroll.Token) { t.Helper(); e.age(t, k, 5*time.Minute) }, reason: "the token expired at", state: enroll.Expired},
		"revoked":                   {identifier: serial, before: func(t *testing.T, e *enrolment, k enroll.Token) { t.Helper(); e.revoke(t, k) }, reason: "the token was revoked at", state: enroll.Revoked},
		"other device":              {identifier: otherSerial, reason: "for the device"},
		"other device asks":         {identifier: serial, asks: otherSerial, change: func(t *testing.T, o *order) { t.Helper(); o.subject[0] = with(attribute(t, "2.5.4.3", otherSerial))[0] }, reason: "for the device"},
		"other policy":              {identifier: serial, hook: otherPolicyHook, reason: "the token is for the policy enrolment"},
		"other UDID":                {identifier: serial, udid: otherUDID, reason: "the CSR has another one"},
		"other UDID alone":          {udid: otherUDID, reason: "the CSR has another one"},
		"no UDID in the CSR":        {identifier: serial, udid: udid, change: shownUDID(), reason: "the CSR has 0 in 2.5.4.45"},
		"empty UDID in the CSR":     {identifier: serial, udid: udid, change: shownUDID(""), reason: "the CSR has another one"},
		"UDID twice":                {identifier: serial, udid: udid, change: shownUDID(udid, udid), reason: "the CSR has 2 in 2.5.4.45"},
		"two UDIDs":                 {udid: udid, change: shownUDID(udid, otherUDID), reason: "the CSR has 2 in 2.5.4.45"},
		"UDID with a blank":         {udid: udid, change: shownUDID(udid + " "), reason: "the CSR has another one"},
		"UDID of the record":        {identifier: serial, udid: udid, before: func(_ *testing.T, e *enrolment, _ enroll.Token) { e.udids[serial] = otherUDID }, reason: "the inventory says that the device has another one"},
		"UDID of the record, alone": {udid: udid, before: func(_ *testing.T, e *enrolment, _ enroll.Token) { e.udids[serial] = otherUDID }, reason: "the inventory says that the device has another one"},
		"UDID of no record":         {udid: udid, before: func(_ *testing.T, e *enrolment, _ enroll.Token) { e.udids[serial] = "" }, reason: "no inventory knows the UDID"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnrolment(t)
			shown, token := e.issue(t, test.identifier, test.udid)
			if test.before != nil {
				test.before(t, e, token)
			}
			if test.text != nil {
				shown = test.text(shown)
			}
			o := enrolling(t, shown)
			if test.change != nil {
				test.change(t, &o)
			}
			asks := serial
			if test.asks != "" {
				asks = test.asks
			}
			if test.state == "" {
				test.state = enroll.Live
			}
			e.gate.Policy.ReportOnly = true // which covers no token
			body, calls := o.enriching(t, asks), e.store.calls.Load()
			refused := e.ask(t, test.hook, body)
			wantInvalid(t, name, refused, test.reason)
			if want := map[bool]string{false: token.ID}[test.text != nil]; refused.event.TokenID != want { // of an unknown one nothing is known
				t.Errorf("got token %q in the event, want %q", refused.event.TokenID, want)
			}
			if got := e.store.calls.Load() - calls; got != 1 {
				t.Errorf("the state database was asked %d times, want once for each of them: the time shows nothing", got)
			}
			e.wantState(t, name, token, test.state)
			wantInvalid(t, "certificate", e.ask(t, test.hook, o.authorizing(t, asks)), "add the ENRICHING webhook")
		})
	}
}

// A token is good for one key: no other one, by whomever, and no other device with its key.
func TestTokenIsGoodForOneKey(t *testing.T) {
	t.Parallel()
	e := newEnrolment(t)
	text, token := e.issue(t, "", udid)
	o := enrolling(t, text)
	wantAllow(t, "first", e.ask(t, attestedHook, o.enriching(t, serial)))
	other := enrolling(t, text)
	wantInvalid(t, "other key", e.ask(t, attestedHook, other.enriching(t, serial)), "redeemed with another key")
	wantInvalid(t, "other key's certificate", e.ask(t, attestedHook, other.authorizing(t, serial)), "no token was redeemed with this key")
	// The same UDID in two records: a token for a UDID is bound to a device too.
	e.udids[otherSerial] = udid
	o.subject[0] = with(attribute(t, "2.5.4.3", otherSerial))[0]
	wantInvalid(t, "other device with the key", e.ask(t, attestedHook, o.enriching(t, otherSerial)), `redeemed by the device "`+serial)
	wantInvalid(t, "other device's certificate", e.ask(t, attestedHook, o.authorizing(t, otherSerial)), `redeemed by the device "`+serial)
	wantInvalid(t, "other policy's certificate", e.ask(t, otherPolicyHook, o.authorizing(t, serial)), "no token was redeemed with this key")
	wantAllow(t, "its certificate", e.ask(t, attestedHook, o.authorizing(t, serial)))
	// A token of the other device with the same key changes nothing.
	second, its := e.issue(t, otherSerial, "")
	o.subject[1] = with(attribute(t, tokenIn, second))[0]
	wantAllow(t, "other device's own token", e.ask(t, attestedHook, o.enriching(t, otherSerial)))
	for identifier, want := range map[string]string{serial: token.ID, otherSerial: its.ID} {
		got := e.ask(t, attestedHook, o.authorizing(t, identifier))
		wantAllow(t, "certificate of "+identifier, got)
		if got.event.TokenID != want {
			t.Errorf("got token %s for %s, want its own, %s", got.event.TokenID, identifier, want)
		}
	}
	o.subject[1] = with(attribute(t, tokenIn, text))[0]
	e.revoke(t, its)
	e.revoke(t, token)
	o.subject[0] = with(attribute(t, "2.5.4.3", serial))[0]
	wantInvalid(t, "revoked, same key", e.ask(t, attestedHook, o.enriching(t, serial)), "the token was revoked at")
	wantInvalid(t, "revoked, certificate", e.ask(t, attestedHook, o.authorizing(t, serial)), "the token was revoked at")
}

// What refuses or fails before it leaves the token usable.
func TestTokenIsRedeemedLast(t *testing.T) {
	t.Parallel()
	e := newEnrolment(t)
	text, token := e.issue(t, serial, udid)
	body := enrolling(t, text).enriching(t, serial)
	fault := errors.New("connection refused")
	for _, step := range []struct {
		name   string
		begin  func()
		status int
		code   string
	}{
		{"rules", func() { e.rules.refuses = true }, http.StatusOK, "diskNotEncrypted"},
		{"unknown device", func() { e.lookup = func(posture.Query) error { return posture.ErrNotFound } }, http.StatusOK, "deviceNotFound"},
		{"inventory down", func() { e.lookup = func(posture.Query) error { return fault } }, http.StatusServiceUnavailable, "unavailable"},
		{"panic", func() { e.lookup = func(posture.Query) error { panic("fault") } }, http.StatusInternalServerError, "internal"},
		{"database down at first", func() { e.store.before = failing("find", fault) }, http.StatusServiceUnavailable, "unavailable"},
		{"database down at last", func() { e.store.before = failing("bind", fault) }, http.StatusServiceUnavailable, "unavailable"},
	} {
		e.rules.refuses, e.lookup, e.store.before = false, nil, nil
		step.begin()
		wantCode(t, step.name, e.ask(t, attestedHook, body), step.status, step.code)
		e.wantState(t, step.name, token, enroll.Live)
	}
	e.rules.refuses, e.lookup, e.store.before = false, nil, nil
	// Nobody else's order has used it up.
	wantInvalid(t, "other device", e.ask(t, attestedHook, order{key: newKey(t), subject: enrolling(t, text).subject[1:]}.enriching(t, otherSerial)), "for the device")
	e.wantState(t, "other device", token, enroll.Live)
	// Revoked after it was looked up, before it is redeemed.
	e.store.before = func(_ context.Context, operation string) error {
		if operation == "bind" {
			e.revoke(t, token)
		}
		return nil
	}
	wantInvalid(t, "revoked between", e.ask(t, attestedHook, body), "the token was revoked at")
	e.wantState(t, "revoked between", token, enroll.Revoked)
	if err := e.db.Close(); err != nil {
		t.Fatal(err)
	}
	e.store.before = nil
	wantCode(t, "closed", e.ask(t, attestedHook, body), http.StatusServiceUnavailable, "unavailable")
}

func failing(operation string, err error) func(context.Context, string) error {
	return func(_ context.Context, of string) error {
		if of == operation {
			return err
		}
		return nil
	}
}

// Of many orders with one token and different keys, one is allowed, and its key alone afterwards.
func TestTokenIsRedeemedOnce(t *testing.T) {
	t.Parallel()
	e := newEnrolment(t)
	text, _ := e.issue(t, serial, "")
	const at = 20
	bodies, answers := make([][]byte, at), make([]said, at)
	for i := range bodies {
		bodies[i] = enrolling(t, text).enriching(t, serial)
	}
	var all sync.WaitGroup
	for i := range bodies {
		all.Go(func() { answers[i] = e.ask(t, attestedHook, bodies[i]) })
	}
	all.Wait()
	var winners []int
	for i, a := range answers {
		if a.code == "" {
			winners = append(winners, i)
		} else {
			a.event = nil // that of another request
			wantInvalid(t, fmt.Sprint(i), a, "")
		}
	}
	if len(winners) != 1 {
		t.Fatalf("%d keys were allowed, want one", len(winners))
	}
	for i := range bodies {
		if got := e.ask(t, attestedHook, bodies[i]); (got.code == "") != (i == winners[0]) {
			t.Errorf("%d: got %s afterwards", i, got.body)
		}
	}
}

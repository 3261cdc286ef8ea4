package webhook_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/posture"
)

// bySCEP is the order of a device whose CSR has the challenge.
func bySCEP(t testing.TB, challenge string) order {
	t.Helper()
	return order{key: newKey(t), subject: with(attribute(t, "2.5.4.3", serial)), challenges: []asn1.RawValue{text(asn1.TagPrintableString, challenge)}}
}

// challenging is the SCEPCHALLENGE request; nil is no challenge.
func (o order) challenging(t testing.TB, challenge any) []byte {
	t.Helper()
	return form(t, "scep-x509-scepchallenge", func(body members) {
		o.request(t, body)
		body["scepChallenge"] = challenge
		if challenge == nil {
			delete(body, "scepChallenge")
		}
	})
}

// later is the ENRICHING request of the order, and signing the AUTHORIZING one.
func (o order) later(t testing.TB) []byte {
	t.Helper()
	return form(t, "scep-x509-enriching", func(body members) { o.request(t, body) })
}

func (o order) signing(t testing.TB, changes ...func(certificate members)) []byte {
	t.Helper()
	return form(t, "scep-x509-authorizing", func(body members) { o.certificate(t, body, serial, changes...) })
}

// permanent is an extension of subject alternative names with permanent identifiers.
func permanent(t testing.TB, identifiers ...string) pkix.Extension {
	t.Helper()
	var names []asn1.RawValue
	for _, text := range identifiers {
		value := marshal(t, struct {
			Identifier string `asn1:"utf8"`
		}{text})
		names = append(names, asn1.RawValue{Class: 2, Tag: 0, IsCompound: true, Bytes: append(marshal(t, oid(t, "1.3.6.1.5.5.7.8.3")), marshal(t, asn1.RawValue{Class: 2, Tag: 0, IsCompound: true, Bytes: value})...)})
	}
	return pkix.Extension{Id: oid(t, "2.5.29.17"), Value: marshal(t, names)}
}

// A SCEP order: its challenge, then the ENRICHING and the AUTHORIZING request, each as often as step-ca likes.
func TestSCEPOrder(t *testing.T) {
	t.Parallel()
	e := newEnrolment(t)
	challenge, token := e.issue(t, serial, "")
	o := bySCEP(t, challenge)
	wantInvalid(t, "ENRICHING before the challenge", e.ask(t, laterHook, o.later(t)), "SCEPCHALLENGE")
	wantInvalid(t, "AUTHORIZING before the challenge", e.ask(t, laterHook, o.signing(t)), "no token was redeemed with this key")
	e.wantState(t, "before", token, enroll.Live)
	first := e.ask(t, challengeHook, o.challenging(t, challenge))
	wantAllow(t, "challenge", first)
	e.wantState(t, "challenge", token, enroll.Used)
	if first.event.Identifier != serial || first.event.TokenID != token.ID || first.body != `{"allow":true,"data":{"of":"the policy"}}` {
		t.Errorf("got %s for %q with %q, want the data for the device of the token", first.body, first.event.Identifier, first.event.TokenID)
	}
	for range 2 {
		if again := e.ask(t, challengeHook, o.challenging(t, challenge)); again.body != first.body {
			t.Errorf("got %s again, want %s", again.body, first.body)
		}
		for what, body := range map[string][]byte{"ENRICHING": o.later(t), "AUTHORIZING": o.signing(t)} {
			got := e.ask(t, laterHook, body)
			wantAllow(t, what, got)
			if got.event.Identifier != serial || got.event.TokenID != token.ID {
				t.Errorf("%s: got %q with %q, want the device of the token", what, got.event.Identifier, got.event.TokenID)
			}
		}
	}
	for name, body := range map[string][]byte{"ENRICHING": o.later(t), "AUTHORIZING": o.signing(t)} {
		e.rules.refuses = true
		wantCode(t, name+" that rules refuse", e.ask(t, laterHook, body), http.StatusOK, "diskNotEncrypted")
		e.rules.refuses = false
		wantInvalid(t, name+" of another policy", e.ask(t, otherLaterHook, body), "redeemed with")
	}
	wantCode(t, "certificate with the challenge", e.ask(t, laterHook, o.signing(t, inExtension([]byte(challenge)))), http.StatusOK, "tokenInCertificate")
	wantCode(t, "certificate named by the challenge", e.ask(t, laterHook, o.signing(t, func(c members) { c["subject"] = members{"commonName": challenge} })), http.StatusOK, "tokenInCertificate")
	// Another order, with another key.
	other := bySCEP(t, challenge)
	wantInvalid(t, "challenge again", e.ask(t, challengeHook, other.challenging(t, challenge)), "redeemed with another key")
	wantInvalid(t, "ENRICHING of another key", e.ask(t, laterHook, other.later(t)), "no challenge was redeemed")
	wantInvalid(t, "AUTHORIZING of another key", e.ask(t, laterHook, other.signing(t)), "no token was redeemed")
	e.age(t, token, 10*time.Minute)
	wantInvalid(t, "challenge, late", e.ask(t, challengeHook, o.challenging(t, challenge)), "was good for its key until")
	wantInvalid(t, "ENRICHING, late", e.ask(t, laterHook, o.later(t)), "was good for its key until")
	wantInvalid(t, "AUTHORIZING, late", e.ask(t, laterHook, o.signing(t)), "was good for its key until")
	e.age(t, token, -10*time.Minute)
	e.revoke(t, token)
	wantInvalid(t, "challenge, revoked", e.ask(t, challengeHook, o.challenging(t, challenge)), "was revoked at")
	wantInvalid(t, "ENRICHING, revoked", e.ask(t, laterHook, o.later(t)), "was revoked at")
	wantInvalid(t, "AUTHORIZING, revoked", e.ask(t, laterHook, o.signing(t)), "was revoked at")
}

// What is wrong with a challenge has one answer, and leaves the token as it was.
func TestChallengeIsInvalid(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		identifier, udid string
		before           func(t *testing.T, e *enrolment, token enroll.Token)
		shown            func(challenge string) any
		udids            []string // in the CSR
		reason           string
		state            enroll.State
	}{
		"absent":                  {identifier: serial, shown: func(string) any { return nil }, reason: "no challenge"},
		"empty":                   {identifier: serial, shown: func(string) any { return "" }, reason: "no challenge"},
		"unknown":                 {identifier: serial, shown: func(string) any { return "per-device-challenge-1" }, reason: "no such token"},
		"with a space":            {identifier: serial, shown: func(c string) any { return c + " " }, reason: "no such token"},
		"other device":            {identifier: otherSerial, reason: "no common name, serialNumber or alternative name"},
		"for a UDID only":         {udid: udid, udids: []string{udid}, reason: "has no identifier, only a UDID"},
		"expired":                 {identifier: serial, before: func(t *testing.T, e *enrolment, k enroll.Token) { t.Helper(); e.age(t, k, 6*time.Minute) }, reason: "expired at", state: enroll.Expired},
		"revoked":                 {identifier: serial, before: func(t *testing.T, e *enrolment, k enroll.Token) { t.Helper(); e.revoke(t, k) }, reason: "revoked at", state: enroll.Revoked},
		"UDID, not in the CSR":    {identifier: serial, udid: udid, reason: "the CSR has 0 in 2.5.4.45"},
		"UDID, twice in the CSR":  {identifier: serial, udid: udid, udids: []string{udid, udid}, reason: "the CSR has 2 in 2.5.4.45"},
		"UDID, other in the CSR":  {identifier: serial, udid: udid, udids: []string{otherUDID}, reason: "the CSR has another one"},
		"UDID, other in a record": {identifier: serial, udid: otherUDID, udids: []string{otherUDID}, reason: "the inventory says that the device has another one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnrolment(t)
			e.gate.Policy.ReportOnly = true // which covers no challenge
			challenge, token := e.issue(t, test.identifier, test.udid)
			if test.before != nil {
				test.before(t, e, token)
			}
			o := bySCEP(t, challenge)
			for _, text := range test.udids {
				o.subject = append(o.subject, with(attribute(t, udidIn, text))...)
			}
			shown := any(challenge)
			if test.shown != nil {
				shown = test.shown(challenge)
			}
			if test.state == "" {
				test.state = enroll.Live
			}
			wantInvalid(t, name, e.ask(t, challengeHook, o.challenging(t, shown)), test.reason)
			e.wantState(t, name, token, test.state)
			wantInvalid(t, "ENRICHING", e.ask(t, laterHook, o.later(t)), "no challenge was redeemed")
		})
	}
	e := newEnrolment(t)
	challenge, token := e.issueFor(t, e.other, serial, "")
	wantInvalid(t, "other policy", e.ask(t, challengeHook, bySCEP(t, challenge).challenging(t, challenge)), "the token is for the policy other")
	e.wantState(t, "other policy", token, enroll.Live)
	renewal := form(t, "scep-renewal-scepchallenge", func(members) {})
	wantInvalid(t, "renewal", e.ask(t, challengeHook, renewal), "a renewal by SCEP needs one too")
	for _, shown := range []any{7, []any{challenge}, members{"a": challenge}, true} {
		got := e.ask(t, challengeHook, bySCEP(t, challenge).challenging(t, shown))
		wantCode(t, "no text", got, http.StatusBadRequest, "malformed")
	}
}

// With a UDID that the CSR and the record have too, a challenge is good.
func TestChallengeWithUDID(t *testing.T) {
	t.Parallel()
	e := newEnrolment(t)
	challenge, token := e.issue(t, serial, udid)
	o := bySCEP(t, challenge)
	o.subject = append(o.subject, with(attribute(t, udidIn, strings.ToLower(udid)))...)
	wantAllow(t, "challenge", e.ask(t, challengeHook, o.challenging(t, challenge)))
	e.wantState(t, "challenge", token, enroll.Used)
	wantAllow(t, "ENRICHING", e.ask(t, laterHook, o.later(t)))
}

// A fault or a refusal before it leaves the challenge usable.
func TestChallengeIsRedeemedLast(t *testing.T) {
	t.Parallel()
	e := newEnrolment(t)
	challenge, token := e.issue(t, serial, "")
	o := bySCEP(t, challenge)
	for name, begin := range map[string]func(){
		"diskNotEncrypted": func() { e.rules.refuses = true },
		"deviceNotFound":   func() { e.lookup = func(posture.Query) error { return posture.ErrNotFound } },
		"unavailable":      func() { e.lookup = func(posture.Query) error { return errors.New("connection refused") } },
	} {
		e.rules.refuses, e.lookup = false, nil
		begin()
		if got := e.ask(t, challengeHook, o.challenging(t, challenge)); got.code != name {
			t.Errorf("got %s (%s), want %s", got.code, got.event.Reason, name)
		}
		e.wantState(t, name, token, enroll.Live)
	}
	e.rules.refuses, e.lookup = false, nil
	wantAllow(t, "then", e.ask(t, challengeHook, o.challenging(t, challenge)))
}

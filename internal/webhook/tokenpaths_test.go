package webhook_test

import (
	"bytes"
	"encoding/asn1"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/webhook"
)

// An order of a provisioner without attestation: an expression identifies the device, and the token is for it.
func TestTokenOfAnX509Order(t *testing.T) {
	t.Parallel()
	e := newEnrolment(t)
	shown, token := e.issue(t, serial, udid)
	o := enrolling(t, shown)
	wantInvalid(t, "certificate before", e.ask(t, x509Hook, o.x509Signing(t)), "add the ENRICHING webhook")
	other := enrolling(t, shown)
	other.subject[0] = with(attribute(t, "2.5.4.3", otherSerial))[0]
	wantInvalid(t, "another device", e.ask(t, x509Hook, other.x509(t)), "for the device")
	e.wantState(t, "another device", token, enroll.Live)
	first := e.ask(t, x509Hook, o.x509(t))
	wantAllow(t, "CSR", first)
	e.wantState(t, "CSR", token, enroll.Used)
	if again := e.ask(t, x509Hook, o.x509(t)); again.body != first.body {
		t.Errorf("got %s again, want %s", again.body, first.body)
	}
	wantAllow(t, "certificate", e.ask(t, x509Hook, o.x509Signing(t)))
	// The same key at another webhook of the policy is the same token.
	wantAllow(t, "attested", e.ask(t, attestedHook, o.enriching(t, serial)))
	wantAllow(t, "attested certificate", e.ask(t, attestedHook, o.authorizing(t, serial)))
	wantInvalid(t, "certificate of another device", e.ask(t, x509Hook, form(t, "jwk-x509-authorizing", func(body members) { o.certificate(t, body, otherSerial) })), "redeemed by the device")
	// Without the challengePassword it is no order of SCEP.
	wantInvalid(t, "as an order of SCEP", e.ask(t, laterHook, o.later(t)), "not exactly one challengePassword")
}

// An SSH certificate has no CSR that could carry a token. A policy file with such a webhook is refused at load; a request is too.
func TestNoTokenForSSH(t *testing.T) {
	t.Parallel()
	e := newEnrolment(t)
	hook := webhook.Hook{
		Name: "ssh", ID: "0d0f4a2e-6f8a-4f6c-9a57-00000000000a", Secrets: [][]byte{bytes.Repeat([]byte{9}, 32)}, Gate: e.gate,
		Accepts: []posture.Accepts{posture.SSHUser, posture.SSHHost}, Whole: true,
	}
	e.hooks = append(e.hooks, hook)
	identify := func(*posture.Request) (string, error) { return serial, nil }
	for _, identify := range []map[posture.Accepts]webhook.Identify{nil, {posture.SSHUser: identify, posture.SSHHost: identify}} {
		e.hooks[len(e.hooks)-1].Identify = identify
		e.handler.Use(webhook.NewHooks(e.hooks, true))
		for _, name := range []string{"jwk-sshuser-enriching", "jwk-sshuser-authorizing", "jwk-sshhost-enriching", "jwk-sshhost-authorizing"} {
			wantInvalid(t, name, e.ask(t, len(e.hooks)-1, form(t, name, func(members) {})), "token")
		}
	}
}

// Requests that fit no webhook are refused before, and use nothing up.
func TestTokenAtTheWrongPath(t *testing.T) {
	t.Parallel()
	e := newEnrolment(t)
	shown, token := e.issue(t, serial, "")
	o, scep := enrolling(t, shown), bySCEP(t, shown)
	for name, test := range map[string]struct {
		hook int
		path string
		body []byte
	}{
		"attested body at the path of others":   {x509Hook, "/webhook/certificate", o.enriching(t, serial)},
		"attested webhook at the path":          {attestedHook, "/webhook/certificate", o.x509(t)},
		"challenge at the path of others":       {x509Hook, "/webhook/certificate", scep.challenging(t, shown)},
		"ENRICHING at the path of challenges":   {challengeHook, "/webhook/scep-challenge", scep.later(t)},
		"AUTHORIZING at the path of challenges": {challengeHook, "/webhook/scep-challenge", scep.signing(t)},
		"challenge of a webhook for others":     {laterHook, "/webhook/scep-challenge", scep.challenging(t, shown)},
		"a parameter that is the token":         {x509Hook, "/webhook/certificate?" + shown + "=" + shown, o.x509(t)},
		"a notification":                        {challengeHook, "/webhook/scep-challenge", form(t, "scep-x509-notifying", func(body members) { body["scepChallenge"] = shown })},
		"both objects": {laterHook, "/webhook/certificate", form(t, "scep-x509-notifying", func(body members) {
			scep.request(t, body)
			scep.certificate(t, body, serial)
			delete(body, "scepChallenge")
		})},
	} {
		got := e.askAt(t, test.hook, test.path, test.body)
		if got.code != "requestUnexpected" {
			t.Errorf("%s: got %s (%s), want requestUnexpected", name, got.code, got.event.Reason)
		}
		e.wantState(t, name, token, enroll.Live)
	}
	// What a client may write into the log by other ways.
	for name, header := range map[string]http.Header{"ID of a request": {"X-Request-Id": {shown}}, "ID of a webhook": {"X-Smallstep-Webhook-Id": {shown}}} {
		body := o.enriching(t, serial)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhook/"+shown, bytes.NewReader(body))
		r.Header, r.ProtoMajor, r.ProtoMinor = header, 2, 0
		for _, path := range []string{"/webhook/" + shown, webhook.AttestPath} {
			r.URL.Path = path
			w := httptest.NewRecorder()
			e.handler.ServeHTTP(w, r)
			if w.Code != http.StatusNotFound && w.Code != http.StatusUnauthorized {
				t.Errorf("%s: got %d", name, w.Code)
			}
			e.written.Write(w.Body.Bytes())
		}
		if strings.Contains(e.last.RequestID, shown) {
			t.Errorf("the request ID %q goes to the inventory", e.last.RequestID)
		}
	}
}

// A client may have the token in other places of its request too. It is in no log, whatever is decided.
func TestTokenInOtherPlaces(t *testing.T) {
	t.Parallel()
	for _, refuses := range []bool{false, true} {
		for name, change := range map[string]func(o *order, shown string){
			"attribute":        func(o *order, shown string) { o.subject = append(o.subject, with(attribute(t, "2.5.4.11", shown))...) },
			"DNS name":         func(o *order, shown string) { o.names.DNSNames = []string{shown} },
			"DNS name, longer": func(o *order, shown string) { o.names.DNSNames = []string{"x" + shown + ".example.com"} },
			"e-mail address":   func(o *order, shown string) { o.names.EmailAddresses = []string{shown + "@example.com"} },
			"permanentIdentifier": func(o *order, shown string) {
				o.names.ExtraExtensions = append(o.names.ExtraExtensions, permanent(t, shown))
			},
			"common name":         func(o *order, shown string) { o.subject[0] = with(attribute(t, "2.5.4.3", shown))[0] },
			"common name, longer": func(o *order, shown string) { o.subject[0] = with(attribute(t, "2.5.4.3", "x"+shown))[0] },
			"common name, BMP": func(o *order, shown string) {
				o.subject[0] = with(attribute(t, "2.5.4.3", text(asn1.TagBMPString, shown)))[0]
			},
			"serial number": func(o *order, shown string) { o.subject = append(o.subject, with(attribute(t, "2.5.4.5", shown))...) },
			"UDID":          func(o *order, shown string) { o.subject[2] = with(attribute(t, udidIn, shown))[0] },
		} {
			e := newEnrolment(t)
			e.rule.OtherNames, e.rules.refuses = true, refuses
			for _, hook := range []int{attestedHook, x509Hook, challengeHook} {
				shown, _ := e.issue(t, serial, udid)
				o := enrolling(t, shown)
				change(&o, shown)
				body := o.enriching(t, serial)
				switch hook {
				case x509Hook:
					body = o.x509(t)
				case challengeHook:
					body = o.challenging(t, shown)
				}
				if got := e.ask(t, hook, body); refuses && got.code == "" {
					t.Errorf("%s: got %s, want a refusal", name, got.body)
				}
			}
		}
	}
}

// Nor is it where the later requests of its order have it in a name.
func TestTokenInNamesOfLaterRequests(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"", "x", "\n"} {
		e := newEnrolment(t)
		e.rule.OtherNames = true
		shown, _ := e.issue(t, serial, "")
		o := enrolling(t, shown)
		wantAllow(t, "CSR", e.ask(t, x509Hook, o.x509(t)))
		named := form(t, "jwk-x509-authorizing", func(body members) { o.certificate(t, body, before+shown) })
		if got := e.ask(t, x509Hook, named); got.code != "tokenInvalid" && got.code != "identifierMissing" {
			t.Errorf("named by the token: got %s (%s)", got.code, got.event.Reason)
		}
		challenge, _ := e.issue(t, serial, "")
		o = bySCEP(t, challenge)
		o.names.EmailAddresses = []string{strings.TrimSpace(before) + challenge + "@example.com"}
		wantAllow(t, "challenge", e.ask(t, challengeHook, o.challenging(t, challenge)))
		wantAllow(t, "ENRICHING", e.ask(t, laterHook, o.later(t)))
		wantCode(t, "AUTHORIZING", e.ask(t, laterHook, o.signing(t, san(members{"type": "email", "value": before + challenge}))), http.StatusOK, "tokenInCertificate")
	}
}

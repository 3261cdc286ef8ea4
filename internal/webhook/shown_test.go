package webhook_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/test/testca"
	"step-posture-connector/internal/webhook"
)

// A device with a good certificate is allowed, whatever else the body has; there is no data, and no token is asked for.
func TestShownIsAllowed(t *testing.T) {
	t.Parallel()
	l := newShownLab(t).withToken()
	raw := certificate(t, l.ca, good(), nil).Raw
	other := certificate(t, l.ca, names{otherSerial, "acme-da", []string{otherSerial}}, nil)
	ofOther := shownAs(raw) // the JSON beside raw is of another certificate: raw alone decides
	ofOther["subject"], ofOther["serialNumber"] = map[string]any{"commonName": otherSerial}, other.SerialNumber.String()
	ofOther["sans"] = []any{map[string]any{"type": "permanentIdentifier", "value": otherSerial}}
	odd := map[string]any{"subject": serial, "sans": "none", "extensions": 5, "rawSubject": false, "raw": raw}
	for name, body := range map[string][]byte{
		"as documented":      l.body(t, shownAs(raw), nil),
		"client IP":          l.body(t, shownAs(raw), map[string]any{"clientIP": "192.0.2.7"}),
		"members to come":    l.body(t, shownAs(raw), map[string]any{"new": []any{map[string]any{"deep": 1}}, "provisionerName": "acme"}),
		"raw alone":          l.body(t, map[string]any{"raw": raw}, nil),
		"of another device":  l.body(t, ofOther, nil),
		"in other forms":     l.body(t, odd, nil),
		"empty members":      l.body(t, shownAs(raw), map[string]any{"attestationData": nil, "x509CertificateRequest": nil, "sshCertificate": nil, "scepChallenge": nil}),
		"fractional seconds": l.body(t, shownAs(raw), map[string]any{"timestamp": l.handler.Now().Format(time.RFC3339Nano)}),
		"indented":           indented(t, l.body(t, shownAs(raw), nil)),
	} {
		l.asked = nil
		w := l.ask(webhook.RADIUSPath, body)
		if w.Code != http.StatusOK || w.Body.String() != `{"allow":true}` || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: got %d %s (%s), want 200 and an allow alone", name, w.Code, w.Body, l.last.Reason)
		}
		if len(l.asked) != 1 || l.asked[0] != serial || l.last.Identifier != serial || l.last.TokenID != "" {
			t.Errorf("%s: the inventory was asked about %q, the event has %+v, want the device of raw", name, l.asked, l.last)
		}
	}
}

func indented(t *testing.T, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, text, "\t", "  "); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Each certificate that is not a good one is refused with its code, which Smallstep shows in its log. The inventory is asked only
// where the certificate names a device.
func TestShownIsRefused(t *testing.T) {
	t.Parallel()
	l := newShownLab(t)
	sibling, sameName := testca.New(t, "Sibling CA"), testca.New(t, "Device CA")
	revoked := certificate(t, l.ca, good(), nil)
	l.revoked[revoked.SerialNumber.String()] = true
	issue := func(of names, change func(*x509.Certificate)) []byte {
		t.Helper()
		return certificate(t, l.ca, of, change).Raw
	}
	later := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(5 * time.Hour) } // valid from three hours on
	for name, test := range map[string]struct {
		raw    []byte
		code   posture.Code
		reason string
	}{
		"sibling CA":                     {certificate(t, sibling, good(), nil).Raw, "certificateUntrusted", "of the issuer"},
		"CA of the same name":            {certificate(t, sameName, good(), nil).Raw, "certificateUntrusted", "no certificate in doors.issuers has signed"},
		"self-signed":                    {certificate(t, &testca.CA{}, good(), nil).Raw, "certificateUntrusted", "of the issuer"},
		"the CA itself":                  {l.ca.Certificate.Raw, "certificateUntrusted", "one of a CA"},
		"below an intermediate":          {certificate(t, l.ca.Intermediate(t, "Below", nil), good(), nil).Raw, "certificateUntrusted", "of the issuer"},
		"expired":                        {issue(good(), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), "certificateUntrusted", "expired"},
		"not yet valid":                  {issue(good(), later), "certificateUntrusted", "not valid before"},
		"of a server":                    {issue(good(), func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), "certificateUntrusted", "clientAuth"},
		"revoked":                        {revoked.Raw, "certificateUntrusted", "revoked"},
		"no provisioner":                 {issue(names{serial, "", []string{serial}}, nil), "certificateUntrusted", "which provisioner"},
		"another provisioner":            {issue(names{serial, "jwk", []string{serial}}, nil), "certificateUntrusted", "from the provisioner"},
		"two permanent identifiers":      {issue(names{serial, "acme-da", []string{serial, otherSerial}}, nil), "sanMismatch", "different permanent identifiers"},
		"another common name":            {issue(names{otherSerial, "acme-da", []string{serial}}, nil), "commonNameMismatch", "common name"},
		"common name in other case":      {issue(names{strings.ToLower(serial), "acme-da", []string{serial}}, nil), "commonNameMismatch", "common name"},
		"no permanent identifier":        {issue(names{serial, "acme-da", nil}, nil), "identifierMissing", "no permanentIdentifier"},
		"garbage":                        {[]byte("garbage"), "certificateUntrusted", "cannot be read"},
		"a certificate and a byte more":  {append(issue(good(), nil), 0), "certificateUntrusted", "cannot be read"},
		"PEM":                            {testca.PEM("CERTIFICATE", issue(good(), nil)), "certificateUntrusted", "cannot be read"},
		"no DER":                         {nil, "certificateMissing", "raw is missing"},
		"a device that no inventory has": {issue(names{otherSerial, "acme-da", []string{otherSerial}}, nil), "deviceNotFound", ""},
	} {
		l.asked = nil
		w := l.ask(webhook.RADIUSPath, l.body(t, shownAs(test.raw), nil))
		wantShownRefusal(t, name, l.door, w, test.code, test.reason)
		if found := test.code == "deviceNotFound"; found != (len(l.asked) > 0) {
			t.Errorf("%s: the inventory was asked about %q", name, l.asked)
		}
	}
	// The same identifier twice is one.
	if w := l.ask(webhook.RADIUSPath, l.body(t, shownAs(issue(names{serial, "acme-da", []string{serial, serial}}, nil)), nil)); w.Body.String() != `{"allow":true}` {
		t.Errorf("got %s for the same identifier twice, want an allow", w.Body)
	}
}

// wantShownRefusal wants 200 with the code: Smallstep reads the body of a 200 alone.
func wantShownRefusal(t *testing.T, name string, d *door, w interface{ Result() *http.Response }, code posture.Code, reason string) {
	t.Helper()
	response := w.Result()
	var read struct {
		Allow bool
		Error struct{ Code, Message string }
	}
	if err := json.NewDecoder(response.Body).Decode(&read); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK || read.Allow || read.Error.Code != string(code) || !regexp.MustCompile(`\S \(ref [0-9A-Z]{8}\)$`).MatchString(read.Error.Message) {
		t.Errorf("%s: got %d %+v, want 200, %s and a message with its reference", name, response.StatusCode, read, code)
	}
	if !strings.Contains(d.last.Reason, reason) || d.last.Allowed || d.last.Code != string(code) {
		t.Errorf("%s: got event with code %q and reason %q, want %q", name, d.last.Code, d.last.Reason, reason)
	}
}

// What is not a body of Smallstep's RADIUS server is no question about a device.
func TestNotShown(t *testing.T) {
	t.Parallel()
	l := newShownLab(t)
	raw := certificate(t, l.ca, good(), nil).Raw
	for name, more := range map[string]map[string]any{
		"attested":             {"attestationData": map[string]any{"permanentIdentifier": serial}},
		"a CSR beside it":      {"x509CertificateRequest": map[string]any{"raw": raw}},
		"SSH beside it":        {"sshCertificate": map[string]any{}},
		"a notification":       {"scepTransactionID": "1"},
		"of an X5C client":     {"x5cCertificate": map[string]any{"raw": raw}},
		"of a cloud's machine": {"authorizationPrincipal": "i-0"},
	} {
		wantShownRefusal(t, name, l.door, l.ask(webhook.RADIUSPath, l.body(t, shownAs(raw), more)), "requestUnexpected", "step-ca")
	}
	unsigned := shownAs(nil)
	delete(unsigned, "raw")
	wantShownRefusal(t, "AUTHORIZING", l.door, l.ask(webhook.RADIUSPath, l.body(t, unsigned, nil)), "certificateMissing", "not signed")
	wantShownRefusal(t, "no certificate", l.door, l.ask(webhook.RADIUSPath, l.body(t, nil, nil)), "certificateMissing", "raw is missing")
	for _, query := range []string{"?mode=computer", "?mode=", "?x"} {
		wantShownRefusal(t, query, l.door, l.ask(webhook.RADIUSPath+query, l.body(t, shownAs(raw), nil)), "requestUnexpected", "parameters")
	}
	stamp := `"timestamp":"` + l.handler.Now().UTC().Format(time.RFC3339) + `"`
	quoted := `"` + base64.StdEncoding.EncodeToString(raw) + `"`
	for name, body := range map[string]string{
		"no JSON":              `raw`,
		"cut off":              `{` + stamp + `,"x509Certificate":{"raw":` + quoted,
		"twice":                `{` + stamp + `,"x509Certificate":{"raw":` + quoted + `},"x509Certificate":{"raw":` + quoted + `}}`,
		"raw twice":            `{` + stamp + `,"x509Certificate":{"raw":` + quoted + `,"raw":` + quoted + `}}`,
		"raw is no base64":     `{` + stamp + `,"x509Certificate":{"raw":"?"}}`,
		"raw is a list":        `{` + stamp + `,"x509Certificate":{"raw":[48]}}`,
		"certificate is text":  `{` + stamp + `,"x509Certificate":` + quoted + `}`,
		"no timestamp":         `{"x509Certificate":{"raw":` + quoted + `}}`,
		"timestamp is a date":  `{"timestamp":"2026-11-22","x509Certificate":{"raw":` + quoted + `}}`,
		"something follows":    `{` + stamp + `,"x509Certificate":{"raw":` + quoted + `}}{}`,
		"nested deep":          `{` + stamp + `,"x":` + strings.Repeat("[", 1100) + strings.Repeat("]", 1100) + `,"x509Certificate":{"raw":` + quoted + `}}`,
		"not UTF-8":            `{` + stamp + `,"x":"` + "\xff" + `","x509Certificate":{"raw":` + quoted + `}}`,
		"members in capitals ": `{"TIMESTAMP":"x","x509Certificate":{"raw":` + quoted + `}}`,
	} {
		if w := l.ask(webhook.RADIUSPath, []byte(body)); w.Code != http.StatusBadRequest || l.last.Code != "malformed" {
			t.Errorf("%s: got %d %s, want 400 malformed", name, w.Code, w.Body)
		}
	}
}

// Signature, time, size and method are those of every webhook.
func TestShownIsAuthenticated(t *testing.T) {
	t.Parallel()
	l := newShownLab(t)
	body := l.body(t, shownAs(certificate(t, l.ca, good(), nil).Raw), nil)
	unsigned, wrong, unknown := http.Header{}, signed(l.hook, append([]byte(" "), body...)), l.hook
	unknown.ID = "8f0a3a4e-6f8a-4f6c-9a57-0a4f5d3c2b1a"
	for name, header := range map[string]http.Header{"no signature": unsigned, "of another body": wrong, "unknown ID": signed(unknown, body)} {
		if w := l.send(http.MethodPost, webhook.RADIUSPath, header, body); w.Code != http.StatusUnauthorized || l.last.Authenticated {
			t.Errorf("%s: got %d %s, want 401", name, w.Code, w.Body)
		}
	}
	large := append(bytes.Clone(body), bytes.Repeat([]byte(" "), webhook.MaxBody)...)
	if w := l.ask(webhook.RADIUSPath, large); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d %s for a large body, want 413", w.Code, w.Body)
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodOptions} {
		if w := l.send(method, webhook.RADIUSPath, signed(l.hook, body), body); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("got %d for %s, want 405", w.Code, method)
		}
	}
	for _, ahead := range []time.Duration{-time.Minute, time.Minute} {
		of := map[string]any{"timestamp": l.handler.Now().Add(ahead).Format(time.RFC3339)}
		w := l.ask(webhook.RADIUSPath, l.body(t, shownAs(certificate(t, l.ca, good(), nil).Raw), of))
		wantShownRefusal(t, fmt.Sprint(ahead), l.door, w, "requestExpired", "TIMESTAMP_TOLERANCE")
	}
	if len(l.asked) != 0 {
		t.Errorf("the inventory was asked about %q", l.asked)
	}
}

// Each webhook has its path: one of Smallstep's RADIUS server calls no other, and no other calls its.
func TestShownHasItsPath(t *testing.T) {
	t.Parallel()
	l := newShownLab(t)
	body := l.body(t, shownAs(certificate(t, l.ca, good(), nil).Raw), nil)
	for _, path := range webhook.Paths(true) {
		w := l.ask(path, body)
		if allowed := w.Body.String() == `{"allow":true}`; allowed != (path == webhook.RADIUSPath) || !allowed && l.last.Code != "requestUnexpected" {
			t.Errorf("got %d %s at %s", w.Code, w.Body, path)
		}
	}
	for _, word := range posture.AllAccepts() {
		if accepts := posture.Accepts(word); accepts != posture.RADIUS {
			d := newDoor(caller{accepts: accepts}.hookFor(t), true).at(l.handler.Now())
			wantShownRefusal(t, word, d, d.ask(webhook.RADIUSPath, body), "requestUnexpected", pathFor(accepts))
		}
	}
}

// Rules see the certificate, the door and the webhook; what a RADIUS server would say of the connection is unknown.
func TestRulesSeeWhatIsShown(t *testing.T) {
	t.Parallel()
	conditions := []string{
		`request.door == "radius"`, `request.caller == "smallstep"`, `request.identifier == "` + serial + `"`, `request.mode == "computer"`,
		`request.certificate.common_name == "` + serial + `"`, `request.certificate.provisioner == "acme-da"`,
		`request.certificate.provisioner_type == "ACME"`, `request.certificate.not_after > now`, `request.certificate.not_before < now`,
		`request.certificate.serial != ""`, `request.key_type == "EC" && request.key_bits == 256`, `request.provisioner == "acme-da"`,
		`!has(request.radius.ssid)`, `!has(request.radius.nas)`, `!has(request.kind)`, `!has(request.csr.common_name)`,
	}
	l := newShownLab(t, conditions...)
	body := l.body(t, shownAs(certificate(t, l.ca, good(), nil).Raw), map[string]any{"clientIP": "192.0.2.7"})
	if w := l.ask(webhook.RADIUSPath, body); w.Body.String() != `{"allow":true}` {
		t.Errorf("got %s (%s), want an allow", w.Body, l.last.Reason)
	}
	wantShownEvent(t, l.last, true)
	l = newShownLab(t, `request.radius.ssid == "Staff"`)
	w := l.ask(webhook.RADIUSPath, l.body(t, shownAs(certificate(t, l.ca, good(), nil).Raw), nil))
	wantShownRefusal(t, "SSID", l.door, w, radiusCode, "unknown")
	if !strings.Contains(w.Body.String(), radiusMessage) {
		t.Errorf("got %s, want the message of the rule", w.Body)
	}
	wantShownEvent(t, l.last, false)
}

// wantShownEvent wants the log and the audit log to say who asked where.
func wantShownEvent(t *testing.T, e *audit.Event, allowed bool) {
	t.Helper()
	if e.Door != "radius" || e.Caller != "smallstep" || e.Policy != "wifi" || !e.Authenticated || e.Allowed != allowed || e.Identifier != serial || e.Path != webhook.RADIUSPath {
		t.Errorf("got event %+v, want the door radius, the webhook, its policy and the device", e)
	}
	if e.Evidence == nil || e.Evidence.Request.Door != "radius" || e.Evidence.Request.Caller != "smallstep" || e.Evidence.Request.Certificate == nil || e.Evidence.Request.RADIUS != nil {
		t.Errorf("got evidence %+v, want the certificate and no connection", e.Evidence)
	}
}

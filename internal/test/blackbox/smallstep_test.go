package blackbox_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/program"
	"step-posture-connector/internal/test/testca"
)

// shownCertificate is the certificate of a device, as step-ca issues it for the provisioner acme-da after attestation.
func shownCertificate(t *testing.T, ca *testca.CA, identifier string) *x509.Certificate {
	t.Helper()
	der := func(value any, params string) []byte {
		t.Helper()
		text, err := asn1.MarshalWithParams(value, params)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	type otherName struct {
		ID    asn1.ObjectIdentifier
		Value struct {
			Identifier string `asn1:"utf8"`
		} `asn1:"explicit,tag:0"`
	}
	name := otherName{ID: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 3}}
	name.Value.Identifier = identifier
	names := der([]asn1.RawValue{{FullBytes: der(name, "tag:0")}}, "")
	provisioner := der(struct {
		Type             int
		Name, Credential []byte
	}{6, []byte("acme-da"), []byte{}}, "")
	certificate, _ := ca.Issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: identifier}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		ExtraExtensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: names},
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 37476, 9000, 64, 1}, Value: provisioner},
		},
	})
	return certificate
}

// The whole connector answers Smallstep's RADIUS server, without a listener for other doors: it allows, refuses by a rule and by
// the list of revoked certificates, and writes the door and the webhook into the audit log.
func TestSmallstepRADIUS(t *testing.T) {
	t.Parallel()
	const wanted, free, gone = "C02SHOWN0001", "C02SHOWN0002", "C02SHOWN0003"
	pki, ca, secret := program.NewPKI(t), testca.New(t, "Device CA"), program.NewSecret()
	p := program.NewPolicies(t, fmt.Sprintf(`doors: {issuers: issuers.pem, provisioners: [acme-da], crl: crl.pem}
inventories:
  owned: {provider: file, path: devices.json, type: json}
policies:
  wifi: {inventories: [owned], rules: [{name: encrypted, require: device.encrypted, code: deviceNotEncrypted, message: Ask the service desk}]}
webhooks:
  - {name: smallstep_radius, id: %s, secret: {file: hook.secret}, accepts: radius, policy: wifi}
`, program.HookID(1)))
	revoked := shownCertificate(t, ca, wanted)
	p.WriteFile(t, "issuers.pem", string(ca.PEM()))
	p.WriteFile(t, "crl.pem", string(testca.ListPEM(ca.List(t, 1, nil, revoked.SerialNumber))))
	p.WriteFile(t, "hook.secret", secret)
	p.WriteFile(t, "devices.json", fmt.Sprintf(`{"devices":[{"identifier":%q,"facts":{"device":{"encrypted":true}}},{"identifier":%q,"facts":{"device":{"encrypted":false}}}]}`, wanted, free))
	audit := filepath.Join(p.Folder, "audit.log")
	d := program.StartDaemon(t, p.Alone(t, pki).With("AUDIT_LOG_PATH", audit))
	radius := program.NewStepCA(t, pki, d.Address, nil).As(t, program.HookID(1), secret)
	send := func(path string, of *x509.Certificate) string {
		t.Helper()
		body, err := json.Marshal(map[string]any{
			"timestamp": time.Now().Format(time.RFC3339), "clientIP": "192.0.2.7",
			"x509Certificate": map[string]any{"subject": map[string]any{"commonName": of.Subject.CommonName}, "raw": of.Raw},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, text, err := radius.SendTo(t, path, body)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	const path = "/webhook/radius"
	wantAnswer(t, "good", send(path, shownCertificate(t, ca, wanted)), `{"allow":true}`)
	wantAnswer(t, "not encrypted", send(path, shownCertificate(t, ca, free)), program.Refused("deviceNotEncrypted"))
	wantAnswer(t, "unknown", send(path, shownCertificate(t, ca, gone)), program.Refused("deviceNotFound"))
	wantAnswer(t, "revoked", send(path, revoked), program.Refused("certificateUntrusted"))
	wantAnswer(t, "sibling CA", send(path, shownCertificate(t, testca.New(t, "Sibling CA"), wanted)), program.Refused("certificateUntrusted"))
	wantAnswer(t, "at another path", send("/webhook/device-attest", shownCertificate(t, ca, wanted)), program.Refused("requestUnexpected"))
	text, err := os.ReadFile(audit)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 6 {
		t.Errorf("the audit log has %d lines, want 6: %s", len(lines), text)
	}
	for _, line := range lines {
		var read struct{ Door, Caller, Policy string }
		if err := json.Unmarshal([]byte(line), &read); err != nil || read.Door != "radius" && !strings.Contains(line, "requestUnexpected") || read.Caller != "smallstep_radius" || read.Policy != "wifi" {
			t.Errorf("got %s in the audit log (%v), want the door, the webhook and the policy", line, err)
		}
	}
}

// Smallstep's RADIUS server has no client certificate to present, so a listener that demands one is an error.
func TestSmallstepRADIUSNeedsNoMutualTLS(t *testing.T) {
	t.Parallel()
	pki, ca := program.NewPKI(t), testca.New(t, "Device CA")
	p := program.NewPolicies(t, fmt.Sprintf(`doors: {issuers: issuers.pem, provisioners: [acme-da]}
inventories:
  owned: {provider: file, path: devices.json, type: json}
policies:
  wifi: {inventories: [owned]}
webhooks:
  - {name: smallstep_radius, id: %s, secret: {file: hook.secret}, accepts: radius, policy: wifi}
`, program.HookID(1)))
	p.WriteFile(t, "issuers.pem", string(ca.PEM()))
	p.WriteFile(t, "hook.secret", program.NewSecret())
	p.WriteFile(t, "devices.json", `{"devices":[{"identifier":"C02SHOWN0001"}]}`)
	r := program.Run(t, p.Alone(t, pki).With("ENABLE_MTLS", "1", "TLS_CA_PATH", pki.CACert), "", "check")
	if r.Code == 0 || !strings.Contains(r.Stdout+r.Stderr, "ENABLE_MTLS: 1, but a webhook accepts radius") {
		t.Errorf("got exit code %d and %s%s, want ENABLE_MTLS to be refused", r.Code, r.Stdout, r.Stderr)
	}
}

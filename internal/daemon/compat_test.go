package daemon_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// demo is the environment of a connector in the place of mdmsecuritydemo.
func demo(changes map[string]string) map[string]string {
	all := map[string]string{
		"COMPAT_MDMSECURITYDEMO": "1", "WEBHOOK_KEY": "webhook-key", "API_KEY": "api-key", "DEVICE_INVENTORY_API_KEY": "query-key",
		"STATE_URL": "sqlite:DIR/state.db", "FILE_TYPE": "lines", "FILE_PATH": "DIR/devices.txt", "WEBHOOK_IDS": "", "WEBHOOK_SECRETS": "",
	}
	maps.Copy(all, changes)
	return all
}

func installDemo(t *testing.T) installation {
	t.Helper()
	in := install(t)
	in.write(t, "devices.txt", "C02XK1JKLVCG\n"+demoUDID+"\n")
	return in
}

const demoUDID = "00008112-000A1B2C3D4E5F60"

// key has a key issued, as enrollhandler does.
func (r *running) key(t *testing.T) string {
	t.Helper()
	answer := r.post(t, "/api/key/"+demoUDID, nil, bearer("api-key"))
	var got struct{ Key string }
	if body, ok := strings.CutPrefix(answer, "200 "); !ok || json.Unmarshal([]byte(body), &got) != nil || len(got.Key) != 43 {
		t.Fatalf("/api/key/: %s", answer)
	}
	return got.Key
}

func bearer(credential string) http.Header {
	return http.Header{"Authorization": {"Bearer " + credential}}
}

// order is the body of an ENRICHING webhook about a device whose CSR has a key.
func order(t *testing.T, key string) []byte {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "C02XK1JKLVCG", ExtraNames: []pkix.AttributeTypeAndValue{
		{Type: asn1.ObjectIdentifier{2, 5, 4, 35}, Value: key}, {Type: asn1.ObjectIdentifier{2, 5, 4, 45}, Value: demoUDID},
	}}}, private)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Appendf(nil, `{"timestamp":%q,"attestationData":{"permanentIdentifier":"C02XK1JKLVCG"},"x509CertificateRequest":{"raw":%q,"subject":{"commonName":"C02XK1JKLVCG"}}}`,
		time.Now().Format(time.RFC3339Nano), base64.StdEncoding.EncodeToString(csr))
}

// Without WEBHOOK_IDS, the credential alone authenticates /webhook, and its policy is default, with a token. No other path of
// webhooks is open.
func TestBearerAlone(t *testing.T) {
	t.Parallel()
	r := installDemo(t).run(t, demo(nil))
	if !r.said("WEBHOOK_IDS is not set: /webhook is authenticated by WEBHOOK_KEY alone") || !r.said("FILE_TYPE is lines: the list pairs no UDID") {
		t.Errorf("it warned of less:\n%s", r.text())
	}
	body := order(t, r.key(t))
	for name, header := range map[string]http.Header{
		"none":           {},
		"wrong":          bearer("webhook-keys"),
		"of keys":        bearer("api-key"),
		"of devices":     bearer("query-key"),
		"twice":          {"Authorization": {"Bearer webhook-key", "Bearer webhook-key"}},
		"no scheme":      {"Authorization": {"webhook-key"}},
		"only signature": r.signed(t, body, http.Header{}),
	} {
		if answer := r.post(t, "/webhook", body, header); !strings.HasPrefix(answer, `401 {"allow":false,"error":{"code":"unauthenticated"`) {
			t.Errorf("%s: %s", name, answer)
		}
	}
	if answer := r.post(t, "/webhook/device-attest", body, bearer("webhook-key")); !strings.HasPrefix(answer, "401 ") {
		t.Errorf("/webhook/device-attest: %s", answer)
	}
	for range 2 { // step-ca's retry
		if answer := r.post(t, "/webhook", body, bearer("webhook-key")); !strings.HasPrefix(answer, `200 {"allow":true`) {
			t.Errorf("with the credential: %s", answer)
		}
	}
	if answer := r.post(t, "/webhook", order(t, "no-key"), bearer("webhook-key")); !strings.HasPrefix(answer, `200 {"allow":false,"error":{"code":"tokenInvalid"`) {
		t.Errorf("with another key: %s", answer)
	}
}

// With WEBHOOK_IDS, /webhook demands a signature of a known webhook and the credential, and neither is enough.
func TestBearerAndSignature(t *testing.T) {
	t.Parallel()
	in := installDemo(t)
	r := in.run(t, demo(map[string]string{"WEBHOOK_IDS": webhookID, "WEBHOOK_SECRETS": in.secret}))
	if r.said("is authenticated by WEBHOOK_KEY alone") {
		t.Errorf("it warned of too much:\n%s", r.text())
	}
	body := order(t, r.key(t))
	unknown := r.signed(t, body, bearer("webhook-key"))
	unknown.Set("X-Smallstep-Webhook-Id", "9445a147-807d-4547-a404-e80f908d2009")
	altered := r.signed(t, append(body, ' '), bearer("webhook-key"))
	for name, header := range map[string]http.Header{
		"only the credential": bearer("webhook-key"),
		"only the signature":  r.signed(t, body, http.Header{}),
		"wrong credential":    r.signed(t, body, bearer("api-key")),
		"unknown webhook":     unknown,
		"wrong signature":     altered,
	} {
		if answer := r.post(t, "/webhook", body, header); !strings.HasPrefix(answer, `401 {"allow":false,"error":{"code":"unauthenticated"`) {
			t.Errorf("%s: %s", name, answer)
		}
	}
	if answer := r.post(t, "/webhook", body, r.signed(t, body, bearer("webhook-key"))); !strings.HasPrefix(answer, `200 {"allow":true`) {
		t.Errorf("with both: %s", answer)
	}
	// The path of the product is open to the signature, as ever, under the same policy.
	if answer := r.post(t, "/webhook/device-attest", body, r.signed(t, body, http.Header{})); !strings.HasPrefix(answer, `200 {"allow":true`) {
		t.Errorf("/webhook/device-attest: %s", answer)
	}
}

// COMPAT_MDMSECURITYDEMO makes the policy default; a policy file may have others.
func TestCompatPolicy(t *testing.T) {
	t.Parallel()
	in := installDemo(t)
	in.write(t, "posture.yaml", plainPolicy)
	changes := demo(map[string]string{"POLICY_PATH": "DIR/posture.yaml"})
	wantLines(t, "Load", in.refused(t, changes), []string{
		"COMPAT_MDMSECURITYDEMO: 1, which makes a policy default, and the policy file has a policy default too; accepted: another name of the policy in the policy file, or 0",
	})
	in.write(t, "posture.yaml", "policies:\n  staff: {inventories: [file]}\nwebhooks:\n  - {name: staff, id: 9445a147-807d-4547-a404-e80f908d2009, secret: {file: secret}, policy: staff}\n")
	in.write(t, "secret", in.secret)
	r := in.run(t, changes)
	body := order(t, r.key(t))
	if answer := r.post(t, "/webhook", body, bearer("webhook-key")); !strings.HasPrefix(answer, `200 {"allow":true`) {
		t.Errorf("with a policy file: %s", answer)
	}
	if answer := r.post(t, "/webhook", order(t, "no-key"), bearer("webhook-key")); !strings.HasPrefix(answer, `200 {"allow":false,"error":{"code":"tokenInvalid"`) {
		t.Errorf("with another key: %s", answer)
	}
}

// No key is in the log, in what check prints, or in an error.
func TestCompatHidesKeys(t *testing.T) {
	t.Parallel()
	r := installDemo(t).run(t, demo(nil))
	key := r.key(t)
	r.post(t, "/webhook", order(t, key), bearer("webhook-key"))
	r.post(t, "/webhook", nil, bearer("wrong-webhook-key"))
	r.post(t, "/api/key/"+key, nil, bearer("api-key"))
	r.eventually(t, "the last request is logged", func() bool { return strings.Count(r.text(), "[DEMO]") >= 2 })
	for _, secret := range []string{key, "webhook-key", "api-key", "query-key"} {
		if r.said(secret) {
			t.Errorf("the log has %s:\n%s", secret, r.text())
		}
	}
}

// Where the switch was forgotten, the variables of the demo say so beside what is missing then.
func TestCompatForgotten(t *testing.T) {
	t.Parallel()
	lines := install(t).refused(t, map[string]string{"PROVIDER": "", "FILE_PATH": "", "FILE_TYPE": "", "API_KEY": "api-key", "INVENTORY_PATH": "devices.txt"})
	for _, name := range []string{"API_KEY", "INVENTORY_PATH"} {
		if want := "warning: " + name + " is set but COMPAT_MDMSECURITYDEMO is not 1: it has no effect"; !slices.Contains(lines, want) {
			t.Errorf("Load = %q, want %q too", lines, want)
		}
	}
}

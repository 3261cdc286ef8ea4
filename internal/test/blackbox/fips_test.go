package blackbox_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Where Go may use nothing but what FIPS 140 approves, everything is answered as everywhere else. Without the
// approval Go panics, as for the HMAC of a short key.
func TestFIPSOnly(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	client := p.client(t, leaf("Step Online CA"))
	d := startDaemon(t, workingEnvironment(t, p).with("GODEBUG", "fips140=only", "ENABLE_MTLS", "1", "TLS_CA_PATH", p.caCert, "MTLS_ALLOWED_NAMES", "Step Online CA"))
	good := newSigner(t, p, d.address, client)
	good.wantAllow(t, "K3Q7XH2N9P", dataOfK3)
	for name, body := range map[string][]byte{
		"EC": enriching(t, ecKey(t)), "EC, with a DNS name": enriching(t, ecKey(t), "mac.example.com"),
		"RSA": enriching(t, rsaKey(t)), "Ed25519": enriching(t, ed25519Key(t)),
	} {
		if status, text, err := good.send(t, body); err != nil || status != http.StatusOK || !strings.HasPrefix(text, `{"allow":true`) {
			t.Errorf("a CSR with a key of %s: got %d %s (%v), want an allow", name, status, text, err)
		}
	}
	for reason, change := range map[string]func(*signer){
		"wrong signature":           func(s *signer) { s.key = []byte("another key of more than fourteen bytes") },
		"unknown webhook ID":        func(s *signer) { s.id = "00000000-0000-4000-8000-000000000000" },
		"signed with the empty key": func(s *signer) { s.key = nil },
	} {
		s := newSigner(t, p, d.address, client)
		change(s)
		if status, text, err := s.send(t, order("K3Q7XH2N9P")); err != nil || status != http.StatusUnauthorized {
			t.Errorf("%s: got %d %s (%v), want 401", reason, status, text, err)
		}
	}
	code, output := d.stop(t)
	for _, reason := range []string{"wrong signature", "unknown webhook ID", "signed with the empty key"} {
		if strings.Count(output, reason) != 1 {
			t.Errorf("the log does not say %q once:\n%s", reason, output)
		}
	}
	if code != 0 || strings.Contains(output, "panic") {
		t.Errorf("got exit code %d and a panic:\n%s", code, output)
	}
}

// enriching is the body of a webhook call with a CSR.
func enriching(t *testing.T, key crypto.Signer, dnsNames ...string) []byte {
	t.Helper()
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "K3Q7XH2N9P"}, DNSNames: dnsNames}, key)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Appendf(nil, `{"timestamp":%q,"attestationData":{"permanentIdentifier":"K3Q7XH2N9P"},"x509CertificateRequest":{"raw":%q}}`,
		time.Now().Format(time.RFC3339Nano), base64.StdEncoding.EncodeToString(csr))
}

func ed25519Key(t *testing.T) crypto.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

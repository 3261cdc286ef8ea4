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

	"step-posture-connector/internal/test/program"
)

// With GODEBUG=fips140=only, every request gets the usual answer. Go panics when a program uses an algorithm or a
// key that FIPS 140 does not approve, such as an HMAC with a short key.
func TestFIPSOnly(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	client := p.ClientCertificate(t, program.LeafTemplate("Step Online CA"))
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With("GODEBUG", "fips140=only", "ENABLE_MTLS", "1", "TLS_CA_PATH", p.CACert, "MTLS_ALLOWED_NAMES", "Step Online CA"))
	good := program.NewStepCA(t, p, d.Address, client)
	good.WantAllow(t, "K3Q7XH2N9P", dataOfK3)
	for name, body := range map[string][]byte{
		"EC": enriching(t, program.NewECKey(t)), "EC, with a DNS name": enriching(t, program.NewECKey(t), "mac.example.com"),
		"RSA": enriching(t, program.NewRSAKey(t)), "Ed25519": enriching(t, ed25519Key(t)),
	} {
		if status, text, err := good.Send(t, body); err != nil || status != http.StatusOK || !strings.HasPrefix(text, `{"allow":true`) {
			t.Errorf("a CSR with a key of %s: got %d %s (%v), want an allow", name, status, text, err)
		}
	}
	for reason, change := range map[string]func(*program.StepCA){
		"wrong signature":           func(s *program.StepCA) { s.Key = []byte("another key of more than fourteen bytes") },
		"unknown webhook ID":        func(s *program.StepCA) { s.ID = "00000000-0000-4000-8000-000000000000" },
		"signed with the empty key": func(s *program.StepCA) { s.Key = nil },
	} {
		s := program.NewStepCA(t, p, d.Address, client)
		change(s)
		if status, text, err := s.Send(t, program.WebhookBody("K3Q7XH2N9P")); err != nil || status != http.StatusUnauthorized {
			t.Errorf("%s: got %d %s (%v), want 401", reason, status, text, err)
		}
	}
	code, output := d.Stop(t)
	for _, reason := range []string{"wrong signature", "unknown webhook ID", "signed with the empty key"} {
		if strings.Count(output, reason) != 1 {
			t.Errorf("the log must have %q once:\n%s", reason, output)
		}
	}
	if code != 0 || strings.Contains(output, "panic") {
		t.Errorf("got exit code %d, or a panic:\n%s", code, output)
	}
}

// enriching is the body of a webhook request with a CSR.
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

//go:build unix

package blackbox_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/program"
)

// newDeviceKey makes the key of a device.
func newDeviceKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// askWithCSR asks with the CSR of a key, and returns the reference in the data.
func askWithCSR(t *testing.T, s *program.StepCA, key *ecdsa.PrivateKey, serial string) (reference string) {
	t.Helper()
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: serial}}, key)
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Appendf(nil, `{"timestamp":%q,"attestationData":{"permanentIdentifier":%q},"x509CertificateRequest":{"raw":%q}}`,
		time.Now().Format(time.RFC3339Nano), serial, base64.StdEncoding.EncodeToString(csr))
	status, text, err := s.Send(t, body)
	if err != nil || status != http.StatusOK {
		t.Fatalf("%d %s (%v)", status, text, err)
	}
	var answer struct {
		Data struct{ Reference string }
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Data.Reference
}

// issue writes the certificate that a template with the reference would make.
func issue(t *testing.T, key *ecdsa.PrivateKey, serial, reference string) (path string) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		Subject: pkix.Name{CommonName: serial, OrganizationalUnit: []string{reference}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "device.crt")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A certificate leads to its decision: the reference that the data had is that of the line, and the line has the key.
func TestAuditProve(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	env, path := chained(t, p)
	policy := filepath.Join(t.TempDir(), "posture.yaml")
	if err := os.WriteFile(policy, []byte("policies:\n  default:\n    inventories: [file]\n    data: {reference: reference}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := program.StartDaemon(t, env.With("POLICY_PATH", policy, "AUDIT_FACTS", "1"))
	s := program.NewStepCA(t, p, d.Address, nil)
	own, other := newDeviceKey(t), newDeviceKey(t)
	const serial = "C02XK1JKLVCG"
	reference := askWithCSR(t, s, own, serial)
	another := askWithCSR(t, s, other, serial)
	refused := askWithCSR(t, s, own, "C02UNKNOWN01")
	_, output := d.Stop(t)
	if len(reference) != 8 || refused != "" || !strings.Contains(output, "reference="+reference+" decision=allow") {
		t.Fatalf("the data had the reference %q, and for a denial %q:\n%s", reference, refused, output)
	}
	prove := func(certificate string, more ...string) program.Result {
		return program.Run(t, program.Environment{"AUDIT_CHAIN_KEY": chainKey}, "", append([]string{"audit", "prove", "--certificate", certificate, path}, more...)...)
	}
	certificate := issue(t, own, serial, reference)
	r := prove(certificate)
	for _, want := range []string{"\nproven\n", "\n  reference: " + reference + "\n", "\n  policy: default\n", "\n  inventory: file\n", "\n  facts: {", "\nkey met: "} {
		if !strings.Contains(r.Stdout, want) {
			t.Errorf("it does not print %q", want)
		}
	}
	if r.Code != 0 || t.Failed() {
		t.Errorf("audit prove = %+v", r)
	}
	var proof struct {
		Proven   bool
		Decision struct{ Reference, Decision string }
		Demands  []struct {
			Name string
			Met  bool
		}
		Verification struct{ Intact bool }
	}
	if r := prove(certificate, "--json"); r.Code != 0 || json.Unmarshal([]byte(r.Stdout), &proof) != nil || !proof.Proven || proof.Decision.Reference != reference || len(proof.Demands) != 6 || !proof.Verification.Intact {
		t.Errorf("audit prove --json = %+v", r)
	}
	for name, c := range map[string]struct{ certificate, want string }{
		"another key":       {issue(t, other, serial, reference), "key NOT met: "},
		"another reference": {issue(t, own, serial, another), "key NOT met: "},
		"another device":    {issue(t, own, "C02UNKNOWN01", reference), "identifier NOT met: "},
		"no reference":      {issue(t, own, serial, "staff"), "reference NOT met: "},
	} {
		if r := prove(c.certificate); r.Code != 2 || !strings.Contains(r.Stdout, c.want) || !strings.HasSuffix(r.Stdout, "\nNOT proven\n") {
			t.Errorf("%s: audit prove = %+v, want 2 and %q", name, r, c.want)
		}
	}
	head := heads(output)
	if r := prove(certificate, "--head", head[len(head)-1]); r.Code != 0 {
		t.Errorf("with the head: %+v", r)
	}
	lines := fileLines(t, path)
	if err := os.WriteFile(path, []byte(strings.Join(lines[:len(lines)-1], "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := prove(certificate, "--head", head[len(head)-1]); r.Code != 2 || !strings.Contains(r.Stdout, "chain NOT met: ") {
		t.Errorf("with a cut end: %+v", r)
	}
}

// Wrong command lines, and what is no certificate.
func TestAuditProveUsage(t *testing.T) {
	t.Parallel()
	env := program.Environment{"AUDIT_CHAIN_KEY": chainKey}
	for line, want := range map[string]program.Result{
		"audit prove":                                         {Code: 64, Stderr: "audit prove: which certificate?"},
		"audit prove audit.jsonl":                             {Code: 64, Stderr: "audit prove: which certificate?"},
		"audit prove --certificate a.crt":                     {Code: 64, Stderr: "audit prove: which audit log?"},
		"audit prove --certificate /nowhere/a.crt a":          {Code: 1, Stderr: "--certificate: open /nowhere/a.crt: no such file"},
		"audit prove --certificate testdata/devices.json any": {Code: 1, Stderr: "--certificate: testdata/devices.json: no certificate; accepted: a certificate in PEM"},
	} {
		if got := program.Run(t, env, "", strings.Fields(line)...); got.Code != want.Code || !strings.Contains(got.Stderr, want.Stderr) {
			t.Errorf("%s = %+v, want %+v", line, got, want)
		}
	}
}

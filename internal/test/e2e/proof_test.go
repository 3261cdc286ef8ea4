package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/gate"
)

// auditPage is what docs/audit.md has of the policy file and of the template.
func auditPage(t *testing.T) (policies, template string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "audit.md"))
	if err != nil {
		t.Fatal(err)
	}
	policy := regexp.MustCompile("(?s)```yaml\n(policies:.*?)```").FindStringSubmatch(string(page))
	block := regexp.MustCompile("(?s)```\n(\\{\\{- if not .*?)```").FindStringSubmatch(string(page))
	if policy == nil || block == nil {
		t.Fatal("docs/audit.md has no policy file, or no template")
	}
	return policy[1], block[1]
}

// proofGate is a gate with the policy file and the template of docs/audit.md.
type proofGate struct {
	*gate.Gate

	l       *lab
	log     string
	folder  string
	written int // certificates
}

func (g *proofGate) run(t *testing.T, args ...string) (status int, output string) {
	t.Helper()
	r, err := g.Run(t.Context(), nil, append([]string{"audit"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return r.Status, r.Stdout + r.Stderr
}

func (g *proofGate) prove(t *testing.T, cert *x509.Certificate, logs ...string) (status int, output string) {
	t.Helper()
	g.written++
	path := filepath.Join(g.folder, fmt.Sprint("certificate-", g.written, ".crt"))
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return g.run(t, append([]string{"prove", "--certificate", path}, logs...)...)
}

// enrol gets a certificate for a new device with a new key.
func (g *proofGate) enrol(t *testing.T) *x509.Certificate {
	t.Helper()
	cert, err := finalize(t, g.l.order(t, g.DirectoryURLOf("staff"), knownSerial))
	expectIssuedTo(t, knownSerial, cert, err)
	return cert
}

// TestProof follows docs/audit.md with a real step-ca: a device enrols, the audit log is intact, and the certificate leads to its
// decision. Another certificate does not, nor does a log from before.
func TestProof(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	policies, template := auditPage(t)
	folder := t.TempDir()
	g := &proofGate{l: l, log: filepath.Join(folder, "audit.jsonl"), folder: folder}
	config := gate.Config{Modes: []string{"staff"}, Policies: policies, More: []string{
		"AUDIT_LOG_PATH=" + g.log, "AUDIT_FACTS=1", "AUDIT_CHAIN=1", "AUDIT_CHAIN_KEY=ZW5kLXRvLWVuZC1rZXktb2YtdGhlLWF1ZGl0LWNoYWlu",
	}}
	config.Provisioner.Template = template
	g.Gate = l.open(t, config)

	first := g.enrol(t)
	status, output := g.prove(t, first, g.log)
	reference := regexp.MustCompile(`(?m)^  reference: ([0-9A-Z]{8})$`).FindStringSubmatch(output)
	if status != 0 || reference == nil || !strings.Contains(g.Connector().Log(), "reference="+reference[1]) {
		t.Fatalf("audit prove = %d\n%s", status, output)
	}
	for _, want := range []string{"\nproven\n", "\n  identifier: " + knownSerial + "\n", "\n  policy: staff\n", "\n  facts: {", "key met: "} {
		if !strings.Contains(output, want) {
			t.Errorf("audit prove does not print %q:\n%s", want, output)
		}
	}
	before := filepath.Join(folder, "before.jsonl")
	text, err := os.ReadFile(g.log)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(before, text, 0o600); err != nil {
		t.Fatal(err)
	}
	second := g.enrol(t) // the same device, with a new key
	if status, output := g.run(t, "verify", g.log); status != 0 || !strings.Contains(output, ": intact\n") {
		t.Errorf("audit verify = %d\n%s", status, output)
	}
	for name, cert := range map[string]*x509.Certificate{"the first certificate": first, "the second one": second} {
		if status, output := g.prove(t, cert, g.log); status != 0 {
			t.Errorf("%s: audit prove = %d\n%s", name, status, output)
		}
	}
	rekeyed := withAnotherKey(t, second)
	var elsewhere *x509.Certificate
	t.Run("elsewhere", func(t *testing.T) { // of the same device, by a template without the reference
		cert, err := finalize(t, l.order(t, l.open(t, gate.Config{}).DirectoryURL(), knownSerial))
		expectEnriched(t, cert, err)
		elsewhere = cert
	})
	for name, c := range map[string]struct {
		cert *x509.Certificate
		log  string
		want string
	}{
		"a log from before":               {second, before, "reference NOT met"},
		"the same names, another key":     {rekeyed, g.log, "key NOT met"},
		"a certificate of the CA itself":  {l.intermediate(t), g.log, "reference NOT met"},
		"the certificate of another gate": {elsewhere, g.log, "reference NOT met"},
	} {
		if status, output := g.prove(t, c.cert, c.log); status != 2 || !strings.Contains(output, c.want) {
			t.Errorf("%s: audit prove = %d, want 2 and %q\n%s", name, status, c.want, output)
		}
	}
	changed := filepath.Join(folder, "changed.jsonl")
	if text, err = os.ReadFile(g.log); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(changed, []byte(strings.Replace(string(text), `"decision":"allow"`, `"decision":"deny"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, output := g.prove(t, second, changed); status != 2 || !strings.Contains(output, "chain NOT met: the chain is not intact: "+changed+":2: ") {
		t.Errorf("a changed log: audit prove = %d\n%s", status, output)
	}
}

// withAnotherKey is a certificate with the subject, the names and the times of another one, as a renewal with a new key would be.
func withAnotherKey(t *testing.T, cert *x509.Certificate) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: cert.SerialNumber, RawSubject: cert.RawSubject, NotBefore: cert.NotBefore, NotAfter: cert.NotAfter, ExtraExtensions: cert.Extensions,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	again, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// intermediate is the CA's own certificate.
func (l *lab) intermediate(t *testing.T) *x509.Certificate {
	t.Helper()
	der, _, err := l.ca.Authority(false)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

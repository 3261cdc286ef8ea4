package auditchain_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/auditchain"
)

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sum is the key as the audit log has it.
func sum(t *testing.T, key *ecdsa.PrivateKey) [sha256.Size]byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(der)
}

const (
	reference  = "7F3K9Q2M"
	identifier = "C02XK1JKLVCG"
)

func decidedAt() time.Time { return time.Date(2026, 11, 24, 11, 30, 0, 0, time.UTC) }

// issue makes the certificate of a template, which is that of the decision but for what change changes.
func issue(t *testing.T, key *ecdsa.PrivateKey, change func(*x509.Certificate)) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x5c0d8a), NotBefore: decidedAt().Add(-time.Minute), NotAfter: decidedAt().Add(24 * time.Hour),
		Subject: pkix.Name{CommonName: identifier, OrganizationalUnit: []string{"ref " + reference}},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func prove(t *testing.T, certificate []byte, paths ...string) *auditchain.Proof {
	t.Helper()
	c, err := auditchain.ReadCertificate(certificate)
	if err != nil {
		t.Fatal(err)
	}
	p, err := auditchain.Prove(t.Context(), auditchain.Options{Key: key()}, c, paths, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// failing are the demands that are not met.
func failing(p *auditchain.Proof) string {
	var names []string
	for _, d := range p.Demands {
		if !d.Met {
			names = append(names, d.Name)
		}
	}
	if p.Proven != (len(names) == 0) {
		return "proven does not fit the demands"
	}
	return strings.Join(names, " ")
}

// decided is an audit log with one decision about the certificate, and others around it.
func decided(t *testing.T, key256 [sha256.Size]byte, change func(*audit.Event)) string {
	t.Helper()
	l := open(t, filepath.Join(t.TempDir(), "audit.jsonl"), key())
	l.write(t, 3)
	e := event(0)
	e.Time, e.Reference, e.Identifier, e.PublicKey, e.Reason = decidedAt(), reference, identifier, key256, "in the inventory"
	if change != nil {
		change(e)
	}
	if err := l.Append(e); err != nil {
		t.Fatal(err)
	}
	l.write(t, 3)
	_ = l.Close()
	return l.path
}

// Each demand is needed, and named where it is not met.
func TestDemands(t *testing.T) {
	t.Parallel()
	own, other := newKey(t), newKey(t)
	path := decided(t, sum(t, own), nil)
	sanOf := func(names ...string) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.Subject = pkix.Name{}
			for _, name := range names {
				if uri, err := url.Parse(name); err == nil && uri.Scheme != "" {
					c.URIs = append(c.URIs, uri)
				} else {
					c.DNSNames = append(c.DNSNames, name)
				}
			}
		}
	}
	for name, c := range map[string]struct {
		certificate []byte
		log         string
		want        string
	}{
		"all":               {certificate: issue(t, own, nil)},
		"another key":       {certificate: issue(t, other, nil), want: "key"},
		"another device":    {certificate: issue(t, own, func(c *x509.Certificate) { c.Subject.CommonName = "C02OTHER" }), want: "identifier"},
		"a longer name":     {certificate: issue(t, own, func(c *x509.Certificate) { c.Subject.CommonName = identifier + "1" }), want: "identifier"},
		"another reference": {certificate: issue(t, own, func(c *x509.Certificate) { c.Subject.OrganizationalUnit = []string{"7F3K9Q2N"} }), want: "reference"},
		"no reference":      {certificate: issue(t, own, func(c *x509.Certificate) { c.Subject.OrganizationalUnit = nil }), want: "reference"},
		"a part of a word":  {certificate: issue(t, own, func(c *x509.Certificate) { c.Subject.OrganizationalUnit = []string{"A" + reference} }), want: "reference"},
		"too early":         {certificate: issue(t, own, func(c *x509.Certificate) { c.NotBefore = decidedAt().Add(-15*time.Minute - time.Second) }), want: "time"},
		"just in time":      {certificate: issue(t, own, func(c *x509.Certificate) { c.NotBefore = decidedAt().Add(-15 * time.Minute) })},
		"too late":          {certificate: issue(t, own, func(c *x509.Certificate) { c.NotBefore = decidedAt().Add(15*time.Minute + time.Second) }), want: "time"},
		"another one":       {certificate: issue(t, other, func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "C02OTHER"} }), want: "reference"},
		"reference in a URI": {certificate: issue(t, own, func(c *x509.Certificate) {
			sanOf("urn:posture:"+reference, identifier)(c)
		})},
		"in an extension": {certificate: issue(t, own, func(c *x509.Certificate) {
			c.Subject.OrganizationalUnit = nil
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Value: append([]byte{0x0c, 8}, reference...)}}
		})},
		// The bytes around a text in DER may be those of letters and digits: the length 0x30, and the tag 0x30 of what follows.
		"at the beginning of a long text": {certificate: issue(t, own, func(c *x509.Certificate) {
			c.Subject.OrganizationalUnit = nil
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Value: slices.Concat([]byte{0x0c, 0x30}, []byte(reference), bytes.Repeat([]byte{'.'}, 0x30-len(reference)))}}
		})},
		"a text that looks like DER": {certificate: issue(t, own, func(c *x509.Certificate) {
			c.Subject.OrganizationalUnit = nil // tag 0x37, length 0x46
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Value: slices.Concat([]byte{0x0c, 0x48}, []byte(reference), bytes.Repeat([]byte{'.'}, 0x48-len(reference)))}}
		})},
		"within a structure": {certificate: issue(t, own, func(c *x509.Certificate) {
			c.Subject.OrganizationalUnit = nil
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Value: slices.Concat([]byte{0x30, 12, 0x0c, 8}, []byte(reference), []byte{0x30, 0})}}
		})},
		"in a URI of a certain length": {certificate: issue(t, own, func(c *x509.Certificate) {
			sanOf(strings.Repeat("a", 0x30-len(reference)-1)+":"+reference, identifier)(c)
		})},
		// What a device was shown to a web server for is no order of a certificate.
		"at a door":       {certificate: issue(t, own, nil), log: decided(t, sum(t, own), func(e *audit.Event) { e.Policy, e.Door = "staff", "forward_auth" }), want: "reference"},
		"at RADIUS":       {certificate: issue(t, own, nil), log: decided(t, sum(t, own), func(e *audit.Event) { e.Policy, e.Door = "staff", "radius" }), want: "reference"},
		"with a policy":   {certificate: issue(t, own, nil), log: decided(t, sum(t, own), func(e *audit.Event) { e.Policy, e.Door = "staff", "webhook" })},
		"serial number":   {certificate: issue(t, own, func(c *x509.Certificate) { c.Subject.CommonName, c.Subject.SerialNumber = "Mac", identifier })},
		"a denial":        {certificate: issue(t, own, nil), log: decided(t, sum(t, own), func(e *audit.Event) { e.Allowed, e.Code = false, "deviceNotFound" }), want: "allow"},
		"an old line":     {certificate: issue(t, own, nil), log: decided(t, sum(t, own), func(e *audit.Event) { e.Time = e.Time.Add(-time.Hour) }), want: "time"},
		"no key in line":  {certificate: issue(t, own, nil), log: decided(t, [sha256.Size]byte{}, nil), want: "key"},
		"no identifier":   {certificate: issue(t, own, nil), log: decided(t, sum(t, own), func(e *audit.Event) { e.Identifier = "" }), want: "identifier"},
		"a notification":  {certificate: issue(t, own, nil), log: decided(t, sum(t, own), func(e *audit.Event) { e.Notification = &audit.Notification{Issued: true} }), want: "reference"},
		"a PEM file":      {certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issue(t, own, nil)})},
		"PEM with others": {certificate: slices.Concat([]byte("text\n"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issue(t, own, nil)}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issue(t, other, nil)}))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := path
			if c.log != "" {
				log = c.log
			}
			p := prove(t, c.certificate, log)
			if got := failing(p); got != c.want {
				t.Errorf("not met: %q, want %q: %+v", got, c.want, p.Demands)
			}
			if p.Proven && (p.Line != 5 || p.Decision.Reference != reference) {
				t.Errorf("line %d: %+v", p.Line, p.Decision)
			}
		})
	}
}

// A line proves nothing in files that are not intact, or where no chain covers it. Of several lines with one reference the right one
// is found.
func TestProofNeedsTheChain(t *testing.T) {
	t.Parallel()
	own := newKey(t)
	path := decided(t, sum(t, own), nil)
	certificate := issue(t, own, nil)
	lines := linesOf(t, path)
	folder := t.TempDir()
	changed := slices.Clone(lines)
	changed[4] = strings.Replace(changed[4], "in the inventory", "on the whitelist", 1)
	elsewhere := slices.Clone(lines)
	elsewhere[6] = strings.Replace(elsewhere[6], "allow", "deny_", 1)
	uncovered := filepath.Join(folder, "uncovered")
	plain, _, err := audit.OpenTrail(uncovered)
	if err != nil {
		t.Fatal(err)
	}
	e := event(0)
	e.Time, e.Reference, e.Identifier, e.PublicKey = decidedAt(), reference, identifier, sum(t, own)
	if err := plain.Append(e); err != nil {
		t.Fatal(err)
	}
	_ = plain.Close()
	for name, c := range map[string]struct {
		paths []string
		want  string
	}{
		"the line was changed":   {[]string{put(t, filepath.Join(folder, "changed"), changed...)}, "chain"},
		"another was changed":    {[]string{put(t, filepath.Join(folder, "elsewhere"), elsewhere...)}, "chain"},
		"one was removed":        {[]string{put(t, filepath.Join(folder, "removed"), lines[1:]...)}, "chain"},
		"no chain covers it":     {[]string{uncovered, written(t, 3)}, "chain"},
		"no chain at all":        {[]string{uncovered}, "chain"},
		"another log":            {[]string{written(t, 3)}, "reference"},
		"compressed":             {[]string{compress(t, path)}, ""},
		"the same, by others":    {[]string{decided(t, sum(t, newKey(t)), nil), path, decided(t, sum(t, own), func(e *audit.Event) { e.Allowed = false })}, ""},
		"behind an uncovered":    {[]string{uncovered, path}, ""},
		"with an unchained line": {[]string{put(t, filepath.Join(folder, "early"), slices.Concat([]string{lines[4]}, lines)...)}, "chain"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := prove(t, certificate, c.paths...)
			if got := failing(p); got != c.want {
				t.Errorf("not met: %q, want %q: %+v", got, c.want, p.Demands)
			}
		})
	}
}

func TestReadCertificate(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":    "",
		"a text":     "certificate",
		"a key":      string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})),
		"broken PEM": "-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n",
		"too long":   strings.Repeat("x", 2<<20),
	} {
		if _, err := auditchain.ReadCertificate([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

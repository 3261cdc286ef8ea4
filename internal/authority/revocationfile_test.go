package authority

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/testca"
)

// of is what a file with these CAs has.
func of(cas ...*testca.CA) *Authorities {
	a := &Authorities{file: File{Setting: "TLS_CA_PATH"}, pool: x509.NewCertPool()}
	for _, ca := range cas {
		a.pool.AddCert(ca.Certificate)
		a.list = append(a.list, ca.Certificate)
	}
	return a
}

// TestRevocationFile has files, and what is wrong with them, or how many entries they have.
func TestRevocationFile(t *testing.T) {
	t.Parallel()
	root, stranger := testca.New(t, "Root"), testca.New(t, "Stranger")
	twin := testca.New(t, "Root") // the same name, another key
	between := root.Intermediate(t, "Between", nil)
	powerless := root.Intermediate(t, "Powerless", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	leaf := root.Intermediate(t, "Leaf", func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, 0 })
	expired := root.Intermediate(t, "Expired", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	one, two := big.NewInt(1), big.NewInt(2)
	huge := new(big.Int).Lsh(one, 4000)
	ofRoot := root.List(t, 1, nil, one)
	text := func(s string) []byte { return []byte(s) }
	tests := []struct {
		name    string
		file    []byte
		wrong   string // empty: it is valid
		entries int
	}{
		{"PEM", testca.ListPEM(ofRoot), "", 1},
		{"DER", ofRoot, "", 1},
		{"no entries", testca.ListPEM(root.List(t, 1, nil)), "", 0},
		{"of an intermediate that is in the file", testca.Joined(testca.ListPEM(between.List(t, 1, nil, one, two)), between.PEM()), "", 2},
		{"of an intermediate, DER", testca.Joined(between.List(t, 1, nil, one), between.Certificate.Raw), "", 1},
		{"two of two CAs, with text around", testca.Joined(text("of the root:\n"), testca.ListPEM(ofRoot), text("\nof the other\n"), between.PEM(), testca.ListPEM(between.List(t, 1, nil, two))), "", 2},
		{"two in DER", testca.Joined(ofRoot, between.Certificate.Raw, between.List(t, 1, nil, two)), "", 2},
		{"huge, zero and negative serial numbers", testca.ListPEM(root.List(t, 1, nil, huge, new(big.Int), big.NewInt(-7))), "", 3},
		{"step-ca's distribution point", testca.ListPEM(root.List(t, 1, point(0xa0, 4, 0xa0, 2, 0x86, 0), one)), "", 1},
		{"end entities only", testca.ListPEM(root.List(t, 1, point(0x81, 1, 0xff), one)), "", 1},
		{"CAs only", testca.ListPEM(root.List(t, 1, point(0x82, 1, 0xff), one)), "", 1},
		{"not indirect, expressly", testca.ListPEM(root.List(t, 1, point(0x84, 1, 0), one)), "", 1},
		{"by two parts, one list of each", testca.Joined(testca.ListPEM(root.List(t, 1, point(0x82, 1, 0xff), one)), testca.ListPEM(root.List(t, 1, point(0x81, 1, 0xff), two))), "", 2},
		{"overdue", testca.ListPEM(root.List(t, 1, func(l *x509.RevocationList) { l.ThisUpdate, l.NextUpdate = time.Unix(1, 0), time.Unix(2, 0) }, one)), "", 1},
		{"an unknown extension that is not critical", testca.ListPEM(root.List(t, 1, func(l *x509.RevocationList) { critical(99)(l); l.ExtraExtensions[0].Critical = false }, one)), "", 1},

		{"empty", nil, "it has no PEM revocation list", 0},
		{"an error page", text(`{"status":404,"message":"no CRL available"}`), "it has no PEM revocation list", 0},
		{"a certificate only", root.PEM(), "it has no PEM revocation list, but a certificate", 0},
		{"a certificate only, DER", root.Certificate.Raw, "it has no PEM revocation list, but a certificate", 0},
		{"a key", testca.Joined(testca.ListPEM(ofRoot), testca.PEM("PRIVATE KEY", text("key"))), "a private key begins here; only revocation lists", 0},
		{"a block of another kind", testca.Joined(testca.ListPEM(ofRoot), testca.PEM("GARBAGE", text("x"))), "a block of an unknown kind begins here", 0},
		{"cut off, PEM", testca.ListPEM(ofRoot)[:200], "line 1: the block that begins here has no end", 0},
		{"cut off, DER", ofRoot[:len(ofRoot)-5], "byte 1: neither a revocation list nor a certificate in DER begins here; the file may be cut off", 0},
		{"trailing data, DER", testca.Joined(ofRoot, text("garbage")), fmt.Sprintf("byte %d: neither a revocation list", len(ofRoot)+1), 0},
		{"trailing data in the block", testca.PEM(listKind, testca.Joined(ofRoot, text("garbage"))), "line 1: the list that begins here cannot be used: it is damaged: it has something that belongs to no list", 0},
		{"not a list in the block", testca.PEM(listKind, root.Certificate.Raw), "it is damaged, or no list of version 2", 0},
		{"too large", make([]byte, maxCRL+1), "it has more than 16777216 bytes", 0},
		{"one good, one of a stranger", testca.Joined(testca.ListPEM(ofRoot), testca.ListPEM(stranger.List(t, 1, nil))), `the certificate of its issuer, "Stranger", is neither in TLS_CA_PATH nor in the file; give the list of a CA in TLS_CA_PATH, or append that certificate to the file`, 0},
		{"an intermediate without its certificate", testca.ListPEM(between.List(t, 1, nil, one)), `the certificate of its issuer, "Between", is neither in TLS_CA_PATH nor in the file`, 0},
		{"a stranger with a certificate", testca.Joined(testca.ListPEM(stranger.List(t, 1, nil)), stranger.PEM()), `the certificate of its issuer, "Stranger", does not chain to a CA in TLS_CA_PATH`, 0},
		{"a CA of the same name", testca.ListPEM(twin.List(t, 1, nil, one)), `its signature is not by the key of "Root"`, 0},
		{"a CA of the same name, with its certificate", testca.Joined(testca.ListPEM(twin.List(t, 1, nil, one)), twin.PEM()), `does not chain to a CA in TLS_CA_PATH`, 0},
		{"forged", testca.ListPEM(forged(ofRoot)), "cannot be used: it", 0},
		{"a CA without the right to sign lists", testca.Joined(testca.ListPEM(powerless.List(t, 1, nil)), powerless.PEM()), `"Powerless", may not sign lists: it is no CA, or its key usage lacks cRLSign`, 0},
		{"no CA", testca.Joined(testca.ListPEM(leaf.List(t, 1, nil)), leaf.PEM()), `"Leaf", may not sign lists`, 0},
		{"an issuer that has expired", testca.Joined(testca.ListPEM(expired.List(t, 1, nil)), expired.PEM()), "certificate has expired or is not yet valid", 0},
		{"two of one CA", testca.Joined(testca.ListPEM(ofRoot), testca.ListPEM(root.List(t, 2, nil))), `it is the second one of "Root"; the file must have the newest only`, 0},
		{"a delta list", testca.ListPEM(root.List(t, 1, critical(idDeltaCRLIndicator))), "it is a delta list", 0},
		{"an unknown critical extension", testca.ListPEM(root.List(t, 1, critical(99))), "it has the critical extension 2.5.29.99", 0},
		{"two distribution points", testca.ListPEM(root.List(t, 1, func(l *x509.RevocationList) { point()(l); point()(l) })), "it has the extension 2.5.29.28 twice", 0},
		{"some reasons only", testca.ListPEM(root.List(t, 1, point(0x83, 2, 7, 0x80))), "for some reasons only", 0},
		{"indirect", testca.ListPEM(root.List(t, 1, point(0x84, 1, 0xff))), "it is an indirect list", 0},
		{"attribute certificates", testca.ListPEM(root.List(t, 1, point(0x85, 1, 0xff))), "attribute certificates only", 0},
		{"an unknown field of the point", testca.ListPEM(root.List(t, 1, point(0x86, 1, 0xff))), "its issuing distribution point cannot be read", 0},
		{"a broken point", testca.ListPEM(root.List(t, 1, point(0x84, 9))), "its issuing distribution point cannot be read", 0},
		{"an entry with a critical extension", testca.ListPEM(root.List(t, 1, entryExtension(pkix.Extension{Id: oid(99), Critical: true, Value: []byte{5, 0}}), one)), "its entry 1 has the extension 2.5.29.99", 0},
		{"an entry of another issuer", testca.ListPEM(root.List(t, 1, entryExtension(pkix.Extension{Id: oid(idCertificateIssuer), Value: []byte{5, 0}}), one)), "its entry 1 has the extension 2.5.29.29", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			list := filepath.Join(t.TempDir(), "crl.pem")
			if err := os.WriteFile(list, test.file, 0o600); err != nil {
				t.Fatal(err)
			}
			found, err := LoadRevocations(File{Role: "revocation list", Setting: "TLS_CRL_PATH", Path: list}, of(root), nil, time.Now())
			if test.wrong != "" {
				if found != nil || err == nil || !strings.HasPrefix(err.Error(), "revocation list ") || !strings.Contains(err.Error(), test.wrong) {
					t.Errorf("LoadRevocations() = %v, want an error with %q", err, test.wrong)
				}
				return
			}
			if err != nil {
				t.Fatalf("LoadRevocations() = %v", err)
			}
			if got := found.Entries(); got != test.entries {
				t.Errorf("it has %d entries, want %d", got, test.entries)
			}
		})
	}
}

// The list of a CA whose key signs with SHA-1 is refused, though x509 would verify it. No Go function signs with it any
// more, so the algorithm is that of the parsed list.
func TestWeakSignature(t *testing.T) {
	t.Parallel()
	root := testca.New(t, "Root")
	parsed, err := x509.ParseRevocationList(root.List(t, 1, nil))
	if err != nil {
		t.Fatal(err)
	}
	s := newSigners(of(root), time.Now())
	if _, err := s.signerOf(parsed); err != nil {
		t.Fatalf("with SHA-256: %v", err)
	}
	for _, weak := range []x509.SignatureAlgorithm{x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.MD5WithRSA} {
		parsed.SignatureAlgorithm = weak
		if _, err := s.signerOf(parsed); err == nil || !strings.Contains(err.Error(), "it is signed with "+weak.String()) {
			t.Errorf("with %s: %v, want an error", weak, err)
		}
	}
}

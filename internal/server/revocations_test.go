package server

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"
)

// TestRevocationFile has files, and what is wrong with them, or how many entries they have.
func TestRevocationFile(t *testing.T) {
	t.Parallel()
	root, stranger := newIssuer(t, "Root"), newIssuer(t, "Stranger")
	twin := newIssuer(t, "Root") // the same name, another key
	between := root.intermediate(t, "Between", nil)
	powerless := root.intermediate(t, "Powerless", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	leaf := root.intermediate(t, "Leaf", func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, 0 })
	expired := root.intermediate(t, "Expired", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	one, two := big.NewInt(1), big.NewInt(2)
	huge := new(big.Int).Lsh(one, 4000)
	ofRoot := root.list(t, 1, nil, one)
	text := func(s string) []byte { return []byte(s) }
	tests := []struct {
		name    string
		file    []byte
		wrong   string // empty: it is valid
		entries int
	}{
		{"PEM", listPEM(ofRoot), "", 1},
		{"DER", ofRoot, "", 1},
		{"no entries", listPEM(root.list(t, 1, nil)), "", 0},
		{"of an intermediate that is in the file", joined(listPEM(between.list(t, 1, nil, one, two)), certificatePEM(between)), "", 2},
		{"of an intermediate, DER", joined(between.list(t, 1, nil, one), between.certificate.Raw), "", 1},
		{"two of two CAs, with text around", joined(text("of the root:\n"), listPEM(ofRoot), text("\nof the other\n"), certificatePEM(between), listPEM(between.list(t, 1, nil, two))), "", 2},
		{"two in DER", joined(ofRoot, between.certificate.Raw, between.list(t, 1, nil, two)), "", 2},
		{"huge, zero and negative serial numbers", listPEM(root.list(t, 1, nil, huge, new(big.Int), big.NewInt(-7))), "", 3},
		{"step-ca's distribution point", listPEM(root.list(t, 1, point(0xa0, 4, 0xa0, 2, 0x86, 0), one)), "", 1},
		{"end entities only", listPEM(root.list(t, 1, point(0x81, 1, 0xff), one)), "", 1},
		{"CAs only", listPEM(root.list(t, 1, point(0x82, 1, 0xff), one)), "", 1},
		{"not indirect, expressly", listPEM(root.list(t, 1, point(0x84, 1, 0), one)), "", 1},
		{"by two parts, one list of each", joined(listPEM(root.list(t, 1, point(0x82, 1, 0xff), one)), listPEM(root.list(t, 1, point(0x81, 1, 0xff), two))), "", 2},
		{"overdue", listPEM(root.list(t, 1, func(l *x509.RevocationList) { l.ThisUpdate, l.NextUpdate = time.Unix(1, 0), time.Unix(2, 0) }, one)), "", 1},
		{"an unknown extension that is not critical", listPEM(root.list(t, 1, func(l *x509.RevocationList) { critical(99)(l); l.ExtraExtensions[0].Critical = false }, one)), "", 1},

		{"empty", nil, "it has no PEM revocation list", 0},
		{"an error page", text(`{"status":404,"message":"no CRL available"}`), "it has no PEM revocation list", 0},
		{"a certificate only", certificatePEM(root), "it has no PEM revocation list, but a certificate", 0},
		{"a certificate only, DER", root.certificate.Raw, "it has no PEM revocation list, but a certificate", 0},
		{"a key", joined(listPEM(ofRoot), inPEM("PRIVATE KEY", text("key"))), "a private key begins here; only revocation lists", 0},
		{"a block of another kind", joined(listPEM(ofRoot), inPEM("GARBAGE", text("x"))), "a block of an unknown kind begins here", 0},
		{"cut off, PEM", listPEM(ofRoot)[:200], "line 1: the block that begins here has no end", 0},
		{"cut off, DER", ofRoot[:len(ofRoot)-5], "byte 1: neither a revocation list nor a certificate in DER begins here; the file may be cut off", 0},
		{"trailing data, DER", joined(ofRoot, text("garbage")), fmt.Sprintf("byte %d: neither a revocation list", len(ofRoot)+1), 0},
		{"trailing data in the block", inPEM(listKind, joined(ofRoot, text("garbage"))), "line 1: the list that begins here cannot be used: it is damaged: it has something that belongs to no list", 0},
		{"not a list in the block", inPEM(listKind, root.certificate.Raw), "it is damaged, or no list of version 2", 0},
		{"too large", make([]byte, maxCRL+1), "it has more than 16777216 bytes", 0},
		{"one good, one of a stranger", joined(listPEM(ofRoot), listPEM(stranger.list(t, 1, nil))), `the certificate of its issuer, "Stranger", is neither in TLS_CA_PATH nor in the file; append it to the file`, 0},
		{"an intermediate without its certificate", listPEM(between.list(t, 1, nil, one)), `the certificate of its issuer, "Between", is neither in TLS_CA_PATH nor in the file`, 0},
		{"a stranger with a certificate", joined(listPEM(stranger.list(t, 1, nil)), certificatePEM(stranger)), `the certificate of its issuer, "Stranger", does not chain to a CA in TLS_CA_PATH`, 0},
		{"a CA of the same name", listPEM(twin.list(t, 1, nil, one)), `its signature is not by the key of "Root"`, 0},
		{"a CA of the same name, with its certificate", joined(listPEM(twin.list(t, 1, nil, one)), certificatePEM(twin)), `does not chain to a CA in TLS_CA_PATH`, 0},
		{"forged", listPEM(forged(ofRoot)), "cannot be used: it", 0},
		{"a CA without the right to sign lists", joined(listPEM(powerless.list(t, 1, nil)), certificatePEM(powerless)), `"Powerless", may not sign lists: it is no CA, or its key usage lacks cRLSign`, 0},
		{"no CA", joined(listPEM(leaf.list(t, 1, nil)), certificatePEM(leaf)), `"Leaf", may not sign lists`, 0},
		{"an issuer that has expired", joined(listPEM(expired.list(t, 1, nil)), certificatePEM(expired)), "certificate has expired or is not yet valid", 0},
		{"two of one CA", joined(listPEM(ofRoot), listPEM(root.list(t, 2, nil))), `it is the second one of "Root"; the file must have the newest only`, 0},
		{"a delta list", listPEM(root.list(t, 1, critical(idDeltaCRLIndicator))), "it is a delta list", 0},
		{"an unknown critical extension", listPEM(root.list(t, 1, critical(99))), "it has the critical extension 2.5.29.99", 0},
		{"two distribution points", listPEM(root.list(t, 1, func(l *x509.RevocationList) { point()(l); point()(l) })), "it has the extension 2.5.29.28 twice", 0},
		{"some reasons only", listPEM(root.list(t, 1, point(0x83, 2, 7, 0x80))), "for some reasons only", 0},
		{"indirect", listPEM(root.list(t, 1, point(0x84, 1, 0xff))), "it is an indirect list", 0},
		{"attribute certificates", listPEM(root.list(t, 1, point(0x85, 1, 0xff))), "attribute certificates only", 0},
		{"an unknown field of the point", listPEM(root.list(t, 1, point(0x86, 1, 0xff))), "its issuing distribution point cannot be read", 0},
		{"a broken point", listPEM(root.list(t, 1, point(0x84, 9))), "its issuing distribution point cannot be read", 0},
		{"an entry with a critical extension", listPEM(root.list(t, 1, entryExtension(pkix.Extension{Id: oid(99), Critical: true, Value: []byte{5, 0}}), one)), "its entry 1 has the extension 2.5.29.99", 0},
		{"an entry of another issuer", listPEM(root.list(t, 1, entryExtension(pkix.Extension{Id: oid(idCertificateIssuer), Value: []byte{5, 0}}), one)), "its entry 1 has the extension 2.5.29.29", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := files(t)
			f.Revocations = f.ClientCA + ".crl"
			f.pair(t, root, time.Time{})
			f.trust(t, root)
			f.revoke(t, test.file)
			identity := NewTLS(f, nil)
			apply, err := identity.Load(time.Now())
			if test.wrong != "" {
				if apply != nil || err == nil || !strings.HasPrefix(err.Error(), "revocation list ") || !strings.Contains(err.Error(), test.wrong) {
					t.Errorf("Load() = %v, want an error with %q", err, test.wrong)
				}
				return
			}
			if err != nil {
				t.Fatalf("Load() = %v", err)
			}
			apply()
			if got := identity.Revoked(); got != test.entries {
				t.Errorf("it has %d entries, want %d", got, test.entries)
			}
		})
	}
}

func (f Files) revoke(t *testing.T, parts ...[]byte) {
	t.Helper()
	if err := os.WriteFile(f.Revocations, joined(parts...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The list of a CA whose key signs with SHA-1 is refused, though x509 would verify it. No Go function signs with it any
// more, so the algorithm is that of the parsed list.
func TestWeakSignature(t *testing.T) {
	t.Parallel()
	root := newIssuer(t, "Root")
	parsed, err := x509.ParseRevocationList(root.list(t, 1, nil))
	if err != nil {
		t.Fatal(err)
	}
	s := newSigners(&authorities{pool: x509.NewCertPool(), list: []*x509.Certificate{root.certificate}}, time.Now())
	s.cas.pool.AddCert(root.certificate)
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

// A list may not go back, and may not vanish while its CA is trusted; the previous one counts meanwhile.
func TestRevocationsFollow(t *testing.T) {
	t.Parallel()
	root, other := newIssuer(t, "Root"), newIssuer(t, "Other")
	one, two, three := big.NewInt(1), big.NewInt(2), big.NewInt(3)
	f := files(t)
	f.Revocations = f.ClientCA + ".crl"
	f.pair(t, root, time.Time{})
	f.trust(t, root, other)
	f.revoke(t, listPEM(root.list(t, 5, nil, one)), listPEM(other.list(t, 1, nil, one)))
	identity := NewTLS(f, nil)
	load(t, identity)
	step := func(what string, entries int, wrong []Role, parts ...[]byte) {
		t.Helper()
		f.revoke(t, parts...)
		load(t, identity, wrong...)
		if got := identity.Revoked(); got != entries {
			t.Errorf("%s: %d entries are in effect, want %d", what, got, entries)
		}
	}
	refused := []Role{Revocations}
	ofOther := listPEM(other.list(t, 1, nil, one))
	step("a lower number", 2, refused, listPEM(root.list(t, 4, nil)), ofOther)
	step("the same number", 3, nil, listPEM(root.list(t, 5, nil, one, two)), ofOther)
	step("a higher number", 4, nil, listPEM(root.list(t, 256, nil, one, two, three)), ofOther)
	step("one list of two", 4, refused, listPEM(root.list(t, 257, nil)))
	step("broken", 4, refused, []byte("-----BEGIN X509 CRL-----\n"))
	f.trust(t, root)
	step("the CA of the other was removed, its list not", 4, refused, listPEM(root.list(t, 258, nil)), ofOther)
	if identity.current.Load().rules.clientCAs.has(other.certificate) {
		t.Error("a list that can no longer be verified keeps its CA")
	}
	step("both were removed", 0, nil, listPEM(root.list(t, 258, nil)))

	f.write(t, f.Certificate, "CERTIFICATE")
	f.revoke(t, listPEM(root.list(t, 259, nil, one)))
	load(t, identity, Certificate)
	if got := identity.Revoked(); got != 1 {
		t.Errorf("a broken certificate stops a new list: %d entries, want 1", got)
	}
	load(t, NewTLS(Files{f.Certificate, f.PrivateKey, f.ClientCA, ""}, nil), Certificate)
}

// A list that should have been replaced is reported, and goes on counting.
func TestOverdue(t *testing.T) {
	t.Parallel()
	root := newIssuer(t, "Root")
	f := files(t)
	f.Revocations = f.ClientCA + ".crl"
	f.pair(t, root, time.Time{})
	f.trust(t, root)
	f.revoke(t, listPEM(root.list(t, 5, nil, big.NewInt(1))))
	identity := NewTLS(f, nil)
	load(t, identity)
	next := identity.NextUpdate()
	if got := identity.Overdue(next); got != "" {
		t.Errorf("when it is due: %q", got)
	}
	want := `the list of "Root" should have been replaced by ` + next.UTC().Format(time.RFC3339)
	if got := identity.Overdue(next.Add(time.Second)); got != want {
		t.Errorf("Overdue() = %q, want %q", got, want)
	}
	warnings := identity.Warnings(next.Add(time.Second))
	if len(warnings) == 0 || !strings.HasPrefix(warnings[len(warnings)-1], "TLS_CRL_PATH: "+want) {
		t.Errorf("the warnings are %q", warnings)
	}
	if got := identity.DescribeLists(); !strings.Contains(got, `"Root", CRL number 5, of `) || !strings.HasSuffix(got, ", 1 entry") {
		t.Errorf("DescribeLists() = %q", got)
	}
}

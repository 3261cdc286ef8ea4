package webhook

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"testing"

	"step-posture-connector/internal/certname"
)

// made returns CSRs of many kinds, made by crypto/x509, with whether each is plain.
func made(t testing.TB) map[string]struct {
	der   []byte
	plain bool
} {
	t.Helper()
	made := map[string]struct {
		der   []byte
		plain bool
	}{}
	curve := func(c elliptic.Curve) crypto.Signer {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	onRSA, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	add := func(name string, plain bool, key crypto.Signer, template *x509.CertificateRequest) {
		der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
		if err != nil {
			t.Fatal(err)
		}
		made[name] = struct {
			der   []byte
			plain bool
		}{der, plain}
	}
	device := pkix.Name{CommonName: "C02XK1JKLVCG"}
	p256 := curve(elliptic.P256())
	usage := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Critical: true, Value: []byte{3, 2, 7, 128}}
	add("P-256", true, p256, &x509.CertificateRequest{Subject: device})
	add("P-384", true, curve(elliptic.P384()), &x509.CertificateRequest{Subject: device})
	add("P-521", false, curve(elliptic.P521()), &x509.CertificateRequest{Subject: device})
	add("RSA", false, onRSA, &x509.CertificateRequest{Subject: device})
	add("no subject", true, p256, &x509.CertificateRequest{})
	add("more in the subject", true, p256, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "Zoë", Organization: []string{"A"}, Country: []string{"CH"}}})
	add("two common names", true, p256, &x509.CertificateRequest{Subject: pkix.Name{
		ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "one"}, {Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "two"}},
	}})
	add("an extension", true, p256, &x509.CertificateRequest{Subject: device, ExtraExtensions: []pkix.Extension{usage}})
	add("a subject alternative name", false, p256, &x509.CertificateRequest{Subject: device, DNSNames: []string{"c02"}})
	add("an attribute of another arc", false, p256, &x509.CertificateRequest{Subject: pkix.Name{
		ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, Value: "user"}},
	}})
	return made
}

func TestPlainCSR(t *testing.T) {
	t.Parallel()
	for name, csr := range made(t) {
		read, ok := readPlainCSR(csr.der)
		if ok != csr.plain {
			t.Errorf("%s: plain is %v, want %v", name, ok, csr.plain)
		}
		checkPlainCSR(t, csr.der)
		if ok && name == "two common names" && len(read.commonNames) != 2 {
			t.Errorf("%s: found %q", name, read.commonNames)
		}
	}
}

// Each byte of a plain CSR is changed in every way: crypto/x509 accepts every changed CSR that readPlainCSR accepts, with
// the same names.
func TestPlainCSRChanged(t *testing.T) {
	t.Parallel()
	for _, csr := range made(t) {
		if !csr.plain {
			continue
		}
		for i := range csr.der {
			changed := slices.Clone(csr.der)
			for range 255 {
				changed[i]++
				checkPlainCSR(t, changed)
			}
		}
		for i := range csr.der {
			checkPlainCSR(t, csr.der[:i])
		}
		checkPlainCSR(t, append(slices.Clone(csr.der), 0))
	}
}

func checkPlainCSR(t *testing.T, der []byte) {
	t.Helper()
	read, ok := readPlainCSR(der)
	if !ok {
		return
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatalf("%x is accepted, but crypto/x509 says %v", der, err)
	}
	if want := certname.CommonNames(csr.Subject); !slices.Equal(read.commonNames, want) {
		t.Fatalf("%x has the common names %q, crypto/x509 finds %q", der, read.commonNames, want)
	}
	if keyType, bits := certname.DescribeKey(csr.PublicKey); read.keyType != keyType || read.keyBits != bits {
		t.Fatalf("%x has a key %s of %d bits, crypto/x509 finds %s of %d", der, read.keyType, read.keyBits, keyType, bits)
	}
	for _, extension := range csr.Extensions {
		if extension.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) {
			t.Fatalf("%x has subject alternative names", der)
		}
	}
}

// FuzzPlainCSR: crypto/x509 accepts every CSR that readPlainCSR accepts, with the same names.
func FuzzPlainCSR(f *testing.F) {
	for _, csr := range made(f) {
		f.Add(csr.der)
	}
	f.Fuzz(checkPlainCSR)
}

// BenchmarkCSR measures what readPlainCSR buys; its comment has the numbers.
func BenchmarkCSR(b *testing.B) {
	csr := made(b)["P-256"].der
	b.Run("own", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := readPlainCSR(csr); !ok {
				b.Fatal("not a plain CSR")
			}
		}
	})
	b.Run("x509", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := x509.ParseCertificateRequest(csr); err != nil {
				b.Fatal(err)
			}
		}
	})
}

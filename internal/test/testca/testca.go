// Package testca has CAs of tests: the certificates that they issue, and the lists of those that they have revoked.
package testca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// CA is an authority that may sign certificates and lists. Two may have one name.
type CA struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
}

// New is a root.
func New(t testing.TB, name string) *CA {
	t.Helper()
	a := &CA{}
	a.Certificate, a.Key = a.Issue(t, template(name))
	return a
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte(rand.Text()),
	}
}

// Intermediate is an authority below a, with changes of its template.
func (a *CA) Intermediate(t testing.TB, name string, change func(*x509.Certificate)) *CA {
	t.Helper()
	made := template(name)
	if change != nil {
		change(made)
	}
	certificate, key := a.Issue(t, made)
	return &CA{certificate, key}
}

// Issue signs a certificate, which is valid for an hour if its template does not say until when; the first of a CA signs
// itself.
func (a *CA) Issue(t testing.TB, template *x509.Certificate) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	key := newKey(t)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	template.NotBefore = template.NotAfter.Add(-2 * time.Hour)
	parent, signer := a.Certificate, a.Key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, key
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Client is a certificate with which a client can authenticate itself.
func (a *CA) Client(t testing.TB) *tls.Certificate {
	t.Helper()
	certificate, key := a.Issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "ca"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return &tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}
}

// List is a CRL of the authority that names certificates, in DER, with changes of its template.
func (a *CA) List(t testing.TB, number int64, change func(*x509.RevocationList), revoked ...*big.Int) []byte {
	t.Helper()
	now := time.Now()
	template := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Hour)}
	for _, serial := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: serial, RevocationTime: now, ReasonCode: 1})
	}
	if change != nil {
		change(template)
	}
	// x509.CreateRevocationList refuses signers that may not sign lists.
	signer := *a.Certificate
	signer.KeyUsage |= x509.KeyUsageCRLSign
	if len(signer.SubjectKeyId) == 0 {
		signer.SubjectKeyId = []byte("key")
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, &signer, a.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// PEM is the certificate of the authority.
func (a *CA) PEM() []byte { return PEM("CERTIFICATE", a.Certificate.Raw) }

// ListPEM is a list in PEM.
func ListPEM(der []byte) []byte { return PEM("X509 CRL", der) }

// PEM is a block of PEM.
func PEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// Joined is several files in one.
func Joined(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

package server

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// newIssuer is an authority that may sign lists. Two may have one name.
func newIssuer(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{}
	a.certificate, a.key = a.issue(t, issuerTemplate(name))
	return a
}

func issuerTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte(rand.Text()),
	}
}

// intermediate is an authority below a, with changes of its template.
func (a *authority) intermediate(t *testing.T, name string, change func(*x509.Certificate)) *authority {
	t.Helper()
	template := issuerTemplate(name)
	if change != nil {
		change(template)
	}
	certificate, key := a.issue(t, template)
	return &authority{certificate, key}
}

// list is a CRL of the authority that names certificates, with changes of its template.
func (a *authority) list(t testing.TB, number int64, change func(*x509.RevocationList), revoked ...*big.Int) []byte {
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
	signer := *a.certificate
	signer.KeyUsage |= x509.KeyUsageCRLSign
	if len(signer.SubjectKeyId) == 0 {
		signer.SubjectKeyId = []byte("key")
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, &signer, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func inPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func listPEM(der []byte) []byte          { return inPEM(listKind, der) }
func certificatePEM(a *authority) []byte { return inPEM(certificateKind, a.certificate.Raw) }

func joined(parts ...[]byte) []byte {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func critical(id int) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, id}, Critical: true, Value: []byte{5, 0}})
	}
}

// point adds an issuing distribution point with these fields.
func point(fields ...byte) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		value := append([]byte{0x30, byte(len(fields))}, fields...)
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: oid(idIssuingDistributionPoint), Critical: true, Value: value})
	}
}

// entryExtension adds an extension to the first entry.
func entryExtension(e pkix.Extension) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		l.RevokedCertificateEntries[0].ExtraExtensions = []pkix.Extension{e}
	}
}

// forged changes a byte of what was signed.
func forged(der []byte) []byte {
	der = append([]byte{}, der...)
	der[len(der)/2] ^= 1
	return der
}

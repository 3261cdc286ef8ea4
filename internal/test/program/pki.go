package program

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// PKI is a CA like step-ca's, with a server certificate for the daemon.
type PKI struct {
	CA                            *x509.Certificate
	Roots                         *x509.CertPool
	CACert, ServerCert, ServerKey string // paths

	directory string
	caKey     crypto.Signer
}

// NewPKI has a server certificate with an EC key.
func NewPKI(t *testing.T) *PKI {
	t.Helper()
	return NewPKIWith(t, NewECKey(t))
}

// NewPKIWith is NewPKI with a key for the server certificate.
func NewPKIWith(t *testing.T, serverKey crypto.Signer) *PKI {
	t.Helper()
	p := &PKI{directory: t.TempDir(), caKey: NewECKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Root CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, p.caKey.Public(), p.caKey)
	if err != nil {
		t.Fatal(err)
	}
	if p.CA, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	p.Roots = x509.NewCertPool()
	p.Roots.AddCert(p.CA)
	p.CACert = p.Write(t, "ca.pem", "CERTIFICATE", der)

	server := LeafTemplate("connector")
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	// The issuer follows the leaf: a leaf alone causes a warning.
	p.ServerCert = p.Write(t, "server.pem", "CERTIFICATE", p.Sign(t, server, serverKey), der)
	key, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		t.Fatal(err)
	}
	p.ServerKey = p.Write(t, "server.key", "PRIVATE KEY", key)
	return p
}

// LeafTemplate is a certificate like step-ca's own, for a server and a client.
func LeafTemplate(commonName string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: commonName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

// Sign issues a certificate for a key, as DER.
func (p *PKI) Sign(t *testing.T, template *x509.Certificate, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, p.CA, key.Public(), p.caKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// ClientCertificate issues a client certificate.
func (p *PKI) ClientCertificate(t *testing.T, template *x509.Certificate) *tls.Certificate {
	t.Helper()
	key := NewECKey(t)
	return &tls.Certificate{Certificate: [][]byte{p.Sign(t, template, key)}, PrivateKey: key}
}

// Write writes a PEM file to the folder of the PKI, and returns its path.
func (p *PKI) Write(t *testing.T, name, kind string, blocks ...[]byte) string {
	t.Helper()
	path := filepath.Join(p.directory, name)
	var text []byte
	for _, der := range blocks {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// NewECKey generates a key.
func NewECKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// NewRSAKey generates a key.
func NewRSAKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

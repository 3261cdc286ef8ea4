package blackbox_test

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

// pki is a CA like step-ca's, with a server certificate for the daemon.
type pki struct {
	directory             string
	ca                    *x509.Certificate
	caKey                 crypto.Signer
	caCert                string // path
	serverCert, serverKey string // paths
	roots                 *x509.CertPool
}

func newPKI(t *testing.T) *pki {
	t.Helper()
	return newPKIWith(t, ecKey(t))
}

func newPKIWith(t *testing.T, serverKey crypto.Signer) *pki {
	t.Helper()
	p := &pki{directory: t.TempDir(), caKey: ecKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Root CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, p.caKey.Public(), p.caKey)
	if err != nil {
		t.Fatal(err)
	}
	if p.ca, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	p.roots = x509.NewCertPool()
	p.roots.AddCert(p.ca)
	p.caCert = p.write(t, "ca.pem", "CERTIFICATE", der)

	server := leaf("connector")
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	// With the issuer behind it: a leaf alone is warned of.
	p.serverCert = p.write(t, "server.pem", "CERTIFICATE", p.sign(t, server, serverKey), der)
	key, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		t.Fatal(err)
	}
	p.serverKey = p.write(t, "server.key", "PRIVATE KEY", key)
	return p
}

// leaf is a certificate such as step-ca has itself: it may be a server and a client.
func leaf(commonName string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: commonName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

func (p *pki) sign(t *testing.T, template *x509.Certificate, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, p.ca, key.Public(), p.caKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// client makes a client certificate of the CA.
func (p *pki) client(t *testing.T, template *x509.Certificate) *tls.Certificate {
	t.Helper()
	key := ecKey(t)
	return &tls.Certificate{Certificate: [][]byte{p.sign(t, template, key)}, PrivateKey: key}
}

func (p *pki) write(t *testing.T, name, kind string, blocks ...[]byte) string {
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

func ecKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

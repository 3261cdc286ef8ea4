package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

const (
	host         = "127.0.0.1"
	secretLength = 64 // bytes, as step-ca makes them
	lifetime     = 24 * time.Hour
	private      = 0o600
)

// prepare fills the folder with a signing secret and a self-signed certificate, and returns the
// secret and a pool that trusts the certificate.
func (f folder) prepare() (secret []byte, trusted *x509.CertPool, err error) {
	secret = make([]byte, secretLength)
	_, _ = rand.Read(secret) // never fails
	if err := os.WriteFile(f.secret(), secret, private); err != nil {
		return nil, nil, fmt.Errorf("write secret: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "Connector"},
		IPAddresses:  []net.IP{net.ParseIP(host)},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, fmt.Errorf("make certificate: %w", err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encode key: %w", err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(f.certificate(), certificate, private); err != nil {
		return nil, nil, fmt.Errorf("write certificate: %w", err)
	}
	if err := os.WriteFile(f.key(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), private); err != nil {
		return nil, nil, fmt.Errorf("write key: %w", err)
	}
	trusted = x509.NewCertPool()
	trusted.AppendCertsFromPEM(certificate)
	return secret, trusted, nil
}

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	host         = "127.0.0.1"
	secretLength = 64 // bytes, as step-ca makes them
	lifetime     = 24 * time.Hour
	private      = 0o600
	// clientName is the name that the client certificate must have under mutual TLS.
	clientName = "step-ca.example.com"
)

// folder is the temporary folder of a run.
type folder string

func (f folder) file(name string) string { return filepath.Join(string(f), name) }

func (f folder) certificate() string { return f.file("certificate.pem") }

func (f folder) key() string { return f.file("key.pem") }

func (f folder) clientCA() string { return f.file("client_ca.pem") }

func (f folder) secret() string { return f.file("secret") }

// identity is what both sides know each other by.
type identity struct {
	secret  []byte
	trusted *x509.CertPool
	client  tls.Certificate // for mutual TLS
}

// prepare fills the folder with a signing secret, a self-signed server certificate, and the CA of
// the client certificate.
func (f folder) prepare() (identity, error) {
	id := identity{secret: make([]byte, secretLength), trusted: x509.NewCertPool()}
	_, _ = rand.Read(id.secret) // never fails
	if err := os.WriteFile(f.secret(), id.secret, private); err != nil {
		return id, fmt.Errorf("write secret: %w", err)
	}
	server, err := issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "Connector"},
		IPAddresses: []net.IP{net.ParseIP(host)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, nil)
	if err != nil {
		return id, err
	}
	ca, err := issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "CA of clients"}, KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}, nil)
	if err != nil {
		return id, err
	}
	if id.client, err = issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: clientName},
		DNSNames:    []string{clientName},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, &ca); err != nil {
		return id, err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(server.PrivateKey)
	if err != nil {
		return id, fmt.Errorf("encode key: %w", err)
	}
	for path, block := range map[string]*pem.Block{
		f.certificate(): {Type: "CERTIFICATE", Bytes: server.Certificate[0]},
		f.clientCA():    {Type: "CERTIFICATE", Bytes: ca.Certificate[0]},
		f.key():         {Type: "PRIVATE KEY", Bytes: encoded},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), private); err != nil {
			return id, fmt.Errorf("write certificates: %w", err)
		}
	}
	id.trusted.AddCert(server.Leaf)
	return id, nil
}

// issue makes a certificate, which is self-signed without an issuer.
func issue(template *x509.Certificate, issuer *tls.Certificate) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make key: %w", err)
	}
	template.SerialNumber = big.NewInt(1)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(lifetime)
	parent, signer := template, any(key)
	if issuer != nil {
		template.SerialNumber = big.NewInt(2)
		parent, signer = issuer.Leaf, issuer.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

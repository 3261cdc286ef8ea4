package doors

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// lifetime is how long a certificate is valid.
const lifetime = 24 * time.Hour

// PKI is a root, and the CAs and certificates below it, as files in a folder.
type PKI struct {
	dir    string
	Root   CA
	Issuer CA // issues the certificates of devices
	// Sibling is another CA of the root: its certificates are no devices' certificates.
	Sibling CA
	// Foreign is another root, which nobody trusts.
	Foreign CA
}

// CA is a certificate authority.
type CA struct {
	Certificate *x509.Certificate
	File        string // its certificate, as PEM
	key         *ecdsa.PrivateKey
	chain       [][]byte // what its certificates are presented with: its own certificate, where it is no root
}

// Credential is a certificate and its key.
type Credential struct {
	TLS         tls.Certificate
	Certificate string // file with the certificate and the CA that issued it, as PEM
	Key         string // file with the key, as PEM
}

// Leaf is the first certificate.
func (c Credential) Leaf() []byte { return c.TLS.Certificate[0] }

// NewPKI makes the CAs in an existing, empty folder.
func NewPKI(dir string) (*PKI, error) {
	p := &PKI{dir: dir}
	for _, ca := range []struct {
		into   *CA
		name   string
		parent *CA
	}{{&p.Root, "Root", nil}, {&p.Foreign, "Foreign", nil}, {&p.Issuer, "Devices", &p.Root}, {&p.Sibling, "Sibling", &p.Root}} {
		var err error
		if *ca.into, err = p.newCA(ca.name, ca.parent); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Authority is a CA of another PKI: its certificate, as DER, and its key.
type Authority struct {
	Certificate []byte
	Key         *ecdsa.PrivateKey
}

// Adopt makes the PKI of an existing root and the CA below it that issues the certificates of devices. The other CAs are made
// in an existing, empty folder.
func Adopt(dir string, root, issuer Authority) (*PKI, error) {
	p := &PKI{dir: dir}
	for _, ca := range []struct {
		into  *CA
		from  Authority
		name  string
		chain [][]byte
	}{{&p.Root, root, "Root", nil}, {&p.Issuer, issuer, "Devices", [][]byte{issuer.Certificate}}} {
		certificate, err := x509.ParseCertificate(ca.from.Certificate)
		if err != nil {
			return nil, fmt.Errorf("parse the certificate of %s: %w", ca.name, err)
		}
		*ca.into = CA{Certificate: certificate, File: filepath.Join(dir, ca.name+".pem"), key: ca.from.Key, chain: ca.chain}
		if err := writePEM(ca.into.File, "CERTIFICATE", ca.from.Certificate); err != nil {
			return nil, err
		}
	}
	var err error
	if p.Foreign, err = p.newCA("Foreign", nil); err != nil {
		return nil, err
	}
	p.Sibling, err = p.newCA("Sibling", &p.Root)
	return p, err
}

func (p *PKI) newCA(name string, parent *CA) (CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return CA{}, fmt.Errorf("make the key of %s: %w", name, err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{Organization: []string{"Loopback"}, CommonName: name + " CA"},
		IsCA:    true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	ca := CA{key: key, File: filepath.Join(p.dir, name+".pem")}
	signer := CA{Certificate: template, key: key}
	if parent != nil {
		signer = *parent
	}
	der, err := signer.sign(template, key)
	if err != nil {
		return CA{}, err
	}
	if parent != nil {
		ca.chain = [][]byte{der}
	}
	if ca.Certificate, err = x509.ParseCertificate(der); err != nil {
		return CA{}, fmt.Errorf("parse the certificate of %s: %w", name, err)
	}
	return ca, writePEM(ca.File, "CERTIFICATE", der)
}

func (ca CA) sign(template *x509.Certificate, key *ecdsa.PrivateKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, fmt.Errorf("choose a serial number: %w", err)
	}
	template.SerialNumber = serial
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(lifetime)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Certificate, key.Public(), ca.key)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", template.Subject, err)
	}
	return der, nil
}

// Server issues a certificate for a server with these names, at 127.0.0.1. It is good for a client too.
func (p *PKI) Server(ca CA, file string, names ...string) (Credential, error) {
	return p.Issue(ca, file, &x509.Certificate{
		Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
}

// Device issues the certificate of a device as step-ca does: its identifier is the permanentIdentifier and the common name,
// and an extension has the provisioner, of type ACME.
func (p *PKI) Device(ca CA, identifier, provisioner string) (Credential, error) {
	template, err := DeviceTemplate(identifier, provisioner)
	if err != nil {
		return Credential{}, err
	}
	return p.Issue(ca, ca.Certificate.Subject.CommonName+"-"+identifier, template)
}

// DeviceTemplate is what Device issues.
func DeviceTemplate(identifier, provisioner string) (*x509.Certificate, error) {
	names, err := permanentIdentifier(identifier)
	if err != nil {
		return nil, err
	}
	by, err := asn1.Marshal(struct {
		Type       int
		Name       []byte
		Credential []byte
	}{6, []byte(provisioner), []byte{}})
	if err != nil {
		return nil, fmt.Errorf("encode the provisioner: %w", err)
	}
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: identifier}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		ExtraExtensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: names},
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 37476, 9000, 64, 1}, Value: by},
		},
	}, nil
}

// permanentIdentifier is a subjectAltName with one name: an otherName of that type (RFC 4043).
func permanentIdentifier(identifier string) ([]byte, error) {
	type permanent struct {
		Value string `asn1:"utf8"`
	}
	type other struct {
		Type  asn1.ObjectIdentifier
		Value permanent `asn1:"explicit,tag:0"`
	}
	der, err := asn1.Marshal(struct {
		Name other `asn1:"tag:0"`
	}{other{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 3}, permanent{identifier}}})
	if err != nil {
		return nil, fmt.Errorf("encode the permanentIdentifier: %w", err)
	}
	return der, nil
}

// Issue issues a certificate for a new key.
func (p *PKI) Issue(ca CA, file string, template *x509.Certificate) (Credential, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Credential{}, fmt.Errorf("make the key of %s: %w", file, err)
	}
	der, err := ca.sign(template, key)
	if err != nil {
		return Credential{}, err
	}
	return p.Present(ca, file, der, key)
}

// Present writes the files of a certificate that a CA has issued for a key.
func (p *PKI) Present(ca CA, file string, leaf []byte, key *ecdsa.PrivateKey) (Credential, error) {
	return Save(p.dir, file, tls.Certificate{Certificate: append([][]byte{leaf}, ca.chain...), PrivateKey: key})
}

// Save writes a certificate, with its chain, and its key to a folder, such as one that a real CA has issued.
func Save(dir, file string, certificate tls.Certificate) (Credential, error) {
	encoded, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		return Credential{}, fmt.Errorf("encode the key of %s: %w", file, err)
	}
	c := Credential{TLS: certificate, Certificate: filepath.Join(dir, file+".crt"), Key: filepath.Join(dir, file+".key")}
	if err := writePEM(c.Certificate, "CERTIFICATE", certificate.Certificate...); err != nil {
		return Credential{}, err
	}
	return c, writePEM(c.Key, "PRIVATE KEY", encoded)
}

func writePEM(path, kind string, blocks ...[]byte) error {
	var text []byte
	for _, der := range blocks {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

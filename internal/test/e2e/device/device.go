// Package device simulates an Apple device that orders a certificate by ACME with a
// device-attest-01 challenge, and the manufacturer that attests its identity.
package device

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// Manufacturer takes the place of Apple: step-ca trusts its root to attest devices.
type Manufacturer struct {
	root *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewManufacturer makes a manufacturer with a root of its own.
func NewManufacturer() (*Manufacturer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make attestation key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "Simulated Attestation Root"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	root, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &Manufacturer{root: root, key: key}, nil
}

// RootPEM is the attestation root for step-ca.
func (m *Manufacturer) RootPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.root.Raw})
}

// Make returns a new device with the given serial number and UDID.
func (m *Manufacturer) Make(serial, udid string) (*Device, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make device key: %w", err)
	}
	return &Device{Serial: serial, UDID: udid, maker: m, key: key}, nil
}

// Device is one simulated device. As with hardware, its key never leaves it.
type Device struct {
	Serial string
	UDID   string

	maker *Manufacturer
	key   *ecdsa.PrivateKey
}

// attest returns the answer to a device-attest-01 challenge: the manufacturer's
// statement that this key is in the device of this serial number and UDID. The
// nonce is the hash of the challenge's token alone, which is what step-ca
// compares; it is not the key authorization of other challenges.
func (d *Device) attest(token string) (json.RawMessage, error) {
	nonce := sha256.Sum256([]byte(token))
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, fmt.Errorf("choose serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "Simulated Device Attestation"},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		// Apple puts plain bytes into these extensions, not ASN.1 values.
		ExtraExtensions: []pkix.Extension{
			{Id: appleOID(9, 1), Value: []byte(d.Serial)},
			{Id: appleOID(9, 2), Value: []byte(d.UDID)},
			{Id: appleOID(11, 1), Value: nonce[:]},
		},
	}
	leaf, err := sign(template, d.maker.root, d.key.Public(), d.maker.key)
	if err != nil {
		return nil, err
	}
	type statement struct {
		X5C [][]byte `cbor:"x5c"`
	}
	object, err := cbor.Marshal(struct {
		Format    string    `cbor:"fmt"`
		Statement statement `cbor:"attStmt"`
	}{"apple", statement{[][]byte{leaf.Raw, d.maker.root.Raw}}})
	if err != nil {
		return nil, fmt.Errorf("encode attestation: %w", err)
	}
	return json.Marshal(map[string]string{"attObj": base64.RawURLEncoding.EncodeToString(object)})
}

// appleOID is an OID below the arc of Apple's device attestations.
func appleOID(kind, property int) asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 8, kind, property}
}

func sign(template, parent *x509.Certificate, public any, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", template.Subject.CommonName, err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", template.Subject.CommonName, err)
	}
	return certificate, nil
}

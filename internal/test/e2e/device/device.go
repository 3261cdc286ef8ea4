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
	d := &Device{Serial: serial, UDID: udid, maker: m, key: key}
	d.format = d.apple
	return d, nil
}

// Device is one simulated device. As with hardware, its key never leaves it.
type Device struct {
	Serial string
	UDID   string

	maker *Manufacturer
	key   *ecdsa.PrivateKey
	// format makes the attestation object that answers a challenge.
	format func(token, keyAuthorization string) (any, error)
}

// Key is the key of the device for a server or a program that simulates its network client.
func (d *Device) Key() *ecdsa.PrivateKey { return d.key }

// attest returns the answer to a device-attest-01 challenge: what the device's format says about it and its key.
func (d *Device) attest(token, keyAuthorization string) (json.RawMessage, error) {
	object, err := d.format(token, keyAuthorization)
	if err != nil {
		return nil, err
	}
	encoded, err := cbor.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("encode attestation: %w", err)
	}
	return json.Marshal(map[string]string{"attObj": base64.RawURLEncoding.EncodeToString(encoded)})
}

// apple returns an attestation of the format apple: the manufacturer's statement that this key is in the device of this
// serial number and UDID. The nonce is the hash of the challenge's token alone, which is what step-ca compares; it is not
// the key authorization of other challenges.
func (d *Device) apple(token, _ string) (any, error) {
	nonce := sha256.Sum256([]byte(token))
	leaf, err := d.maker.certify(d.key.Public(), &x509.Certificate{
		Subject: pkix.Name{CommonName: "Simulated Device Attestation"},
		// Apple puts plain bytes into these extensions, not ASN.1 values.
		ExtraExtensions: []pkix.Extension{
			{Id: appleOID(9, 1), Value: []byte(d.Serial)},
			{Id: appleOID(9, 2), Value: []byte(d.UDID)},
			{Id: appleOID(11, 1), Value: nonce[:]},
		},
	})
	if err != nil {
		return nil, err
	}
	return object{Format: "apple", Statement: statement{X5C: [][]byte{leaf.Raw, d.maker.root.Raw}}}, nil
}

// object is an attestation object of WebAuthn, with the members that a format needs.
type object struct {
	Format    string    `cbor:"fmt"`
	Statement statement `cbor:"attStmt"`
}

type statement struct {
	X5C       [][]byte `cbor:"x5c"`
	Algorithm int      `cbor:"alg,omitempty"`
	Signature []byte   `cbor:"sig,omitempty"`
	Version   string   `cbor:"ver,omitempty"`
	Certified []byte   `cbor:"certInfo,omitempty"`
	Public    []byte   `cbor:"pubArea,omitempty"`
}

// certify issues a certificate of an attestation for a key.
func (m *Manufacturer) certify(public any, template *x509.Certificate) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, fmt.Errorf("choose serial number: %w", err)
	}
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	return sign(template, m.root, public, m.key)
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

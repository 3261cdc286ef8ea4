package device

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strconv"

	"github.com/fxamacker/cbor/v2"
)

// coseES256 is ECDSA with SHA-256, in numbers of COSE.
const coseES256 = -7

// MakeYubiKey returns a security key that attests with the format step. Its serial number is a number, and Serial is
// that number in digits.
func (m *Manufacturer) MakeYubiKey(serial int) (*Device, error) {
	d, err := m.Make(strconv.Itoa(serial), "")
	if err != nil {
		return nil, err
	}
	number, err := asn1.Marshal(serial)
	if err != nil {
		return nil, fmt.Errorf("encode serial number: %w", err)
	}
	d.format = func(_, keyAuthorization string) (any, error) { return d.yubikey(number, keyAuthorization) }
	return d, nil
}

// yubikey returns an attestation of the format step: a certificate of the key with the serial number, and a signature by
// the key itself, which the format wants encoded a second time.
func (d *Device) yubikey(number []byte, keyAuthorization string) (any, error) {
	leaf, err := d.maker.certify(d.key.Public(), &x509.Certificate{
		Subject: pkix.Name{CommonName: "Simulated YubiKey PIV Attestation"},
		ExtraExtensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 7}, Value: number},
		},
	})
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte(keyAuthorization))
	signature, err := d.key.Sign(rand.Reader, digest[:], nil)
	if err == nil {
		signature, err = cbor.Marshal(signature)
	}
	if err != nil {
		return nil, fmt.Errorf("sign key authorization: %w", err)
	}
	return object{Format: "step", Statement: statement{
		X5C: [][]byte{leaf.Raw, d.maker.root.Raw}, Algorithm: coseES256, Signature: signature,
	}}, nil
}

package testca

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"
)

// The object identifiers of what a device's certificate has.
func oidSubjectAltName() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 29, 17} }

func oidProvisioner() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 37476, 9000, 64, 1}
}

func oidPermanent() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 3} }

func oidCommonName() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 4, 3} }

// Device describes the certificate of a device. The zero Device is one without names.
type Device struct {
	// CommonNames are those of the subject, an attribute each.
	CommonNames []string
	// SANs are the names of the subjectAltName extension, in DER; see Permanent and others. Critical marks the extension.
	SANs     [][]byte
	Critical bool
	// Provisioner is its name; empty for no extension. Extension replaces the contents of it.
	Provisioner string
	Extension   []byte
	// Change changes the template last.
	Change func(*x509.Certificate)
	// Key is the device's; nil makes an own one.
	Key crypto.Signer
}

// Good is the certificate that step-ca issues for a device that has attested identifier to the provisioner acme-da.
func Good(identifier string) Device {
	return Device{CommonNames: []string{identifier}, SANs: [][]byte{Permanent(identifier)}, Provisioner: "acme-da"}
}

// Device issues the certificate of a device.
func (a *CA) Device(t testing.TB, d Device) *x509.Certificate {
	t.Helper()
	now := time.Now()
	made := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes([]byte(rand.Text())[:16]), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		SubjectKeyId: []byte(rand.Text()),
	}
	for _, name := range d.CommonNames {
		made.Subject.ExtraNames = append(made.Subject.ExtraNames, pkix.AttributeTypeAndValue{Type: oidCommonName(), Value: name})
	}
	if d.SANs != nil {
		made.ExtraExtensions = append(made.ExtraExtensions, pkix.Extension{Id: oidSubjectAltName(), Critical: d.Critical, Value: tlv(asn1.TagSequence, true, d.SANs...)})
	}
	switch {
	case d.Extension != nil:
		made.ExtraExtensions = append(made.ExtraExtensions, pkix.Extension{Id: oidProvisioner(), Value: d.Extension})
	case d.Provisioner != "":
		made.ExtraExtensions = append(made.ExtraExtensions, pkix.Extension{Id: oidProvisioner(), Value: Provisioner(t, 6, d.Provisioner)})
	}
	if d.Change != nil {
		d.Change(made)
	}
	key := d.Key
	if key == nil {
		key = newKey(t)
	}
	der, err := x509.CreateCertificate(rand.Reader, made, a.Certificate, key.Public(), a.Key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// Provisioner is the contents of step-ca's extension. The types are numbered as step-ca does: 1 JWK, 6 ACME.
func Provisioner(t testing.TB, kind int, name string) []byte {
	t.Helper()
	der, err := asn1.Marshal(struct {
		Type             int
		Name, Credential []byte
	}{kind, []byte(name), []byte{}})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// Permanent is a permanentIdentifier of RFC 4043 in the form of step-ca.
func Permanent(identifier string) []byte {
	return OtherName(oidPermanent(), tlv(asn1.TagSequence, true, tlv(asn1.TagUTF8String, false, []byte(identifier))))
}

// PermanentOf is a permanentIdentifier with these contents, in DER, in its sequence.
func PermanentOf(contents ...[]byte) []byte {
	return OtherName(oidPermanent(), tlv(asn1.TagSequence, true, contents...))
}

// OtherName is a SAN of a type that has an object identifier. Value is DER.
func OtherName(oid asn1.ObjectIdentifier, value []byte) []byte {
	der, _ := asn1.Marshal(oid) // constants of tests
	return context(0, true, der, context(0, true, value))
}

// DNS is the SAN of a DNS name.
func DNS(name string) []byte { return context(2, false, []byte(name)) }

// Email is the SAN of an e-mail address.
func Email(name string) []byte { return context(1, false, []byte(name)) }

// URI is the SAN of a URI.
func URI(name string) []byte { return context(6, false, []byte(name)) }

// Text is a string in DER, of a type of package asn1.
func Text(tag int, text string) []byte { return tlv(tag, false, []byte(text)) }

func context(tag int, constructed bool, contents ...[]byte) []byte {
	return encode(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: constructed, Bytes: Joined(contents...)})
}

func tlv(tag int, constructed bool, contents ...[]byte) []byte {
	return encode(asn1.RawValue{Tag: tag, IsCompound: constructed, Bytes: Joined(contents...)})
}

func encode(value asn1.RawValue) []byte {
	der, err := asn1.Marshal(value)
	if err != nil {
		panic(err) // raw values always encode
	}
	return der
}

package certname

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
)

// NotText stands for a name that is not a string, so that it cannot be compared: it differs from every identifier.
const NotText = "\x00"

// MaxNames is how many names a request may have for rules; the names of one with more are unknown. A rule's worst cost is
// estimated with as many.
const MaxNames = 1000

// ParseName parses the DER of a distinguished name.
func ParseName(der []byte) (name pkix.RDNSequence, ok bool) {
	rest, err := asn1.Unmarshal(der, &name)
	return name, err == nil && len(rest) == 0
}

// CommonNames returns all common names of a subject; an empty one counts as absent, as for step-ca.
func CommonNames(name pkix.Name) []string {
	var found []string
	commonName := asn1.ObjectIdentifier{2, 5, 4, 3}
	for _, attribute := range name.Names {
		if !attribute.Type.Equal(commonName) {
			continue
		}
		value, ok := attribute.Value.(string)
		if !ok {
			value = NotText
		}
		if value != "" {
			found = append(found, value)
		}
	}
	return found
}

// OIDSerialNumber is the attribute of a subject, which is not the serial number of the certificate.
const OIDSerialNumber = "2.5.4.5"

// SerialNumbers are the serial numbers in a subject.
func SerialNumbers(name pkix.Name) (all []string) {
	for _, attribute := range name.Names {
		if attribute.Type.String() != OIDSerialNumber {
			continue
		}
		text, ok := attribute.Value.(string)
		if !ok {
			text = NotText
		}
		all = append(all, text)
	}
	return all
}

// Only returns the one text that all are, or "" for unknown: with two, it is not known which of them a reader takes.
func Only(all []string) string {
	if len(all) == 0 || all[0] == NotText || slices.ContainsFunc(all, func(text string) bool { return text != all[0] }) {
		return ""
	}
	return all[0]
}

// The words of request.key_type that certificates have; posture.KeyTypes has all.
const (
	KeyEC  = "EC"
	KeyRSA = "RSA"
	KeyOKP = "OKP"
)

// DescribeKey returns the type of a key, in the words of JSON Web Keys (RFC 7518), and its size: of an elliptic key that of
// its curve, of an RSA key that of its modulus. Zero is unknown, and so are all other keys.
func DescribeKey(key any) (keyType string, bits int64) {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return KeyEC, int64(key.Curve.Params().BitSize)
	case *rsa.PublicKey:
		return KeyRSA, int64(key.N.BitLen())
	case ed25519.PublicKey:
		const ed25519Bits = 256
		return KeyOKP, ed25519Bits
	default:
		return "", 0
	}
}

package webhook

import (
	"crypto/ecdh"
	"crypto/sha256"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"step-posture-connector/internal/certname"
)

// DER that is compared byte for byte.
const (
	ecdsaWithSHA256 = "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"
	ecdsaWithSHA384 = "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"
	keyOnP256       = "\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
	keyOnP384       = "\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22"

	extensionRequest = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e"

	attributeTypes  = "\x55\x04" // id-at, one more byte follows
	extensionTypes  = "\x55\x1d" // id-ce, likewise
	commonNameType  = 3
	subjectAltNames = 17
)

// readPlainCSR reads the common names and the key of a plain CSR: an elliptic key, no subject alternative name, and nothing ambiguous.
// For every other CSR ok is false, and crypto/x509 decides; it accepts what is accepted here, with the same names
// (TestPlainCSRChanged, FuzzPlainCSR). The own reader takes 0.65 µs and 7 allocations in place of the 4.2 µs and 28
// allocations of x509.ParseCertificateRequest (BenchmarkCSR), which was the most expensive step of a request. The
// parts, in their order:
//
//	CertificationRequest
//	├── info
//	│   ├── version        0
//	│   ├── subject        readPlainName: the common names
//	│   ├── key            readPlainKey: P-256 or P-384, on the curve
//	│   └── attributes     arePlainAttributes: at most an extension request, without a SAN
//	├── algorithm          ECDSA with SHA-256 or SHA-384
//	└── signature          not verified: step-ca has done that
func readPlainCSR(der []byte) (csr csrContents, ok bool) {
	input := cryptobyte.String(der)
	var outer, info, algorithm, subject, attributes cryptobyte.String
	var version int64
	var signature []byte
	ok = input.ReadASN1(&outer, asn1.SEQUENCE) && input.Empty() &&
		outer.ReadASN1(&info, asn1.SEQUENCE) &&
		outer.ReadASN1Element(&algorithm, asn1.SEQUENCE) && (string(algorithm) == ecdsaWithSHA256 || string(algorithm) == ecdsaWithSHA384) &&
		outer.ReadASN1BitStringAsBytes(&signature) && outer.Empty() &&
		info.ReadASN1Integer(&version) && version == 0 &&
		info.ReadASN1(&subject, asn1.SEQUENCE) &&
		readPlainKey(&info, &csr) &&
		info.ReadASN1(&attributes, asn1.Tag(0).ContextSpecific().Constructed()) && info.Empty() &&
		arePlainAttributes(attributes)
	if !ok {
		return csrContents{}, false
	}
	csr.commonNames, ok = readPlainName(subject)
	return csr, ok
}

// readPlainKey reads a public key on one of the curves that devices use.
func readPlainKey(in *cryptobyte.String, into *csrContents) bool {
	var key, algorithm cryptobyte.String
	var point []byte
	if !in.ReadASN1Element(&key, asn1.SEQUENCE) {
		return false
	}
	into.key = sha256.Sum256(key)
	if !key.ReadASN1(&key, asn1.SEQUENCE) || !key.ReadASN1Element(&algorithm, asn1.SEQUENCE) || !key.ReadASN1BitStringAsBytes(&point) || !key.Empty() {
		return false
	}
	var curve ecdh.Curve
	switch string(algorithm) {
	case keyOnP256:
		curve, into.keyBits = ecdh.P256(), 256
	case keyOnP384:
		curve, into.keyBits = ecdh.P384(), 384
	default:
		return false
	}
	into.keyType = certname.KeyEC
	_, err := curve.NewPublicKey(point) // on the curve?
	return err == nil
}

// readPlainName returns the common names of a distinguished name that has only attributes of X.520 with plain strings.
func readPlainName(name cryptobyte.String) (commonNames []string, ok bool) {
	for !name.Empty() {
		var set, attribute, kind, value cryptobyte.String
		var tag asn1.Tag
		if !name.ReadASN1(&set, asn1.SET) ||
			!set.ReadASN1(&attribute, asn1.SEQUENCE) || !set.Empty() ||
			!attribute.ReadASN1(&kind, asn1.OBJECT_IDENTIFIER) ||
			!attribute.ReadAnyASN1(&value, &tag) || !attribute.Empty() || !isPlainString(value, tag) {
			return nil, false
		}
		last, known := ofArc(kind, attributeTypes)
		if !known {
			return nil, false
		}
		if last == commonNameType && len(value) > 0 { // an empty one counts as absent, as in step-ca
			commonNames = append(commonNames, string(value))
		}
	}
	return commonNames, true
}

// arePlainAttributes reports whether a CSR has no attributes, or one request for different extensions without subject
// alternative names.
func arePlainAttributes(in cryptobyte.String) bool {
	if in.Empty() {
		return true
	}
	var attribute, kind, values, extensions cryptobyte.String
	if !in.ReadASN1(&attribute, asn1.SEQUENCE) || !in.Empty() ||
		!attribute.ReadASN1Element(&kind, asn1.OBJECT_IDENTIFIER) || string(kind) != extensionRequest ||
		!attribute.ReadASN1(&values, asn1.SET) || !attribute.Empty() ||
		!values.ReadASN1(&extensions, asn1.SEQUENCE) || !values.Empty() {
		return false
	}
	var seen [128]bool
	for !extensions.Empty() {
		var extension, id, value cryptobyte.String
		var critical bool
		if !extensions.ReadASN1(&extension, asn1.SEQUENCE) ||
			!extension.ReadASN1(&id, asn1.OBJECT_IDENTIFIER) ||
			extension.PeekASN1Tag(asn1.BOOLEAN) && !extension.ReadASN1Boolean(&critical) ||
			!extension.ReadASN1(&value, asn1.OCTET_STRING) || !extension.Empty() {
			return false
		}
		last, known := ofArc(id, extensionTypes)
		if !known || seen[last] || last == subjectAltNames {
			return false
		}
		seen[last] = true
	}
	return true
}

// ofArc returns the part of an object identifier after arc, if it is one byte below 128.
func ofArc(id cryptobyte.String, arc string) (last byte, ok bool) {
	if len(id) != len(arc)+1 || string(id[:len(arc)]) != arc || id[len(arc)] >= 0x80 {
		return 0, false
	}
	return id[len(arc)], true
}

// isPlainString reports whether a string has only characters that its type allows.
func isPlainString(value cryptobyte.String, tag asn1.Tag) bool {
	switch tag {
	case asn1.UTF8String:
		return utf8.Valid(value)
	case asn1.PrintableString:
		for _, c := range value {
			letter := 'a' <= c|0x20 && c|0x20 <= 'z'
			if !letter && (c < '0' || c > '9') && c != ' ' && c != '-' && c != '.' {
				return false
			}
		}
		return true
	default:
		return false
	}
}

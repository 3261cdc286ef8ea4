// Package certname reads the names in X.509 certificates and in requests for them, as they are signed: from DER, strictly. What two
// readers could take for different names is an error.
package certname

import (
	"crypto/x509"
	"errors"
	"strconv"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// SubjectAltName is the OID of the extension with the names of a certificate (RFC 5280 section 4.2.1.6).
const SubjectAltName = "2.5.29.17"

const oidPermanentIdentifier = "\x2b\x06\x01\x05\x05\x07\x08\x03" // RFC 4043; the contents of its DER

// The errors about a subjectAltName extension.
var (
	// ErrDER is about an extension that is not the DER of names.
	ErrDER = errors.New("the subjectAltName extension is not valid DER")
	// ErrForm is about a permanent identifier in another form than that of RFC 4043.
	ErrForm = errors.New("a permanent identifier in the subjectAltName extension is not of the form of RFC 4043")

	errType = errors.New("an otherName in the subjectAltName extension has no valid type")
)

// IsCanonicalOID reports whether text is an OID in the one form that every reader takes for the same:
// without signs and leading zeros, and with arcs that do not overflow in step-ca, which encodes those
// that do as other OIDs.
func IsCanonicalOID(text string) bool {
	arcs := 0
	for arc := range strings.SplitSeq(text, ".") {
		const bits = 62 // twice 40 may be added to the second arc, within 63 bits
		if _, err := strconv.ParseUint(arc, 10, bits); err != nil || len(arc) > 1 && arc[0] == '0' {
			return false
		}
		arcs++
	}
	return arcs >= 2
}

// AppendPermanentIdentifiers appends the permanent identifiers of a DER subjectAltName extension (RFC 4043 section 2); one that
// has no identifier value is appended as "". Every other kind of name is passed over.
func AppendPermanentIdentifiers(to []string, extension []byte) ([]string, error) {
	err := EachSAN(extension, func(tag asn1.Tag, name cryptobyte.String) error {
		if tag != tagOtherName {
			return nil
		}
		oid, ok := readOID(&name)
		if !ok {
			return errType
		}
		if oid != oidPermanentIdentifier {
			return nil
		}
		value, ok := readPermanentIdentifier(name)
		if !ok {
			return ErrForm
		}
		to = append(to, value)
		return nil
	})
	return to, err
}

// tagOtherName is the tag of an otherName (RFC 5280 section 4.2.1.6).
const tagOtherName = asn1.Tag(0xa0)

// EachSAN calls read with the tag and the contents of every name of a DER subjectAltName extension, until one has an error.
func EachSAN(extension []byte, read func(tag asn1.Tag, name cryptobyte.String) error) error {
	input := cryptobyte.String(extension)
	var names cryptobyte.String
	if !input.ReadASN1(&names, asn1.SEQUENCE) || !input.Empty() {
		return ErrDER
	}
	for !names.Empty() {
		var name cryptobyte.String
		var tag asn1.Tag
		if !names.ReadAnyASN1(&name, &tag) {
			return ErrDER
		}
		if err := read(tag, name); err != nil {
			return err
		}
	}
	return nil
}

// readPermanentIdentifier reads what follows the type of an otherName that is a permanent identifier.
func readPermanentIdentifier(otherName cryptobyte.String) (identifier string, ok bool) {
	var explicit, content, value cryptobyte.String
	ok = otherName.ReadASN1(&explicit, asn1.Tag(0).ContextSpecific().Constructed()) && otherName.Empty() &&
		explicit.ReadASN1(&content, asn1.SEQUENCE) && explicit.Empty() &&
		content.ReadOptionalASN1(&value, nil, asn1.UTF8String)
	if ok && content.PeekASN1Tag(asn1.OBJECT_IDENTIFIER) {
		_, ok = readOID(&content) // the assigner
	}
	return string(value), ok && content.Empty()
}

// readOID reads an object identifier and returns the contents of its DER. Arcs may be of any size, as
// those of UUIDs are; those of encoding/asn1 may not.
func readOID(in *cryptobyte.String) (contents string, ok bool) {
	var der cryptobyte.String
	if !in.ReadASN1(&der, asn1.OBJECT_IDENTIFIER) {
		return "", false
	}
	// A longer form of an OID than needed would be another string of bytes, and the same OID to a lax reader.
	var oid x509.OID
	if oid.UnmarshalBinary(der) != nil {
		return "", false
	}
	return string(der), true
}

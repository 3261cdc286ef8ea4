package webhook

import (
	"crypto/x509"
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

const (
	oidSubjectAltName       = "2.5.29.17"
	oidPermanentIdentifier  = "1.3.6.1.5.5.7.8.3"                // RFC 4043
	derPermanentIdentifier  = "\x2b\x06\x01\x05\x05\x07\x08\x03" // the contents of its DER
	typePermanentIdentifier = "permanentIdentifier"
)

// addSANs adds the permanent identifiers of the two JSON forms of subject alternative names. step-ca
// signs those in extensions; sans is what the template wrote; step-ca makes an extension of it.
// Both are read, as step-ca reads them, and everything that step-ca could read in another way is refused.
func (n *claimedNames) addSANs(sans []san, extensions []extension) *Problem {
	for _, s := range sans {
		is, p := s.isPermanentIdentifier()
		if p != nil {
			return p
		}
		if !is {
			continue
		}
		value, p := s.permanentIdentifier()
		if p != nil {
			return p
		}
		n.permanentIdentifiers = append(n.permanentIdentifiers, value)
	}
	return eachSANExtension(extensions, n.addSANExtension)
}

// eachSANExtension calls read with the DER of every subjectAltName extension, until one has a problem.
func eachSANExtension(extensions []extension, read func(der []byte) *Problem) *Problem {
	for _, ext := range extensions {
		switch {
		case ext.ID == oidSubjectAltName:
			if p := read(ext.Value); p != nil {
				return p
			}
		case ext.ID == "": // step-ca leaves such an extension out
		case !isCanonicalOID(ext.ID):
			return problemf(codeSANMismatch, "the extension type %q is not a plain dotted OID, so step-ca may sign it as subject alternative names", ext.ID)
		}
	}
	return nil
}

// isPermanentIdentifier reports whether step-ca makes a permanent identifier of the SAN. A type that is
// not one of step-ca's words is an OID to it, which it parses arc by arc: "+3" and "03" are 3, and a
// negative arc vanishes in the DER. Only the one canonical form can be compared as text.
func (s san) isPermanentIdentifier() (bool, *Problem) {
	switch s.Type {
	case typePermanentIdentifier:
		return true, nil
	case "", "auto", "dns", "email", "ip", "uri", "dn", "registeredID", "hardwareModuleName", "userPrincipalName", "x400Address", "ediPartyName":
		return false, nil
	case oidPermanentIdentifier:
		// The value would be DER that the template writes by hand, in one of a dozen forms.
		return false, problemf(codeSANMismatch, "a SAN has the OID of a permanent identifier as its type; write %q in the template", typePermanentIdentifier)
	}
	if !isCanonicalOID(s.Type) {
		return false, problemf(codeSANMismatch, "the SAN type %q is neither a type of step-ca nor a plain dotted OID", s.Type)
	}
	return false, nil
}

// permanentIdentifier returns the identifier that step-ca would put into the SAN: that of asn1Value where
// the SAN has one, null included; otherwise value. "" is a SAN without an identifier.
func (s san) permanentIdentifier() (string, *Problem) {
	if len(s.ASN1Value) == 0 {
		return s.Value, nil
	}
	var value struct {
		Identifier string `json:"identifier"`
		Assigner   string `json:"assigner"`
	}
	// step-ca ignores the case of member names, and of two takes the last: every other spelling is refused.
	err := json.Unmarshal(s.ASN1Value, &value, json.RejectUnknownMembers(true))
	switch {
	case errors.Is(err, json.ErrUnknownName):
		return "", problemf(codeSANMismatch, "asn1Value of a permanent identifier SAN has members other than identifier and assigner")
	case err != nil:
		return "", problemf(codeMalformed, "decode asn1Value of a permanent identifier SAN: %w", err)
	}
	return value.Identifier, nil
}

// isCanonicalOID reports whether text is an OID in the one form that every reader takes for the same:
// without signs and leading zeros, and with arcs that do not overflow in step-ca, which encodes those
// that do as other OIDs.
func isCanonicalOID(text string) bool {
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

// addSANExtension adds the permanent identifiers of a DER subjectAltName extension. Every other
// kind of name is passed over.
func (n *claimedNames) addSANExtension(der []byte) *Problem {
	return eachSAN(der, func(tag asn1.Tag, name cryptobyte.String) *Problem {
		if tag != tagOtherName {
			return nil
		}
		return n.addOtherName(name)
	})
}

// tagOtherName is the tag of an otherName (RFC 5280 section 4.2.1.6).
const tagOtherName = asn1.Tag(0xa0)

// eachSAN calls read with the tag and the contents of every name of a DER subjectAltName extension, until one has a problem.
func eachSAN(der []byte, read func(tag asn1.Tag, name cryptobyte.String) *Problem) *Problem {
	input := cryptobyte.String(der)
	var names cryptobyte.String
	if !input.ReadASN1(&names, asn1.SEQUENCE) || !input.Empty() {
		return problemf(codeMalformed, "the subjectAltName extension is not valid DER")
	}
	for !names.Empty() {
		var name cryptobyte.String
		var tag asn1.Tag
		if !names.ReadAnyASN1(&name, &tag) {
			return problemf(codeMalformed, "the subjectAltName extension is not valid DER")
		}
		if p := read(tag, name); p != nil {
			return p
		}
	}
	return nil
}

// addOtherName adds the contents of an otherName if it is a permanent identifier (RFC 4043 section 2);
// one that has no identifier value is added as "".
func (n *claimedNames) addOtherName(otherName cryptobyte.String) *Problem {
	oid, ok := readOID(&otherName)
	if !ok {
		return problemf(codeMalformed, "an otherName in the subjectAltName extension has no valid type")
	}
	if oid != derPermanentIdentifier {
		return nil
	}
	value, ok := readPermanentIdentifier(otherName)
	if !ok {
		return problemf(codeSANMismatch, "a permanent identifier in the subjectAltName extension is not of the form of RFC 4043")
	}
	n.permanentIdentifiers = append(n.permanentIdentifiers, value)
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

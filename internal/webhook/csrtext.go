package webhook

import (
	"slices"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"step-posture-connector/internal/certname"
)

// textTags are the types of strings that can carry a token: what all readers decode in the same way where it is ASCII.
func textTags() []asn1.Tag {
	return []asn1.Tag{asn1.UTF8String, asn1.PrintableString, asn1.T61String, asn1.IA5String}
}

// subjectTexts are the values of an attribute of a subject, a dotted OID. It returns false where the DER, or one of the values,
// cannot be read.
func subjectTexts(subject []byte, oid string) (texts []string, ok bool) {
	input := cryptobyte.String(subject)
	var name cryptobyte.String
	if !input.ReadASN1(&name, asn1.SEQUENCE) || !input.Empty() {
		return nil, false
	}
	ok = true
	for !name.Empty() {
		var set cryptobyte.String
		if !name.ReadASN1(&set, asn1.SET) {
			return nil, false
		}
		for !set.Empty() {
			var attribute, kind, value cryptobyte.String
			var tag asn1.Tag
			if !set.ReadASN1(&attribute, asn1.SEQUENCE) || !attribute.ReadASN1(&kind, asn1.OBJECT_IDENTIFIER) ||
				!attribute.ReadAnyASN1(&value, &tag) || !attribute.Empty() {
				return nil, false
			}
			is, known := certname.Dotted(string(kind))
			if !known {
				return nil, false // fail closed: a lax reader may take it for the attribute
			}
			if is != oid {
				continue
			}
			texts = append(texts, string(value))
			ok = ok && slices.Contains(textTags(), tag) && utf8.Valid(value)
		}
	}
	return texts, ok
}

// derChallengePassword is 1.2.840.113549.1.9.7 (RFC 2985 section 5.4.1), the contents of its DER.
const derChallengePassword = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07" //nolint:gosec // G101: an object identifier

// challengePassword is the challenge in a CSR. It returns false unless there is exactly one, with one value.
func challengePassword(csr []byte) (text string, ok bool) {
	input := cryptobyte.String(csr)
	var outer, info, attributes cryptobyte.String
	if !input.ReadASN1(&outer, asn1.SEQUENCE) || !outer.ReadASN1(&info, asn1.SEQUENCE) ||
		!info.SkipASN1(asn1.INTEGER) || !info.SkipASN1(asn1.SEQUENCE) || !info.SkipASN1(asn1.SEQUENCE) ||
		!info.ReadASN1(&attributes, asn1.Tag(0).ContextSpecific().Constructed()) {
		return "", false
	}
	for !attributes.Empty() {
		var attribute, kind, values, value cryptobyte.String
		var tag asn1.Tag
		if !attributes.ReadASN1(&attribute, asn1.SEQUENCE) || !attribute.ReadASN1(&kind, asn1.OBJECT_IDENTIFIER) {
			return "", false
		}
		if string(kind) != derChallengePassword {
			continue
		}
		if ok || !attribute.ReadASN1(&values, asn1.SET) || !attribute.Empty() || !values.ReadAnyASN1(&value, &tag) || !values.Empty() ||
			!slices.Contains(textTags(), tag) {
			return "", false
		}
		text, ok = string(value), true
	}
	return text, ok
}

package devicecert

import (
	"crypto/x509"
	"fmt"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// oneLine is the text of a name as OpenSSL 3 writes it (X509_NAME_oneline), and so FreeRADIUS: /C=CH/O=Example/CN=one. It is
// false for a name that is no DER. A type of attribute that OpenSSL knows and shortName does not makes the text another one, so
// that the issuer is not recognized.
// https://docs.openssl.org/3.0/man3/X509_NAME_print_ex/
func oneLine(name []byte) (text string, ok bool) {
	var line strings.Builder
	input := cryptobyte.String(name)
	var sets cryptobyte.String
	if !input.ReadASN1(&sets, asn1.SEQUENCE) || !input.Empty() {
		return "", false
	}
	for !sets.Empty() {
		var set cryptobyte.String
		if !sets.ReadASN1(&set, asn1.SET) {
			return "", false
		}
		for sign := byte('/'); !set.Empty(); sign = '+' { // plus joins the attributes of one set
			var attribute, id, value cryptobyte.String
			var tag asn1.Tag
			var oid x509.OID
			if !set.ReadASN1(&attribute, asn1.SEQUENCE) || !attribute.ReadASN1(&id, asn1.OBJECT_IDENTIFIER) ||
				!attribute.ReadAnyASN1(&value, &tag) || !attribute.Empty() || oid.UnmarshalBinary(id) != nil {
				return "", false
			}
			line.WriteByte(sign)
			line.WriteString(shortName(oid.String()))
			line.WriteByte('=')
			line.WriteString(escapeLine(value))
		}
	}
	return line.String(), true
}

// shortName is OpenSSL's short name of a type of attribute; of one that is not here, its dotted form.
func shortName(oid string) string {
	names := map[string]string{
		"2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "street",
		"2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "title", "2.5.4.13": "description", "2.5.4.15": "businessCategory",
		"2.5.4.16": "postalAddress", "2.5.4.17": "postalCode", "2.5.4.18": "postOfficeBox", "2.5.4.20": "telephoneNumber", "2.5.4.41": "name", "2.5.4.42": "GN", "2.5.4.43": "initials", "2.5.4.44": "generationQualifier", "2.5.4.45": "x500UniqueIdentifier", "2.5.4.46": "dnQualifier",
		"2.5.4.54": "dmdName", "2.5.4.65": "pseudonym", "2.5.4.72": "role", "2.5.4.97": "organizationIdentifier",
		"1.3.6.1.4.1.311.60.2.1.1": "jurisdictionL", "1.3.6.1.4.1.311.60.2.1.2": "jurisdictionST", "1.3.6.1.4.1.311.60.2.1.3": "jurisdictionC",
		"0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.3": "mail", "1.2.840.113549.1.9.2": "unstructuredName", "0.9.2342.19200300.100.1.25": "DC", "1.2.840.113549.1.9.1": "emailAddress",
	}
	if name, ok := names[oid]; ok {
		return name
	}
	return oid
}

// escapeLine escapes a value as OpenSSL does: a slash and a plus by a backslash, what is not printable ASCII by its bytes.
func escapeLine(value []byte) string {
	var text strings.Builder
	for _, c := range value {
		switch {
		case c == '/' || c == '+':
			text.WriteByte('\\')
			text.WriteByte(c)
		case c < ' ' || c > '~':
			_, _ = fmt.Fprintf(&text, `\x%02X`, c) // never fails
		default:
			text.WriteByte(c)
		}
	}
	return text.String()
}

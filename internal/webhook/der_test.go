package webhook

import (
	"crypto/x509"
	"strings"
	"unicode/utf8"

	"step-posture-connector/internal/certname"
)

// The DER of the object identifiers that matter, and the tags of the string types.
const (
	derCommonName       = "\x55\x04\x03"
	derSAN              = "\x55\x1d\x11"
	derPermanentID      = "\x2b\x06\x01\x05\x05\x07\x08\x03"
	derExtensionRequest = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e"

	tagUTF8, tagPrintable, tagT61, tagIA5, tagBMP = 12, 19, 20, 22, 30
	tagOID, tagSequence, tagSet                   = 6, 0x30, 0x31
)

// element is one DER element. The tests have their own DER reader, so that encoding/asn1 is not compared with itself.
type element struct {
	tag     byte // the whole first byte
	content []byte
}

// elements splits DER into consecutive elements, and ignores a rest that is not one.
func elements(der []byte) []element {
	found, _ := split(der)
	return found
}

// split also reports whether nothing was left.
func split(der []byte) (found []element, whole bool) {
	for len(der) >= 2 {
		head, size := 2, int(der[1])
		if der[0]&0x1f == 0x1f {
			return found, false // a tag of several bytes, which none of ours has
		}
		if size >= 0x80 {
			count := size & 0x7f
			if count == 0 || count > 3 || len(der) < 2+count {
				return found, false
			}
			size = 0
			for _, b := range der[2 : 2+count] {
				size = size<<8 | int(b)
			}
			if size < 0x80 || size>>(8*(count-1)) == 0 {
				return found, false // BER allows longer forms than needed, DER does not
			}
			head += count
		}
		if len(der) < head+size {
			return found, false
		}
		found = append(found, element{der[0], der[head : head+size]})
		der = der[head+size:]
	}
	return found, len(der) == 0
}

// text reads a string as a user of the certificate would. A value that is not a string is not an identifier.
func (e element) text() string {
	switch e.tag {
	case tagUTF8, tagPrintable, tagT61, tagIA5, 18:
		return string(e.content)
	case tagBMP:
		var text []byte
		for i := 0; i+1 < len(e.content); i += 2 {
			text = utf8.AppendRune(text, rune(e.content[i])<<8|rune(e.content[i+1]))
		}
		return string(text)
	}
	return "\x00not a string"
}

// commonNamesIn reads the common names of the content of a Name; an empty one counts as none.
func commonNamesIn(name []byte) []string {
	var found []string
	for _, set := range elements(name) {
		for _, attribute := range elements(set.content) {
			parts := elements(attribute.content)
			if len(parts) >= 2 && parts[0].tag == tagOID && string(parts[0].content) == derCommonName && parts[1].text() != "" {
				found = append(found, parts[1].text())
			}
		}
	}
	return found
}

// permanentIdentifiersIn reads the permanent identifiers of a subjectAltName extension.
func permanentIdentifiersIn(extension []byte) []string {
	var found []string
	for _, names := range elements(extension) {
		for _, name := range elements(names.content) {
			parts := elements(name.content)
			if name.tag != 0xa0 || len(parts) < 2 || parts[0].tag != tagOID || string(parts[0].content) != derPermanentID {
				continue
			}
			value := ""
			for _, content := range elements(parts[1].content) {
				if fields := elements(content.content); len(fields) > 0 {
					value = fields[0].text()
				}
			}
			found = append(found, value)
		}
	}
	return found
}

// namesInCSR reads the names that a CSR claims. crypto/x509 finds its extensions, as it does for step-ca: it skips what
// is not an attribute. Their content is read here.
func namesInCSR(der []byte) (commonNames, permanentIdentifiers []string) {
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return []string{"\x00not a CSR"}, nil
	}
	for _, extension := range csr.Extensions {
		if extension.Id.String() == certname.SubjectAltName {
			permanentIdentifiers = append(permanentIdentifiers, permanentIdentifiersIn(extension.Value)...)
		}
	}
	return commonNamesIn(csr.RawSubject), permanentIdentifiers
}

// der writes an element.
func der(tag byte, parts ...string) string {
	content := strings.Join(parts, "")
	size := []byte{byte(len(content))}
	if len(content) >= 0x80 {
		size = []byte{0x82, byte(len(content) >> 8), byte(len(content))}
		if len(content) < 0x100 {
			size = []byte{0x81, byte(len(content))}
		}
	}
	return string(append([]byte{tag}, size...)) + content
}

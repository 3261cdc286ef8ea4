package certname

import (
	"crypto/x509"
	"encoding/hex"
	"net"
	"slices"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"step-posture-connector/internal/posture"
)

// List is request.names: every name that a certificate would have, each once, the common names first. As a text, it is
//
//	common name, DNS name, e-mail address   as written
//	URI                                     as written; from the JSON member sans, as step-ca signs it
//	IP address                              127.0.0.1, 2001:db8::1
//	permanentIdentifier (RFC 4043)          its identifier, without the assigner
//	userPrincipalName of Microsoft          as written
//	registeredID                            1.2.840.113549
//	directory name                          CN=one,O=Example (RFC 2253)
//	every other otherName                   1.3.6.1.5.5.7.8.4: and the hex of its value's DER
//	x400Address, ediPartyName               x400Address: and the hex of its contents
//
// Fail closed: where one name cannot be read, all are unknown, because a rule about every name would be met by the rest.
type List struct {
	names      []string
	seen       map[string]struct{}
	unreadable bool
	// Typed gets the names by their kind; it may be nil.
	Typed *posture.CertificateNames
	// common are the common names, of which Typed has one.
	common []string
}

// All returns the names; nil is unknown.
func (l *List) All() []string {
	switch {
	case l.unreadable:
		return nil
	case l.names == nil:
		return []string{}
	default:
		return l.names
	}
}

// Add adds a name, if it could be read.
func (l *List) Add(kind Kind, name string, ok bool) {
	if ok {
		l.note(kind, name)
	}
	if ok && l.has(name) {
		return
	}
	if !ok || name == "" || name == NotText || !utf8.ValidString(name) || len(l.names) == MaxNames {
		l.unreadable = true
		return
	}
	l.names = append(l.names, name)
	if l.seen != nil {
		l.seen[name] = struct{}{}
	}
}

// fewNames are compared one by one, as those of nearly all requests. More are in a map, which takes longer to make.
const fewNames = 8

func (l *List) has(name string) bool {
	if len(l.names) <= fewNames {
		return slices.Contains(l.names, name)
	}
	if l.seen == nil {
		l.seen = make(map[string]struct{}, len(l.names))
		for _, before := range l.names {
			l.seen[before] = struct{}{}
		}
	}
	_, twice := l.seen[name]
	return twice
}

// AddExtension adds the names of a DER subjectAltName extension.
func (l *List) AddExtension(extension []byte) {
	err := EachSAN(extension, func(tag asn1.Tag, name cryptobyte.String) error {
		text, ok := generalName(tag, name)
		l.Add(kindOf(tag), text, ok)
		return nil
	})
	l.unreadable = l.unreadable || err != nil
}

// The tags of the names in a subjectAltName extension beside tagOtherName (RFC 5280 section 4.2.1.6).
const (
	tagEmail         = asn1.Tag(0x81)
	tagDNS           = asn1.Tag(0x82)
	tagX400Address   = asn1.Tag(0xa3)
	tagDirectoryName = asn1.Tag(0xa4)
	tagEDIPartyName  = asn1.Tag(0xa5)
	tagURI           = asn1.Tag(0x86)
	tagIP            = asn1.Tag(0x87)
	tagRegisteredID  = asn1.Tag(0x88)
)

// generalName is the text of one name of a subjectAltName extension.
func generalName(tag asn1.Tag, contents cryptobyte.String) (name string, ok bool) {
	switch tag {
	case tagOtherName:
		return otherName(contents)
	case tagEmail, tagDNS, tagURI:
		return asciiName(contents)
	case tagIP:
		return net.IP(contents).String(), len(contents) == net.IPv4len || len(contents) == net.IPv6len
	case tagRegisteredID:
		return Dotted(string(contents))
	case tagDirectoryName:
		return directoryName(contents)
	case tagX400Address:
		return "x400Address:" + hex.EncodeToString(contents), true
	case tagEDIPartyName:
		return "ediPartyName:" + hex.EncodeToString(contents), true
	default:
		return "", false
	}
}

// derUserPrincipalName is the type 1.3.6.1.4.1.311.20.2.3 of Microsoft, the contents of its DER.
const derUserPrincipalName = "\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03"

// otherName is the text of a name whose type is an object identifier.
func otherName(contents cryptobyte.String) (name string, ok bool) {
	oid, ok := readOID(&contents)
	if !ok {
		return "", false
	}
	if oid == oidPermanentIdentifier {
		return readPermanentIdentifier(contents)
	}
	var explicit, value, text cryptobyte.String
	var tag asn1.Tag
	if !contents.ReadASN1(&explicit, asn1.Tag(0).ContextSpecific().Constructed()) || !contents.Empty() ||
		!explicit.ReadAnyASN1Element(&value, &tag) || !explicit.Empty() {
		return "", false
	}
	if oid == derUserPrincipalName {
		ok = value.ReadASN1(&text, asn1.UTF8String)
		return string(text), ok
	}
	name, ok = Dotted(oid)
	return name + ":" + hex.EncodeToString(value), ok
}

// Dotted is the text of an object identifier, given the contents of its DER.
func Dotted(contents string) (text string, ok bool) {
	var oid x509.OID
	if oid.UnmarshalBinary([]byte(contents)) != nil {
		return "", false
	}
	return oid.String(), true
}

// directoryName is the text of a distinguished name that has only strings: other values have no text of their own in RFC 2253.
func directoryName(contents []byte) (name string, ok bool) {
	sequence, ok := ParseName(contents)
	if !ok {
		return "", false
	}
	for _, set := range sequence {
		for _, attribute := range set {
			if _, isText := attribute.Value.(string); !isText {
				return "", false
			}
		}
	}
	return sequence.String(), true
}

// asciiName is the text of a name that consists of ASCII, as crypto/x509 demands.
func asciiName(contents []byte) (name string, ok bool) {
	return string(contents), !slices.ContainsFunc(contents, func(c byte) bool { return c >= utf8.RuneSelf })
}

// IPAddress is an IP address in the form in which step-ca writes it.
func IPAddress(text string) (name string, ok bool) {
	ip := net.ParseIP(text)
	return ip.String(), ip != nil
}

// Unread notes that a name could not be read.
func (l *List) Unread() { l.unreadable = true }

package certname

import (
	"slices"

	"golang.org/x/crypto/cryptobyte/asn1"

	"step-posture-connector/internal/posture"
)

// Kind is a kind of name that List.Typed has a list of.
type Kind int

// The kinds of names.
const (
	OtherKind Kind = iota
	CommonName
	DNS
	Email
	IP
	URI
)

// note adds a name to the list of its kind.
func (l *List) note(kind Kind, name string) {
	if l.Typed == nil {
		return
	}
	list := map[Kind]*[]string{
		CommonName: &l.common, DNS: &l.Typed.DNSNames, Email: &l.Typed.Emails, IP: &l.Typed.IPs, URI: &l.Typed.URIs,
	}[kind]
	if list != nil && len(*list) < MaxNames && !slices.Contains(*list, name) {
		*list = append(*list, name)
	}
}

// Finish completes Typed. Fail closed: where one name cannot be read, every list is unknown.
func (l *List) Finish() *posture.CertificateNames {
	l.Typed.CommonName = Only(l.common)
	for _, list := range []*[]string{&l.Typed.DNSNames, &l.Typed.Emails, &l.Typed.IPs, &l.Typed.URIs} {
		switch {
		case l.unreadable:
			*list, l.Typed.CommonName = nil, ""
		case *list == nil:
			*list = []string{}
		}
	}
	return l.Typed
}

// kindOf is the kind of a name in a subjectAltName extension.
func kindOf(tag asn1.Tag) Kind {
	switch tag {
	case tagDNS:
		return DNS
	case tagEmail:
		return Email
	case tagIP:
		return IP
	case tagURI:
		return URI
	default:
		return OtherKind
	}
}

package webhook

import (
	"net/url"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte/asn1"

	"step-posture-connector/internal/posture"
)

// nameKind is a kind of name that typed has a list of.
type nameKind int

const (
	otherKind nameKind = iota
	commonNameKind
	dnsKind
	emailKind
	ipKind
	uriKind
)

// note adds a name to the list of its kind.
func (l *nameList) note(kind nameKind, name string) {
	if l.typed == nil {
		return
	}
	list := map[nameKind]*[]string{
		commonNameKind: &l.common, dnsKind: &l.typed.DNSNames, emailKind: &l.typed.Emails, ipKind: &l.typed.IPs, uriKind: &l.typed.URIs,
	}[kind]
	if list != nil && len(*list) < maxNames && !slices.Contains(*list, name) {
		*list = append(*list, name)
	}
}

// finish completes typed. Fail closed: where one name cannot be read, every list is unknown.
func (l *nameList) finish() *posture.CertificateNames {
	l.typed.CommonName = only(l.common)
	for _, list := range []*[]string{&l.typed.DNSNames, &l.typed.Emails, &l.typed.IPs, &l.typed.URIs} {
		switch {
		case l.unreadable:
			*list, l.typed.CommonName = nil, ""
		case *list == nil:
			*list = []string{}
		}
	}
	return l.typed
}

// kind is the kind that step-ca makes of the SAN.
func (s san) kind() nameKind {
	switch s.Type {
	case "dns":
		return dnsKind
	case "email":
		return emailKind
	case "ip":
		return ipKind
	case "uri":
		return uriKind
	case "", "auto":
		parsed, err := url.Parse(s.Value)
		switch _, isIP := ipName(s.Value); {
		case isIP:
			return ipKind
		case err == nil && parsed.Scheme != "":
			return uriKind
		case strings.Contains(s.Value, "@"):
			return emailKind
		}
		return dnsKind
	}
	return otherKind
}

// kindOf is the kind of a name in a subjectAltName extension.
func kindOf(tag asn1.Tag) nameKind {
	switch tag {
	case tagDNS:
		return dnsKind
	case tagEmail:
		return emailKind
	case tagIP:
		return ipKind
	case tagURI:
		return uriKind
	default:
		return otherKind
	}
}

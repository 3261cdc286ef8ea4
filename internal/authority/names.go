package authority

import (
	"crypto/x509"
	"slices"
	"strings"
)

// commonName begins a name that is compared with the common name only.
const commonName = "cn:"

// Bears reports whether a certificate has the name of a caller: after "cn:" a common name, else a DNS name or an e-mail
// address. A common name is any text, which may look like one of the others, so it counts only where that was asked for.
func Bears(certificate *x509.Certificate, name string) bool {
	if common, ok := strings.CutPrefix(name, commonName); ok {
		return BearsCommonName(certificate, common)
	}
	return BearsSAN(certificate, name)
}

// BearsSAN reports whether a certificate has a DNS name or an e-mail address. DNS names and hosts are compared without
// regard to case; wildcards mean nothing.
func BearsSAN(certificate *x509.Certificate, name string) bool {
	return name != "" && (slices.ContainsFunc(certificate.DNSNames, func(dns string) bool { return equalASCII(dns, name) }) ||
		slices.ContainsFunc(certificate.EmailAddresses, func(address string) bool { return sameMailbox(address, name) }))
}

// BearsCommonName reports whether a certificate has exactly this common name. Fail closed: a certificate without one has
// none.
func BearsCommonName(certificate *x509.Certificate, name string) bool {
	return name != "" && name == certificate.Subject.CommonName
}

func sameMailbox(a, b string) bool {
	i, j := strings.LastIndexByte(a, '@'), strings.LastIndexByte(b, '@')
	return i >= 0 && j >= 0 && a[:i] == b[:j] && equalASCII(a[i:], b[j:])
}

// equalASCII compares without regard to case, of ASCII letters only: under Unicode folding, U+212A
// (KELVIN SIGN) would equal k.
func equalASCII(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// verifyClient is called for every connection after its certificate chain was verified.
// Fail closed: an error here ends the handshake, and HTTP is never reached.
func (a *admission) verifyClient(state tls.ConnectionState, allowedNames []string) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("no client certificate")
	}
	leaf := state.PeerCertificates[0]
	// Chain verification lets a certificate without any extended key usage pass for every use.
	if !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		return &clientError{wrongUsage, leaf, "the client certificate is not for client authentication"}
	}
	if len(allowedNames) > 0 && !slices.ContainsFunc(allowedNames, func(name string) bool { return bears(leaf, name) }) {
		return &clientError{nameNotAllowed, leaf, "the client certificate bears none of MTLS_ALLOWED_NAMES: " + namesOf(leaf)}
	}
	return a.wantNotRevoked(state.VerifiedChains)
}

// clientError says why a client certificate of an accepted CA is refused.
type clientError struct {
	cause string
	leaf  *x509.Certificate
	text  string
}

func (e *clientError) Error() string { return e.text }

// namesOf lists the names of a certificate, shortened for a line of the log. They are quoted, because a client may
// present any text.
func namesOf(leaf *x509.Certificate) string {
	return fmt.Sprintf("common name %.64q, DNS names %.256q, e-mail addresses %.256q",
		leaf.Subject.CommonName, strings.Join(leaf.DNSNames, " "), strings.Join(leaf.EmailAddresses, " "))
}

// bears reports whether a certificate carries a name: as DNS name and e-mail host without regard to
// case, as common name exactly.
func bears(certificate *x509.Certificate, name string) bool {
	if name == certificate.Subject.CommonName {
		return true
	}
	if slices.ContainsFunc(certificate.DNSNames, func(dns string) bool { return equalASCII(dns, name) }) {
		return true
	}
	return slices.ContainsFunc(certificate.EmailAddresses, func(address string) bool { return sameMailbox(address, name) })
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

package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"step-posture-connector/internal/authority"
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

// bears reports whether a certificate has a name of any kind.
func bears(certificate *x509.Certificate, name string) bool {
	return authority.BearsCommonName(certificate, name) || authority.BearsSAN(certificate, name)
}

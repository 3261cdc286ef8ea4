package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"step-posture-connector/internal/authority"
)

// The causes of failed TLS handshakes.
const (
	noCertificate        = "no_client_certificate"
	untrustedCertificate = "untrusted_client_certificate"
	expiredCertificate   = "expired_client_certificate" // or not valid yet
	wrongUsage           = "client_certificate_usage"
	nameNotAllowed       = "name_not_allowed"
	revokedCertificate   = "revoked_client_certificate"
	serverRefused        = "client_refused_server_certificate"
	protocolError        = "protocol"
	timeoutOrClosed      = "timeout_or_closed"
	otherCause           = "other"
)

// HandshakeCauses are the causes that Server.FailedHandshakes counts.
func HandshakeCauses() []string {
	return []string{
		noCertificate, untrustedCertificate, expiredCertificate, wrongUsage, nameNotAllowed, revokedCertificate,
		serverRefused, protocolError, timeoutOrClosed, otherCause,
	}
}

// handshakes counts failed handshakes by cause, and logs some of them.
type handshakes struct {
	identity *TLS
	failed   map[string]*atomic.Uint64 // by cause; the map itself never changes
	notices  *notices
}

func newHandshakes(identity *TLS, n *notices) *handshakes {
	h := &handshakes{identity: identity, failed: map[string]*atomic.Uint64{}, notices: n}
	for _, cause := range HandshakeCauses() {
		h.failed[cause] = new(atomic.Uint64)
	}
	return h
}

// connState finds failed handshakes. net/http makes the handshakes, and returns no error; but the connection keeps it:
// a second call of Handshake does nothing, and returns the same error.
func (h *handshakes) connState(c net.Conn, state http.ConnState) {
	encrypted, ok := c.(*tls.Conn)
	if !ok || state != http.StateClosed || encrypted.ConnectionState().HandshakeComplete {
		return
	}
	if err := encrypted.HandshakeContext(context.Background()); err != nil { // returns at once
		h.observe(err, c.RemoteAddr())
	}
}

func (h *handshakes) observe(err error, from net.Addr) {
	cause := causeOf(err)
	h.failed[cause].Add(1)
	every := noticeEvery
	switch cause {
	case protocolError, timeoutOrClosed, otherCause:
		return // unauthenticated clients, and not step-ca with a fault in its configuration or ours
	case noCertificate:
		every = noticeSeldom
	case revokedCertificate:
		h.notices.sayRevoked(err, "client certificate refused: ", from)
		return
	default:
	}
	h.notices.say(cause, every, func() string { return h.explain(cause, err) + "; from " + from.String() })
}

// causeOf returns one of HandshakeCauses.
func causeOf(err error) string {
	var refused *clientError
	var unverified *tls.CertificateVerificationError
	var invalid x509.CertificateInvalidError
	var remote *net.OpError
	var notTLS tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.As(err, &refused):
		return refused.cause
	case errors.As(err, &unverified):
		if errors.As(err, &invalid) && invalid.Cert != nil && len(unverified.UnverifiedCertificates) > 0 && invalid.Cert.Equal(unverified.UnverifiedCertificates[0]) {
			switch invalid.Reason {
			case x509.Expired:
				return expiredCertificate
			case x509.IncompatibleUsage:
				return wrongUsage
			default:
			}
		}
		return untrustedCertificate
	case strings.Contains(err.Error(), "client didn't provide a certificate"):
		return noCertificate
	case errors.As(err, &remote) && remote.Op == "remote error":
		// The alerts about certificates, in the words of crypto/tls.
		for _, alert := range []string{"certificate", "unknown certificate authority"} {
			if strings.Contains(remote.Err.Error(), alert) {
				return serverRefused
			}
		}
		return protocolError
	case errors.As(err, &notTLS):
		return protocolError
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.As(err, &timeout) && timeout.Timeout():
		return timeoutOrClosed
	case strings.HasPrefix(err.Error(), "tls: "):
		return protocolError
	}
	return otherCause
}

// explain says what is wrong and what is wanted. A client that presented a certificate, or refused ours, is probably
// step-ca, and then every order fails.
func (h *handshakes) explain(cause string, err error) string {
	current, w := h.identity.current.Load(), h.identity.wording()
	var why string
	switch cause {
	case noCertificate:
		return "a client presented no certificate, but " + w.required + "; some clients send none when they have only one of another CA than those in " + w.clientCA + " (" +
			current.rules.clientCAs.String() + ")"
	case serverRefused:
		return fmt.Sprintf("a client refused the server certificate (%v); %s must trust the CA that issued it, which is %.64q, and %s must have one of its names: %.256q",
			unwrapRemote(err), w.client, cmp.Or(current.pair.Leaf.Issuer.CommonName, current.pair.Leaf.Issuer.String()), w.url, strings.Join(CertificateNames(current.pair.Leaf), " "))
	case untrustedCertificate:
		why = "it does not chain to a CA in " + w.clientCA + " (" + current.rules.clientCAs.String() + ")"
		if invalid := (x509.CertificateInvalidError{}); errors.As(err, &invalid) && invalid.Cert != nil {
			why += fmt.Sprintf(" that can be used: %s: %v", authority.NameOf(invalid.Cert), invalid)
		}
	case expiredCertificate:
		why = "it is expired or not yet valid"
	case wrongUsage:
		why = "its extended key usage lacks clientAuth"
	default: // nameNotAllowed
		why = fmt.Sprintf("it bears none of MTLS_ALLOWED_NAMES, which are %.256q", strings.Join(h.identity.allowedNames, ", "))
	}
	return "client certificate refused: " + why + describe(presented(err))
}

// describe describes a client certificate in a message, if there is one.
func describe(leaf *x509.Certificate) string {
	if leaf == nil {
		return ""
	}
	return fmt.Sprintf("; it bears %s; its issuer is %.128q, it is valid from %s to %s", namesOf(leaf), leaf.Issuer.String(), leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339))
}

// presented returns the client certificate that an error is about.
func presented(err error) *x509.Certificate {
	var refused *clientError
	var unverified *tls.CertificateVerificationError
	switch {
	case errors.As(err, &refused):
		return refused.leaf
	case errors.As(err, &unverified) && len(unverified.UnverifiedCertificates) > 0:
		return unverified.UnverifiedCertificates[0]
	}
	return nil
}

func unwrapRemote(err error) error {
	if remote := (*net.OpError)(nil); errors.As(err, &remote) {
		return remote.Err
	}
	return err
}

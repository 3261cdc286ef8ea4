package vendorhttp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Unreachable says why there was no answer, in our own words. Errors of net/http repeat the address, whose
// query names the device, and what a server or proxy wrote; none of that is kept.
type Unreachable struct {
	text  string
	cause error // context.DeadlineExceeded, or nil
}

func (u *Unreachable) Error() string { return u.text }

func (u *Unreachable) Unwrap() error { return u.cause }

// noCertificate is tls.Config.GetClientCertificate: the connector has none. A server that insists on one
// may only report that the handshake failed.
func noCertificate(wanted *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	if p, ok := wanted.Context().Value(progressKey{}).(*progress); ok {
		p.certificateWanted.Store(true)
	}
	return &tls.Certificate{}, nil
}

// proxyRefusal is an answer to CONNECT that is not 200. net/http itself would return the proxy's words.
type proxyRefusal struct{ status int }

func (p *proxyRefusal) Error() string { return fmt.Sprintf("the proxy answered %d", p.status) }

// refusedByProxy is http.Transport.OnProxyConnectResponse.
func refusedByProxy(_ context.Context, _ *url.URL, _ *http.Request, response *http.Response) error {
	if response.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyRefusal{response.StatusCode}
}

// explain says why a request got no answer, and which one is at fault: the server, or the proxy before it.
func (c *connection) explain(err error, at *progress) error {
	if at.givenUp.Load() {
		err = context.DeadlineExceeded // net/http says that the request was canceled
	}
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	u := &Unreachable{}
	if errors.Is(err, context.DeadlineExceeded) {
		u.cause = context.DeadlineExceeded
	}
	var refused *proxyRefusal
	var toProxy *net.OpError
	server, proxy := c.base.Host, c.proxy()
	switch {
	case errors.As(err, &refused):
		u.text = fmt.Sprintf("%s cannot be reached: the proxy %s answered %d to CONNECT%s", server, proxy, refused.status, hintOfProxy(refused.status))
	case errors.As(err, &toProxy) && toProxy.Op == "proxyconnect":
		u.text = reason("the proxy "+proxy, toProxy.Err, at) + "; check HTTPS_PROXY"
	case proxy == "":
		u.text = reason(server, err, at)
	case !at.connected.Load() && !at.handshake.Load() && !isUntrusted(err):
		u.text = reason(server, err, at) + "; the proxy " + proxy + " did not open the way to it"
	default:
		u.text = reason(server, err, at) + " (by way of the proxy " + proxy + ")"
	}
	return u
}

// proxy is the proxy for the server, or "".
func (c *connection) proxy() string {
	proxy, err := c.findProxy(&http.Request{URL: c.base})
	if err != nil || proxy == nil {
		return ""
	}
	return proxy.Host // the rest may hold a password
}

func hintOfProxy(status int) string {
	switch {
	case status == http.StatusProxyAuthRequired:
		return ": it wants a user name and password, which HTTPS_PROXY can hold"
	case status == http.StatusForbidden:
		return ": it does not allow that server"
	case status >= http.StatusInternalServerError:
		return ": it does not reach that server"
	}
	return ""
}

func isUntrusted(err error) bool {
	var untrusted *tls.CertificateVerificationError
	return errors.As(err, &untrusted)
}

// reason says why host, the server or a proxy, did not answer.
func reason(host string, err error, at *progress) string {
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &untrusted):
		return fmt.Sprintf("the TLS certificate of %s is not trusted: %s", host, distrust(untrusted))
	case strings.Contains(err.Error(), "tls: failed to parse certificate from server"):
		return "the TLS certificate of " + host + " cannot be read: it is malformed" + malformed(err)
	case errors.Is(err, context.DeadlineExceeded) && at.connected.Load():
		return host + " did not answer in time"
	}
	return host + " cannot be reached: " + obstacle(err, at)
}

// distrust is x509's verdict. Names in a certificate are the server's words: only what can be a host name is repeated.
func distrust(untrusted *tls.CertificateVerificationError) string {
	err := untrusted.Err
	var name x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &name):
		return fmt.Sprintf("it is for %s and not for %s", namesOf(name.Certificate), name.Host)
	case errors.As(err, &unknown):
		return "it is of a CA that is not known here; SSL_CERT_FILE can name the CA of a private server or of a proxy that opens TLS"
	case errors.As(err, &invalid):
		return invalidity(invalid, untrusted.UnverifiedCertificates)
	}
	return "it cannot be verified"
}

func invalidity(invalid x509.CertificateInvalidError, chain []*x509.Certificate) string {
	subject := "a CA above it"
	if len(chain) > 0 && chain[0].Equal(invalid.Cert) {
		subject = "it"
	}
	switch invalid.Reason {
	case x509.Expired:
		return fmt.Sprintf("%s is valid from %s to %s; compare the clock", subject, invalid.Cert.NotBefore.UTC().Format(time.RFC3339), invalid.Cert.NotAfter.UTC().Format(time.RFC3339))
	case x509.IncompatibleUsage:
		return subject + " is not for TLS servers"
	case x509.NotAuthorizedToSign:
		return "the certificate that signed it is not of a CA"
	case x509.CANotAuthorizedForThisName, x509.NameConstraintsWithoutSANs, x509.CANotAuthorizedForExtKeyUsage:
		return "the CA above it may not issue such certificates"
	default:
		return subject + " is not valid"
	}
}

func namesOf(certificate *x509.Certificate) string {
	const most = 3
	var names []string
	for _, name := range certificate.DNSNames {
		if regexp.MustCompile(`^[A-Za-z0-9*._-]{1,253}$`).MatchString(name) {
			names = append(names, name)
		}
	}
	for _, ip := range certificate.IPAddresses {
		names = append(names, ip.String())
	}
	switch {
	case len(names) == 0:
		return "no host name"
	case len(names) > most:
		return fmt.Sprintf("%s and %d others", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// malformed says what Go does not accept in a certificate, for the mistakes that are common.
func malformed(err error) string {
	for _, known := range []string{"negative serial number", "serial number too long", "trailing data", "invalid version"} {
		if strings.Contains(err.Error(), known) {
			return " (" + known + ")"
		}
	}
	return ""
}

// obstacle says what prevented the answer. Go has no types for most of this; the texts that are compared are Go's,
// and a version of Go that changes one fails TestObstacles.
func obstacle(err error, at *progress) string {
	text := err.Error()
	has := func(part string) bool { return strings.Contains(text, part) }
	var operation *net.OpError
	var unknown *net.DNSError
	var header tls.RecordHeaderError
	switch {
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &header) && string(header.RecordHeader[:]) == "HTTP/":
		return "it answers in plain HTTP where TLS is expected; check the port"
	case errors.As(err, &header):
		return "it does not speak TLS; check the port"
	case errors.As(err, &unknown):
		return resolution(unknown)
	case has("TLS handshake timeout"):
		return fmt.Sprintf("it accepts connections, but does not answer in the TLS handshake (%v)", handshakeTimeout)
	case has("http2: client connection lost"):
		return "the connection is dead: HTTP/2 PING was not answered"
	case has("GOAWAY"):
		return "it ended the HTTP/2 connection (GOAWAY)"
	case has("stream error"):
		return "it broke the HTTP/2 request off" + streamError(text)
	case has("malformed HTTP"), has("malformed MIME"), has("malformed chunked"), has("invalid header"), has("header list larger"), has("exceeded"):
		return "what it answers is not HTTP as it should be"
	case has("protocol version not supported"), has("unsupported protocol version"):
		return "it offers no TLS version that is accepted, which are 1.2 and 1.3"
	case errors.As(err, &operation) && operation.Op == "remote error" && at.certificateWanted.Load(), has("certificate required"):
		return "it demands a client certificate, which the connector does not have"
	case errors.As(err, &operation) && operation.Op == "remote error", strings.HasPrefix(text, "tls: "), has(": tls: "):
		return "the TLS handshake failed" + alert(text)
	case errors.Is(err, context.DeadlineExceeded):
		return "no connection in time; look for a firewall between"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "it reset the connection" + during(at)
	case errors.As(err, &operation):
		return operation.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), has("server closed"):
		return "it closed the connection" + during(at)
	}
	return "the connection failed"
}

func during(at *progress) string {
	switch {
	case at.connected.Load():
		return " before its answer was complete"
	case at.handshake.Load():
		return " in the TLS handshake"
	}
	return ""
}

func resolution(err *net.DNSError) string {
	switch {
	case err.IsNotFound:
		return "DNS does not know its name"
	case err.IsTimeout:
		return "DNS does not answer"
	}
	return "DNS cannot resolve its name"
}

// alert is the name of a TLS alert, where the name is of use.
func alert(text string) string {
	for _, known := range []string{"handshake failure", "unrecognized name", "internal error", "access denied", "insufficient security level", "no application protocol"} {
		if strings.Contains(text, known) {
			return ": " + known
		}
	}
	return ""
}

// streamError is the code of an HTTP/2 error.
func streamError(text string) string {
	codes := []string{"PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "REFUSED_STREAM", "CANCEL", "ENHANCE_YOUR_CALM", "HTTP_1_1_REQUIRED"}
	if i := slices.IndexFunc(codes, func(code string) bool { return strings.Contains(text, code) }); i >= 0 {
		return ": " + codes[i]
	}
	return ""
}

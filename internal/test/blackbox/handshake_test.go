package blackbox_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/program"
)

// A wrong configuration of mutual TLS fails every order, and step-ca logs little about it. So the connector logs, at
// level 0, the names of a refused client certificate and the wanted names, and a metric counts each cause.
func TestFailedHandshakesAreLogged(t *testing.T) {
	t.Parallel()
	p, another := program.NewPKI(t), program.NewPKI(t)
	stepCA := func() *x509.Certificate {
		template := program.LeafTemplate("Step Online CA")
		template.DNSNames = []string{"ca.internal"}
		return template
	}
	const bears = `; it bears common name \"Step Online CA\", DNS names \"ca.internal\", e-mail addresses \"\"; its issuer is \"CN=Test Root CA\", it is valid from `
	day := p.CA.NotAfter.UTC().Format(time.DateOnly)
	type row struct {
		name        string
		certificate *tls.Certificate
		distrusts   bool
		cause       string
		log         string
	}
	// One row for each cause, and then other rows.
	for _, rows := range [][]row{{
		{"no certificate", nil, false, "no_client_certificate", "a client presented no certificate, but ENABLE_MTLS is 1; step-ca presents its own"},
		{"of another CA", another.ClientCertificate(t, stepCA()), false, "untrusted_client_certificate", `client certificate refused: it does not chain to a CA in TLS_CA_PATH (\"Test Root CA\", expires ` + day + `)` + bears},
		{"expired", p.ClientCertificate(t, change(stepCA(), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })), false, "expired_client_certificate", "client certificate refused: it is expired or not yet valid" + bears},
		{"for servers", p.ClientCertificate(t, change(stepCA(), func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })), false, "client_certificate_usage", "client certificate refused: its extended key usage lacks clientAuth" + bears},
		{"name", p.ClientCertificate(t, stepCA()), false, "name_not_allowed", `client certificate refused: it bears none of MTLS_ALLOWED_NAMES, which are \"ca.example.com, Step CA\"` + bears},
		{"distrusts us", p.ClientCertificate(t, stepCA()), true, "client_refused_server_certificate", `; step-ca must trust the CA that issued it, which is \"Test Root CA\", and the webhook's URL must have one of its names: \"127.0.0.1\"; from 127.0.0.1:`},
		{"not TLS", nil, false, "protocol", ""},
		{"closed at once", nil, false, "timeout_or_closed", ""},
	}, {
		{"not valid yet", p.ClientCertificate(t, change(stepCA(), func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) })), false, "expired_client_certificate", "client certificate refused: it is expired or not yet valid" + bears},
		{"without usage", p.ClientCertificate(t, change(stepCA(), func(c *x509.Certificate) { c.ExtKeyUsage = nil })), false, "client_certificate_usage", "client certificate refused: its extended key usage lacks clientAuth" + bears},
		{"hostile name", p.ClientCertificate(t, program.LeafTemplate("\x1b[31m\u202e\nlevel=error")), false, "name_not_allowed", `it bears common name \"\\x1b[31m\\u202e\\nlevel=error\"`},
		{"no cipher suite", nil, false, "protocol", ""},
	}} {
		d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With(
			"ENABLE_MTLS", "1", "TLS_CA_PATH", p.CACert, "MTLS_ALLOWED_NAMES", "ca.example.com, Step CA", "HEALTH_ADDRESS", program.FreeHealth))
		warnings := 0
		for _, test := range rows {
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				config := &tls.Config{ServerName: "127.0.0.1", RootCAs: p.Roots, MinVersion: version, MaxVersion: version}
				switch {
				case test.distrusts:
					config.RootCAs = another.Roots
				case test.name == "not TLS":
					config = nil
				case test.name == "no cipher suite":
					config.MaxVersion, config.MinVersion = tls.VersionTLS12, tls.VersionTLS12
					config.CipherSuites = []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
				}
				// Otherwise Go's client presents no certificate that the server does not accept.
				if test.certificate != nil {
					config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return test.certificate, nil }
				}
				fail(t, d.Address, config, test.name == "closed at once")
			}
			series := fmt.Sprintf("step_posture_tls_handshake_failures_total{cause=%q} 2\n", test.cause)
			d.Eventually(t, test.name+" is counted: "+series, func() bool {
				_, text := d.Get(t, "/metrics")
				return strings.Contains(text, series)
			})
			if test.log != "" {
				warnings++
				d.Eventually(t, test.name+" is logged: "+test.log, func() bool { return strings.Contains(d.Output(), test.log) })
			}
		}
		// The second failure with the same cause is not logged: unauthenticated clients could fill the log.
		_, output := d.Stop(t)
		if got := strings.Count(output, "level=warning"); got != warnings {
			t.Errorf("%d warnings, want %d:\n%s", got, warnings, output)
		}
	}
}

// fail makes a connection, which must fail.
func fail(t *testing.T, address string, config *tls.Config, atOnce bool) {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if atOnce {
		return
	}
	if err := c.SetDeadline(time.Now().Add(program.Patience)); err != nil {
		t.Fatal(err)
	}
	if config == nil {
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		_, _ = io.ReadAll(c)
		return
	}
	encrypted := tls.Client(c, config)
	err = encrypted.HandshakeContext(t.Context())
	if err == nil {
		_, err = encrypted.Read(make([]byte, 1)) // with TLS 1.3 the client gets the alert only now
	}
	if err == nil {
		t.Error("the connection was accepted")
	}
}

package blackbox_test

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/program"
)

const dataOfK3 = `{}` // of K3Q7XH2N9P in testdata/devices.json

func TestServerCertificates(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]crypto.Signer{"RSA": program.NewRSAKey(t), "ECDSA": program.NewECKey(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := program.NewPKIWith(t, key)
			d := program.StartDaemon(t, program.WorkingEnvironment(t, p))
			s := program.NewStepCA(t, p, d.Address, nil)
			s.WantAllow(t, "K3Q7XH2N9P", dataOfK3)
			s.WantAllow(t, "k3q7xh2n9p", dataOfK3)
			status, text, err := s.Send(t, program.WebhookBody("C02UNKNOWN00"))
			if err != nil || status != http.StatusOK || !strings.Contains(text, `"code":"deviceNotFound"`) {
				t.Errorf("got %d %s (%v), want a refusal with deviceNotFound", status, text, err)
			}
			code, output := d.Stop(t)
			if code != 0 || strings.Count(output, "[ALLOW]") != 2 || strings.Count(output, "[DENY]") != 1 {
				t.Errorf("got exit code %d and this output, want 0, two [ALLOW] and one [DENY]:\n%s", code, output)
			}
		})
	}
}

// Old versions and weak cipher suites are refused in the handshake, for RSA and ECDSA alike.
func TestWeakTLSIsRefused(t *testing.T) {
	t.Parallel()
	for keyName, key := range map[string]crypto.Signer{"RSA": program.NewRSAKey(t), "ECDSA": program.NewECKey(t)} {
		p := program.NewPKIWith(t, key)
		d := program.StartDaemon(t, program.WorkingEnvironment(t, p))
		handshake := func(config *tls.Config) error {
			config.RootCAs = p.Roots
			connection, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", d.Address)
			if err == nil {
				_ = connection.Close()
			}
			return err
		}
		for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
			if handshake(&tls.Config{MinVersion: version, MaxVersion: version}) == nil {
				t.Errorf("%s: %s was accepted", keyName, tls.VersionName(version))
			}
		}
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			if err := handshake(&tls.Config{MinVersion: version, MaxVersion: version}); err != nil {
				t.Errorf("%s: %s was refused: %v", keyName, tls.VersionName(version), err)
			}
		}
		accepted := 0
		for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			if suite.SupportedVersions[0] == tls.VersionTLS13 {
				continue
			}
			err := handshake(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}})
			strong := strings.HasPrefix(suite.Name, "TLS_ECDHE_") && (strings.Contains(suite.Name, "_GCM_") || strings.Contains(suite.Name, "CHACHA20"))
			if err == nil {
				accepted++
			}
			if err == nil && !strong {
				t.Errorf("%s: %s was accepted", keyName, suite.Name)
			}
		}
		if accepted != 3 {
			t.Errorf("%s: %d cipher suites were accepted, want AES-128-GCM, AES-256-GCM and ChaCha20", keyName, accepted)
		}
	}
}

// Without an accepted client certificate no request reaches HTTP: no answer, no event.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	p, another := program.NewPKI(t), program.NewPKI(t)
	env := program.WorkingEnvironment(t, p).With("ENABLE_MTLS", "1", "TLS_CA_PATH", p.CACert, "LOGGING_LEVEL", "2")
	anyName := program.StartDaemon(t, env)
	oneName := program.StartDaemon(t, env.With("MTLS_ALLOWED_NAMES", "CA.example.com, ca@Example.com, Step Online CA"))

	stepCA := func() *x509.Certificate {
		template := program.LeafTemplate("Step Online CA")
		template.DNSNames = []string{"ca.internal"}
		return template
	}
	for name, test := range map[string]struct {
		certificate *tls.Certificate
		any, one    bool
	}{
		"none":             {nil, false, false},
		"of another CA":    {another.ClientCertificate(t, stepCA()), false, false},
		"expired":          {p.ClientCertificate(t, change(stepCA(), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })), false, false},
		"not valid yet":    {p.ClientCertificate(t, change(stepCA(), func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) })), false, false},
		"for servers only": {p.ClientCertificate(t, change(stepCA(), func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })), false, false},
		"without usage":    {p.ClientCertificate(t, change(stepCA(), func(c *x509.Certificate) { c.ExtKeyUsage = nil })), false, false},
		"common name":      {p.ClientCertificate(t, stepCA()), true, true},
		"DNS name":         {p.ClientCertificate(t, change(program.LeafTemplate(""), func(c *x509.Certificate) { c.DNSNames = []string{"other", "ca.EXAMPLE.com"} })), true, true},
		"e-mail":           {p.ClientCertificate(t, change(program.LeafTemplate(""), func(c *x509.Certificate) { c.EmailAddresses = []string{"ca@example.COM"} })), true, true},
		"of a device":      {p.ClientCertificate(t, program.LeafTemplate("C02XK1JKLVCG")), true, false},
		"CN in low case":   {p.ClientCertificate(t, program.LeafTemplate("step online ca")), true, false},
		"longer DNS name":  {p.ClientCertificate(t, change(program.LeafTemplate(""), func(c *x509.Certificate) { c.DNSNames = []string{"x.ca.example.com"} })), true, false},
		"wildcard":         {p.ClientCertificate(t, change(program.LeafTemplate(""), func(c *x509.Certificate) { c.DNSNames = []string{"*.example.com"} })), true, false},
		"other mailbox":    {p.ClientCertificate(t, change(program.LeafTemplate(""), func(c *x509.Certificate) { c.EmailAddresses = []string{"CA@example.com"} })), true, false},
	} {
		for d, want := range map[*program.Daemon]bool{anyName: test.any, oneName: test.one} {
			s := program.NewStepCA(t, p, d.Address, test.certificate)
			if want {
				s.WantAllow(t, "K3Q7XH2N9P", dataOfK3)
				continue
			}
			if status, text, err := s.Send(t, program.WebhookBody("K3Q7XH2N9P")); err == nil {
				t.Errorf("client certificate %s: got %d %s, want no answer", name, status, text)
			}
		}
	}
	for d, want := range map[*program.Daemon]int{anyName: 8, oneName: 3} {
		code, output := d.Stop(t)
		if got := strings.Count(output, "[ALLOW]") + strings.Count(output, "[DENY]"); code != 0 || got != want {
			t.Errorf("got exit code %d and %d events, want 0 and %d:\n%s", code, got, want, output)
		}
	}
}

func change(c *x509.Certificate, how func(*x509.Certificate)) *x509.Certificate {
	how(c)
	return c
}

// With mutual TLS no session is resumed, so that the removal of a CA has effect at once.
func TestResumption(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	for name, test := range map[string]struct {
		env  program.Environment
		want bool
	}{
		"without client certificates": {program.WorkingEnvironment(t, p), true},
		"with client certificates":    {program.WorkingEnvironment(t, p).With("ENABLE_MTLS", "1", "TLS_CA_PATH", p.CACert), false},
	} {
		d := program.StartDaemon(t, test.env)
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			config := &tls.Config{
				RootCAs: p.Roots, MinVersion: version, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1),
				Certificates: []tls.Certificate{*p.ClientCertificate(t, program.LeafTemplate("Step Online CA"))},
			}
			resumed := false
			for range 2 {
				resumed = talk(t, d.Address, config).DidResume
			}
			if resumed != test.want {
				t.Errorf("%s, %s: resumed is %v, want %v", name, tls.VersionName(version), resumed, test.want)
			}
		}
	}
}

// talk makes one request, because a TLS 1.3 ticket arrives after the handshake.
func talk(t *testing.T, address string, config *tls.Config) tls.ConnectionState {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+net.JoinHostPort("127.0.0.1", address[strings.LastIndexByte(address, ':')+1:])+"/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return *response.TLS
}

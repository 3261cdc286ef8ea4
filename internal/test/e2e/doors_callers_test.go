package e2e_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/doors"
	"step-posture-connector/internal/test/e2e/radius"
)

// siblingProvisioner is a certificate that step-ca itself has issued, by another provisioner: its client has chosen the
// identifier of the device.
func siblingProvisioner(t *testing.T, s *siteLab) doors.Credential {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	client := s.ca.NewClient(t.TempDir())
	writeFile(t, client.Path("password"), "of the provisioner")
	const names = `{
  "subject": {"commonName": {{ toJson .Subject.CommonName }}},
  "sans": [{"type": "permanentIdentifier", "value": {{ toJson .Subject.CommonName }}}],
  "keyUsage": ["digitalSignature"],
  "extKeyUsage": ["clientAuth"]
}`
	if err := s.ca.AddProvisionerWith(ctx, "sibling", names, "", "--type", "JWK", "--create", "--password-file", client.Path("password")); err != nil {
		t.Fatal(err)
	}
	result, err := client.Step(ctx, "ca", "certificate", knownSerial, "sibling.crt", "sibling.key",
		"--provisioner", "sibling", "--provisioner-password-file", client.Path("password"))
	if err != nil || result.Status != 0 {
		t.Fatalf("step ca certificate: %v, %s", err, result.Stderr)
	}
	pair, err := tls.LoadX509KeyPair(client.Path("sibling.crt"), client.Path("sibling.key"))
	if err != nil {
		t.Fatal(err)
	}
	return doors.Credential{TLS: pair, Certificate: client.Path("sibling.crt"), Key: client.Path("sibling.key")}
}

// testResumed: an administrator has switched FreeRADIUS' session cache on. A resumed session of TLS 1.3 has no certificate.
func testResumed(t *testing.T, s *siteLab) {
	server := s.startRADIUS(t, func(config *radius.Config) {
		config.Edit = func(text string) string {
			return strings.Replace(text, "\t\t\t\tenable = no\n", "\t\t\t\tenable = yes\n\t\t\t\tname = sessions\n\t\t\t\tpersist_dir = .\n", 1)
		}
	})
	wantAccepted(t, connect(t, server, radius.Login{Device: s.device, TLS13: true}), siteVLAN)
	wantRejected(t, connect(t, server, radius.Login{Device: s.device, TLS13: true, Again: 1}))
	expectLog(t, s.site.Gate().Connector(), "[DENY]", "code=certificateMissing", "path=/door/radius")
	// As we ship it, a device that connects again shows its certificate again.
	wantAccepted(t, connect(t, s.radius, radius.Login{Device: s.device, TLS13: true, Again: 1}), siteVLAN)

	// A web server knows the certificate of a resumed session, and asks.
	for name, w := range s.web {
		client, err := w.proxy.Client(&s.device)
		if err != nil {
			t.Fatal(err)
		}
		visit := func() page {
			t.Helper()
			got, err := w.send(t, client, http.MethodGet, "/", nil, "")
			client.CloseIdleConnections()
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := visit(); got.status != http.StatusOK {
			t.Errorf("%s: status %d", name, got.status)
		}
		end := unlisted(t, s)
		w.application.Requests()
		if got := visit(); got.status != http.StatusForbidden || !got.resumed || len(w.application.Requests()) != 0 {
			t.Errorf("%s: status %d, resumed %t", name, got.status, got.resumed)
		}
		end()
	}
	s.wantIn(t)
}

// testDeviceAsks: the administrator has made the CA of devices that of callers too, and lists the common name of a device. The
// device is answered at no path.
func testDeviceAsks(t *testing.T, s *siteLab) {
	g := s.site.Gate()
	policies := strings.NewReplacer(
		"devices.crl", s.lists, "[radius.example.com]", "[cn:"+knownSerial+"]", "[proxy.example.com]", "[proxy.example.com, cn:x]",
	).Replace(sitePolicy)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	g.TrustAtDoors(s.ca.RootPath())
	s.startAgain(t)
	before := strings.Count(g.Connector().Log(), "reloaded: ")
	if err := g.SetPolicies(policies); err != nil {
		t.Fatal(err)
	}
	s.awaitReload(t, before)

	roots, err := s.ca.Roots()
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: roots, MinVersion: tls.VersionTLS12,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &s.device.TLS, nil },
	}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: answerTimeout}
	for _, path := range []string{"/door/radius", "/door/http", "/door/http/x", "/", "/status", "/webhook/device-attest", "/webhook/radius"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodHead, http.MethodOptions} {
			request, err := http.NewRequestWithContext(t.Context(), method, "https://"+g.DoorAddress()+path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			response, err := client.Do(request)
			if err != nil {
				t.Errorf("%s %s: %v", method, path, err)
				continue
			}
			body, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if err != nil || response.StatusCode != http.StatusForbidden || strings.Contains(string(body), `"allow":true`) || response.Header.Get("X-Device-Id") != "" {
				t.Errorf("%s %s: status %d %q, %v, want 403", method, path, response.StatusCode, body, err)
			}
		}
	}
	if log := g.Connector().Log(); strings.Contains(log, "[ALLOW]") {
		t.Error("the connector has allowed something")
	}
	g.TrustAtDoors(s.site.Callers.Root.File)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	s.startAgain(t)
	s.wantIn(t)
}

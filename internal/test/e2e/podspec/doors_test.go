//go:build compose

package podspec_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/doors"
)

// TestDoors runs the overlay doors: a device gets its certificate from step-ca, and a web server asks at the Service of
// the door whether it may pass; then its record says that it is too old.
func TestDoors(t *testing.T) {
	t.Parallel()
	s := newStack(t, "doors")
	pki, err := doors.NewPKI(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	callers, err := os.ReadFile(pki.Root.File)
	if err != nil {
		t.Fatal(err)
	}
	caller, err := pki.Server(pki.Root, "www", "www.example.com")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := pki.Server(pki.Foreign, "stranger", "www.example.com")
	if err != nil {
		t.Fatal(err)
	}
	s.applyConfigMap(t, name+"-callers", map[string]string{"callers_ca.crt": string(callers)})
	s.applyConfigMap(t, name+"-ca", map[string]string{
		"root_ca.crt": s.ca.root, "intermediate_ca.crt": s.docker(t, "exec", s.ca.name, "cat", "/home/step/certs/intermediate_ca.crt"),
	})
	s.applySecret(t, s.manifests.certificate.Spec.SecretName, s.ca.issue(t, s.manifests.certificate))
	s.start(t)
	service := s.manifests.services[name+"-door"]
	door := s.address(t, s.serve(t, service, namespace, image(t, "BALANCER_IMAGE")), service.Spec.Ports[0].Port)
	s.settle(t)

	device, err := s.ca.order(t.Context(), known)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 * len(s.connectors()) {
		if status, body, err := s.ask(t.Context(), door, caller.TLS, device); status != http.StatusOK || !strings.Contains(body, `"allow":true`) {
			t.Errorf("the door answers %d %s, %v", status, body, err)
		}
	}
	if status, body, err := s.ask(t.Context(), door, stranger.TLS, device); err == nil {
		t.Errorf("a caller with a certificate of another CA is answered: %d %s", status, body)
	}
	old := strings.ReplaceAll(s.policyData(nil)["devices.csv"], ",15.5,", ",14.0,")
	s.reloaded(t, "inventory", "success", func() { s.applyConfigMap(t, name+"-policy", s.policyData(map[string]string{"devices.csv": old})) })
	// Another certificate: the answer about the one of before is remembered for a while.
	if device, err = s.ca.order(t.Context(), known); err != nil {
		t.Fatal(err)
	}
	for range 2 * len(s.connectors()) {
		if status, body, err := s.ask(t.Context(), door, caller.TLS, device); status != http.StatusForbidden || !strings.Contains(body, "osTooOld") {
			t.Errorf("about a device that is too old the door answers %d %s, %v", status, body, err)
		}
	}
}

// ask is a question of a web server about a device that has shown a certificate.
func (s *stack) ask(ctx context.Context, address string, caller tls.Certificate, device *x509.Certificate) (int, string, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(s.ca.root))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		RootCAs: roots, ServerName: name + "-door." + namespace + ".svc.cluster.local", Certificates: []tls.Certificate{caller}, MinVersion: tls.VersionTLS12,
	}}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/door/http", nil)
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("X-Client-Cert", base64.StdEncoding.EncodeToString(device.Raw))
	answer, err := client.Do(request)
	if err != nil {
		return 0, "", fmt.Errorf("ask at the door: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

//go:build compose

package podspec_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestJamf runs the overlay jamf: the inventory is a simulated Jamf Pro server, and an init container and a sidecar get
// and renew the server certificate at step-ca.
func TestJamf(t *testing.T) {
	t.Parallel()
	const secret, password = "the-client-secret-of-a-test", "the-password-of-the-provisioner"
	const member, unmanaged = "C02JAMFMAC01", "C02JAMFMAC02"
	s := newStack(t, "jamf")
	ca := s.jamf(t, fmt.Sprintf(`{"names": ["example.jamfcloud.com"],
		"clients": [{"id": "00000000-0000-4000-8000-000000000000", "secret": %q, "privileges": ["Read Computers", "Read Mobile Devices", "Read Departments"], "expires_in": 600}],
		"devices": [{"computer": true, "serial": %q, "managed": true}, {"computer": true, "serial": %q, "managed": false}]}`, secret, member, unmanaged))
	// The simulated server has a CA of its own, where a real one has a public one.
	s.applyConfigMap(t, name+"-ca", map[string]string{"root_ca.crt": s.ca.root, "jamf.crt": ca})
	for object := range s.manifests.configMaps {
		switch {
		case strings.HasPrefix(object, name+"-env"):
			s.variable(t, object, "SSL_CERT_FILE", "/etc/step-posture-connector/ca/jamf.crt")
		case strings.HasPrefix(object, name+"-renewer-env"):
			// At every look, not only after two thirds of a day.
			s.variable(t, object, "RENEW_AT", "0%")
		}
	}
	s.applySecret(t, name+"-jamf", map[string]string{"client_secret": secret})
	s.applySecret(t, name+"-provisioner", map[string]string{"password": "another"})
	if err := os.WriteFile(filepath.Join(s.ca.setup, "connector-password"), []byte(password), 0o644); err != nil {
		t.Fatal(err)
	}
	s.ca.provisioner(t, "add", "connector", "--type", "JWK", "--create", "--password-file", "/setup/connector-password")

	s.service = s.serve(t, s.manifests.services[name], namespace, image(t, "BALANCER_IMAGE"))
	s.d = s.deploy(t, s.manifests.deployment.Spec)
	// With a wrong password no connector starts; with the right one it does without anybody's help.
	eventually(t, "the init container fails", func() bool {
		for _, p := range s.d.current() {
			if p.happened("init container certificate: exit status") {
				return true
			}
		}
		return false
	})
	if len(s.connectors()) > 0 {
		t.Error("a connector was started without its certificate")
	}
	s.applySecret(t, name+"-provisioner", map[string]string{"password": password})
	s.await(t, nil)

	for range 2 * len(s.connectors()) {
		s.ca.wantCertificate(t, "with Jamf", member)
		s.ca.wantRefused(t, "with Jamf", unmanaged, "deviceNotManaged")
		s.ca.wantRefused(t, "with Jamf", known, "deviceNotFound")
	}
	for _, c := range s.connectors() {
		eventually(t, "the sidecar renews the certificate, and the connector loads it", func() bool {
			renewer := c.pod.container("renewer")
			return strings.Contains(both(s.ctx, renewer.current()), "renewed the certificate") &&
				c.metric(t, `step_posture_reloads_total{result="success",source="tls"}`) > 0
		})
		if starts := len(c.attempts()) + len(c.pod.container("renewer").attempts()); starts != 2 {
			t.Errorf("the containers of a pod were started %d times", starts)
		}
		if environment := s.docker(t, "inspect", c.current(), c.pod.container("renewer").current(), c.pod.container("certificate").current()); strings.Contains(environment, secret) || strings.Contains(environment, password) {
			t.Error("docker inspect shows a secret")
		}
		if log := both(s.ctx, c.current()); strings.Contains(log, secret) {
			t.Error("the log shows a secret")
		}
	}
	s.ca.wantCertificate(t, "renewed", member)
	s.sidecarsEndLast(t)
}

// jamf starts the simulated server where the policy of the overlay expects it, and returns its CA.
func (s *stack) jamf(t *testing.T, options string) string {
	t.Helper()
	folder := shared(t, "jamf")
	if err := os.WriteFile(filepath.Join(folder, "options.json"), []byte(options), 0o644); err != nil {
		t.Fatal(err)
	}
	server := s.id + "-jamf"
	s.docker(t, "run", "--detach", "--name", server, "--label", s.id, "--network", s.network, "--network-alias", "example.jamfcloud.com",
		"--volume", folder+":/options:ro", image(t, "FAKEJAMF_IMAGE"), "-listen", ":443", "-ca", "/ca.crt", "-options", "/options/options.json")
	copied := filepath.Join(t.TempDir(), "ca.crt")
	eventually(t, "the simulated Jamf Pro server has a CA", func() bool {
		_, err := run(s.ctx, nil, "docker", "cp", server+":/ca.crt", copied)
		return err == nil
	})
	text, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// variable adds a variable to a ConfigMap.
func (s *stack) variable(t *testing.T, object, variable, value string) {
	t.Helper()
	data := maps.Clone(s.manifests.configMaps[object].Data)
	data[variable] = value
	s.applyConfigMap(t, object, data)
}

// sidecarsEndLast: all pods are replaced; in each the connector has ended when its renewer does.
func (s *stack) sidecarsEndLast(t *testing.T) {
	t.Helper()
	before := s.d.current()
	s.d.replace(restart)
	s.await(t, before)
	for _, p := range before {
		p.mu.Lock()
		events := strings.Join(p.events, "\n")
		p.mu.Unlock()
		connector := strings.Index(events, "container connector exits with the status 0 after the signal")
		renewer := strings.Index(events, "container renewer exits with the status 0 after the signal")
		if connector < 0 || renewer < connector {
			t.Errorf("a replaced pod did not end in the right order: %s", events)
		}
	}
}

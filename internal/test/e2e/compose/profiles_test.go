//go:build compose

package compose_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestJamfProfile: with the variables in docker/.env the connector asks a simulated Jamf Pro server. The secret is
// in a file that only the connector can read, and in no container's environment. An up without the profile changes
// nothing.
func TestJamfProfile(t *testing.T) {
	const secret = "a $ecret # with \" all sorts"
	const member, other = "C02JAMFMAC01", "C02JAMFMAC02"
	s := newStack(t, image(t, "FAKEJAMF_IMAGE"))
	s.files = append(s.files, "test/jamf.yml")
	s.write(t, "jamf.json", fmt.Sprintf(`{"names": ["jamf.example.com"],
		"clients": [{"id": "the-client", "secret": %q, "privileges": ["Read Computers", "Read Mobile Devices", "Read Departments"], "expires_in": 600}],
		"devices": [{"computer": true, "serial": %q, "managed": true, "user": {"email": "ada@example.com", "department": "Design"}, "groups": [{"name": "Disk encrypted, # 1"}]},
			{"computer": true, "serial": %q, "managed": true}]}`, secret, member, other))
	dotenv := "JAMF_BASE_URL=https://jamf.example.com:8443\nJAMF_CLIENT_ID=the-client\nJAMF_CLIENT_SECRET='" + secret + "'\n" +
		"JAMF_COMPUTER_GROUP='Disk encrypted, # 1'\nJAMF_COMPUTER_ENRICH=1\n" // without WEBHOOK_MODE the connector looks for both kinds
	s.write(t, ".env", dotenv+"COMPOSE_PROFILES=jamf\n")
	decides := func(when string) {
		t.Helper()
		certificate, err := s.order(t.Context(), member)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if got := fmt.Sprint(certificate.Subject, certificate.EmailAddresses); got != "CN="+member+",OU=Design [ada@example.com]" {
			t.Errorf("%s: the certificate has %s", when, got)
		}
		s.wantRefused(t, when, other, 401, "deviceNotInGroup")
		s.wantRefused(t, when, known, 401, "deviceNotFound") // of devices.csv
	}
	s.up(t)
	decides("with the profile")
	for _, service := range []string{"jamf", "setup", "connector"} {
		if strings.Contains(s.run(t, "docker", "inspect", s.container(t, service)), secret) {
			t.Errorf("docker inspect of %s shows the secret", service)
		}
	}
	if strings.Contains(s.compose(t, "logs", "--no-color"), secret) {
		t.Error("a log shows the secret")
	}
	s.write(t, ".env", dotenv+"WEBHOOK_MODE=computer\n")
	s.up(t, "--force-recreate")
	decides("without the profile")

	s.compose(t, "run", "--rm", "-T", "setup", "file")
	s.up(t, "--force-recreate")
	s.wantRefused(t, "back to the file", member, 401, "deviceNotFound")
	s.wantCertificate(t, "back to the file", known)
}

// The compose file and env.example have the same variables with the same defaults.
func TestEnvExample(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docker", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	names := func(text, pattern string) []string {
		var found []string
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			found = append(found, match[1])
		}
		slices.Sort(found)
		return slices.Compact(found)
	}
	file := read("docker-compose.yml")
	got := names(read("env.example"), `(?m)^#?([A-Z_]+)=`)
	want := append(names(file, `\$\{([A-Z_]+)[:}-]`), "JAMF_CLIENT_SECRET", "COMPOSE_PROFILES") // Compose itself reads the last
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("env.example has %q, the compose file %q", got, want)
	}
	for _, match := range regexp.MustCompile(`\$\{([A-Z_]+):-([^}]+)\}`).FindAllStringSubmatch(file, -1) {
		if line := "\n#" + match[1] + "=" + match[2] + "\n"; match[1] != "ATTESTATION_ROOTS" && !strings.Contains(read("env.example"), line) {
			t.Errorf("env.example has no line %q", strings.TrimSpace(line))
		}
	}
}

// Every profile is valid, and every file that it mounts exists.
func TestProfiles(t *testing.T) {
	s := newStack(t)
	all := s.compose(t, "--profile", "jamf", "--profile", "monitoring", "config")
	for _, match := range regexp.MustCompile(`(?m)^ +source: (/.+)$`).FindAllStringSubmatch(all, -1) {
		if _, err := os.Stat(match[1]); err != nil {
			t.Errorf("it mounts a missing file: %v", err)
		}
	}
	for _, name := range []string{"prometheus:", "grafana:", "jamf:"} {
		if !strings.Contains(all, "\n  "+name+"\n") {
			t.Errorf("the service %s is missing", name)
		}
	}
}

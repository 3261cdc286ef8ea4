//go:build compose

package compose_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestJamfProfile: what docker/.env says of Jamf Pro reaches the connector, the secret as a file that only it
// can read, and in no container's environment. There is no such server, which check says.
func TestJamfProfile(t *testing.T) {
	const secret = "a $ecret # with \" all sorts"
	s := newStack(t, "JAMF_BASE_URL=https://jamf.invalid", "JAMF_CLIENT_ID=the-client", "JAMF_CLIENT_SECRET="+secret,
		"JAMF_COMPUTER_GROUP=Disk encrypted, # 1", "WEBHOOK_MODE=any")
	s.compose(t, "--profile", "jamf", "up", "--no-deps", "--detach", "password")
	s.compose(t, "--profile", "jamf", "up", "--detach", "--wait", "step-ca")
	s.compose(t, "--profile", "jamf", "up", "setup")
	if log := s.compose(t, "--profile", "jamf", "up", "--no-deps", "jamf"); !strings.Contains(log, "the connector asks Jamf Pro") {
		t.Errorf("the service jamf says %s", log)
	}
	result := s.compose(t, "run", "--rm", "--no-deps", "--user", "65532:65532", "--entrypoint", "cat", "renewer", "/run/connector/env", "/run/connector/jamf_client_secret")
	for _, want := range []string{"PROVIDER=jamf\n", "JAMF_BASE_URL='https://jamf.invalid'\n", "JAMF_COMPUTER_GROUP='Disk encrypted, # 1'\n", secret} {
		if !strings.Contains(result, want) {
			t.Errorf("the connector's configuration has no %q", want)
		}
	}
	if s.fails(t, "run", "--rm", "--no-deps", "connector", "--env-file", "/run/connector/env", "check"); !strings.Contains(s.failed, "provider jamf: ") || strings.Contains(s.failed, secret) {
		t.Errorf("check says %s", s.failed)
	}
	for _, service := range []string{"jamf", "setup"} {
		if strings.Contains(s.run(t, "docker", "inspect", s.container(t, service)), secret) {
			t.Errorf("docker inspect of %s shows the secret", service)
		}
	}
}

// Every variable of the compose file is in env.example with its default, and the other way round.
func TestEnvExample(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", "docker", name))
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
	want := append(names(file, `\$\{([A-Z_]+)[:}-]`), "JAMF_CLIENT_SECRET")
	want = slices.DeleteFunc(want, func(name string) bool { return name == "CONNECTOR_HOST" }) // for a load balancer
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("env.example has %q, the compose file %q", got, want)
	}
	for _, match := range regexp.MustCompile(`\$\{([A-Z_]+):-([^}]+)\}`).FindAllStringSubmatch(file, -1) {
		if line := "\n#" + match[1] + "=" + match[2] + "\n"; match[1] != "CONNECTOR_HOST" && match[1] != "ATTESTATION_ROOTS" && !strings.Contains(read("env.example"), line) {
			t.Errorf("env.example has no line %q", strings.TrimSpace(line))
		}
	}
}

// With an existing CA only three variables are needed.
func TestExistingCA(t *testing.T) {
	s := newStack(t, "WEBHOOK_IDS=0d0f4a2e-6f8a-4f6c-9a57-0a4f5d3c2b1a", "CA_URL=https://ca.example.com", "CA_DNS_NAME=ca.example.com")
	s.files = []string{"docker-compose.existing-ca.yml"}
	all := s.compose(t, "config")
	for _, want := range []string{"MTLS_ALLOWED_NAMES: ca.example.com\n", "- https://ca.example.com\n", `ENABLE_MTLS: "1"`} {
		if !strings.Contains(all, want) {
			t.Errorf("its configuration has no %s", want)
		}
	}
}

// Every profile is valid, and what it mounts is there.
func TestProfiles(t *testing.T) {
	s := newStack(t)
	all := s.compose(t, "--profile", "jamf", "--profile", "monitoring", "config")
	for _, match := range regexp.MustCompile(`(?m)^ +source: (/.+)$`).FindAllStringSubmatch(all, -1) {
		if _, err := os.Stat(match[1]); err != nil {
			t.Errorf("it mounts what is not there: %v", err)
		}
	}
	for _, name := range []string{"prometheus:", "grafana:", "jamf:"} {
		if !strings.Contains(all, "\n  "+name+"\n") {
			t.Errorf("there is no service %s", name)
		}
	}
}

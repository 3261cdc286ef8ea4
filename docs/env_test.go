package docs_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/daemon"
)

// .env.example, copied as it is, lacks just what only the operator knows.
func TestEnvExample(t *testing.T) {
	t.Parallel()
	environ, err := config.Environ(nil, ".env.example", true)
	if err != nil {
		t.Fatal(err)
	}
	_, err = daemon.Load(environ)
	if err == nil {
		t.Fatal("daemon.Load accepted .env.example as it is")
	}
	var missing []string
	for line := range strings.Lines(err.Error()) {
		variable, rest, _ := strings.Cut(line, ": ")
		if !strings.HasPrefix(rest, "not set;") {
			t.Errorf("daemon.Load: %s", line)
		}
		missing = append(missing, variable)
	}
	if got, want := sorted(missing), []string{"TLS_CERT_PATH", "TLS_KEY_PATH", "WEBHOOK_IDS", "WEBHOOK_SECRETS"}; !slices.Equal(got, want) {
		t.Errorf("of .env.example are not set: %q, want %q", got, want)
	}

	// Without the # the optional lines hold too: each is the default, or an example of what is accepted.
	optional := regexp.MustCompile(`(?m)^#([A-Z_]+=)`).ReplaceAllString(read(t, ".env.example"), "$1")
	optional = regexp.MustCompile(`(?m)^(WEBHOOK_IDS|WEBHOOK_SECRETS|STATE_URL|WEBHOOK_KEY|API_KEY|DEVICE_INVENTORY_API_KEY|INVENTORY_PATH|CONSOLE_OIDC_CLIENT_SECRET|AUDIT_CHAIN_KEY)_FILE=.*\n`).ReplaceAllString(optional, "")
	optional = strings.Replace(optional, "ENABLE_MTLS=0", "ENABLE_MTLS=1", 1)                  // TLS_CRL_PATH is refused without it
	optional = strings.Replace(optional, "DOOR_ADDRESS=off", "DOOR_ADDRESS=127.0.0.1:9445", 1) // DOOR_CLIENT_CA_PATH is refused without it
	path := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(path, []byte(optional), 0o600); err != nil {
		t.Fatal(err)
	}
	if environ, err = config.Environ(nil, path, true); err != nil {
		t.Fatal(err)
	}
	_, problems := config.Load(environ.Variables)
	for _, problem := range problems {
		if !slices.Contains(missing, problem.Variable) {
			t.Errorf("with every optional line of .env.example: %v", problem)
		}
	}
}

// The env file that docs/configuration.md explains is read as it says.
func TestEnvFileOfTheDocumentation(t *testing.T) {
	t.Parallel()
	_, text, found := strings.Cut(read(t, "docs/configuration.md"), "\n## The env file\n\n```sh\n")
	text, _, closed := strings.Cut(text, "```\n")
	if !found || !closed {
		t.Fatal("docs/configuration.md has no example of an env file")
	}
	path := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	environ, err := config.Environ(nil, path, true)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"PORT": "9443", "JAMF_COMPUTER_GROUP": "Lab #2, $VIP",
		"ETC": "/etc/step-posture-connector", "TLS_CERT_PATH": "/etc/step-posture-connector/server.crt",
	}
	if !maps.Equal(environ.Variables, want) {
		t.Errorf("the example is read as %q, want %q", environ.Variables, want)
	}
}

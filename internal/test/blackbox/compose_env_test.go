package blackbox_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
)

// What docker/setup/jamf.sh writes into the connector's env file is read as it was given.
func TestComposeEnvFile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docker/setup/jamf.sh")
	if err != nil {
		t.Fatal(err)
	}
	_, loop, _ := strings.Cut(string(text), "\tfor name in ")
	loop, _, found := strings.Cut(loop, "\n\tdone\n")
	if !found {
		t.Fatal("docker/setup/jamf.sh has no loop")
	}
	for _, value := range []string{"Disk encrypted", "Lab # 2, $VIP", "Ada's Macs", `Ada's $VIP "Macs" \ more`, `"Macs"`, ""} {
		script := exec.CommandContext(t.Context(), "sh", "-c", "set -eu\nfor name in "+loop+"\ndone") //nolint:gosec // G204: it is our script
		names, _, _ := strings.Cut(loop, ";")
		for name := range strings.FieldsSeq(names) {
			script.Env = append(script.Env, name+"="+value)
		}
		written, err := script.Output()
		if err != nil {
			t.Fatalf("%q: %v", value, err)
		}
		path := filepath.Join(t.TempDir(), "env")
		if err := os.WriteFile(path, written, 0o600); err != nil { //nolint:gosec // G703: a folder of the test
			t.Fatal(err)
		}
		environ, err := config.Environ(nil, path, true)
		if err != nil || environ.Variables["JAMF_COMPUTER_GROUP"] != value || environ.Variables["JAMF_ALLOW_UNMANAGED"] != value {
			t.Errorf("%q is handed on as %q (%v)", value, environ.Variables, err)
		}
	}
}

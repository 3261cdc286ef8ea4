package blackbox_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/test/program"
)

// The connector reads the same values that docker/setup/jamf.sh has written into its env file.
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
		script := exec.CommandContext(t.Context(), "sh")
		script.Stdin = strings.NewReader("set -eu\nfor name in " + loop + "\ndone\n")
		names, _, _ := strings.Cut(loop, ";")
		for name := range strings.FieldsSeq(names) {
			script.Env = append(script.Env, name+"="+value)
		}
		written, err := script.Output()
		if err != nil {
			t.Fatalf("%q: %v", value, err)
		}
		path := filepath.Join(t.TempDir(), "env")
		program.ReplaceFile(t, path, string(written))
		environ, err := config.Environ(nil, path, true)
		if err != nil || environ.Variables["JAMF_COMPUTER_GROUP"] != value || environ.Variables["JAMF_ALLOW_UNMANAGED"] != value {
			t.Errorf("the connector reads %q as %q (%v)", value, environ.Variables, err)
		}
	}
}

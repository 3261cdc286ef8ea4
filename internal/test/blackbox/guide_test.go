package blackbox_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"step-posture-connector/internal/test/program"
)

// TestSystemdGuide runs the commands of docs/systemd.md that check the configuration and look up a device, with
// another folder in place of /etc/step-posture-connector. systemd passes the webhook's secret as a file, so env has
// no variable with it.
func TestSystemdGuide(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	folder := t.TempDir()
	env := program.WorkingEnvironment(t, p).Absolute(t).With("WEBHOOK_SECRETS", "", "AUDIT_LOG_PATH", filepath.Join(folder, "audit.jsonl"))
	var text strings.Builder
	for name, value := range env {
		_, _ = fmt.Fprintf(&text, "%s=%s\n", name, value)
	}
	for name, content := range map[string]string{"env": text.String(), "webhook_secrets": program.WebhookSecret + "\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	commands := block(t, "docs/systemd.md", "Check it, and ask about a device", "sh")
	runCommands(t, folder, nil, strings.NewReplacer("/etc/step-posture-connector", folder, "/var/lib/step-posture-connector", folder).Replace(commands), "\nok\n", "[ALLOW] C02XK1JKLVCG\n")
}

// block returns the first block of a kind in a section of a document.
func block(t *testing.T, path, heading, kind string) string {
	t.Helper()
	found := regexp.MustCompile("(?ms)^```" + kind + "\n(.*?)^```$").FindStringSubmatch(sectionOf(t, path, heading))
	if found == nil {
		t.Fatalf("%s has no block %q below %q", path, kind, heading)
	}
	return found[1]
}

// runCommands runs commands of the documentation in a folder, with the program on the PATH, and wants texts in their
// output.
func runCommands(t *testing.T, folder string, environ []string, commands string, want ...string) {
	t.Helper()
	programs := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	wrapper := "#!/bin/sh\n" + program.AsProgram + "=1 exec '" + self + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(programs, "step-posture-connector"), []byte(wrapper), 0o700); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "sh")
	c.Stdin = strings.NewReader("set -eu\n" + commands)
	c.Dir = folder
	c.Env = append([]string{"PATH=" + programs + string(os.PathListSeparator) + os.Getenv("PATH")}, environ...)
	output, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("the commands ended with %v", err)
	}
	for _, text := range want {
		if !strings.Contains(string(output), text) {
			t.Errorf("the commands did not print %q; they printed\n%s", text, output)
		}
	}
}

// The demo's first line announces the time for compiling, before it begins: the first time that takes some minutes,
// and go run prints nothing meanwhile.
func TestDemoAnnouncesCompiling(t *testing.T) {
	t.Parallel()
	programs := t.TempDir()
	if err := os.WriteFile(filepath.Join(programs, "go"), []byte("#!/bin/sh\necho compiling\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"demo", "demo-jamf", "demo-policy", "demo-people"} {
		c := exec.CommandContext(t.Context(), "make", "--no-print-directory")
		c.Args = append(c.Args, target)
		c.Env = []string{"PATH=" + programs + string(os.PathListSeparator) + os.Getenv("PATH")}
		output, err := c.CombinedOutput()
		if first, _, _ := strings.Cut(string(output), "\n"); err != nil || !strings.Contains(first, "the first time this takes some minutes") {
			t.Errorf("make %s began with %q (%v)", target, output, err)
		}
	}
}

// sectionOf returns the section of a document with a heading of the second level.
func sectionOf(t *testing.T, path, heading string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("%s has no section %q", path, heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}

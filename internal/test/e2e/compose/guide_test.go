//go:build compose

package compose_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGuide runs the commands of docs/setup.md for docker compose, literally and in order.
func TestGuide(t *testing.T) {
	s := newStack(t)
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "setup.md"))
	if err != nil {
		t.Fatal(err)
	}
	// The others are for a step-ca of one's own.
	blocks := regexp.MustCompile("(?ms)^```console\n(docker compose .*?)^```$").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 5 {
		t.Fatalf("the page has %d blocks of commands of docker compose, want 5", len(blocks))
	}
	var printed strings.Builder
	for _, block := range blocks {
		for line := range strings.Lines(block[1]) {
			// Commands run in the root of the sources; the stack has a copy of its folder docker.
			printed.WriteString(s.run(t, "sh", "-c", "cd "+filepath.Dir(s.folder)+" && "+line))
		}
	}
	for _, want := range []string{
		"-----BEGIN CERTIFICATE-----", "1 device in /inventory/devices.csv", "(healthy)",
		"[ALLOW] " + known, "\naudit log: /audit/audit.jsonl\n", "\nok\n",
	} {
		if !strings.Contains(printed.String(), want) {
			t.Errorf("the commands have not printed %q but\n%s", want, printed.String())
		}
	}
	s.up(t)
	s.decides(t)

	// The commands about the audit log are those of docs/logging.md.
	page, err = os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "logging.md"))
	if err != nil {
		t.Fatal(err)
	}
	audit := func() string {
		return s.compose(t, "run", "--rm", "--no-deps", "-T", "--entrypoint", "cat", "setup", "/audit/audit.jsonl")
	}
	if text := audit(); !strings.Contains(text, known) {
		t.Errorf("after an order the audit log has\n%s", text)
	}
	rotate := regexp.MustCompile("(?ms)^```console\n(docker compose .*?)^```$").FindStringSubmatch(string(page))
	if rotate == nil {
		t.Fatal("docs/logging.md does not say how to rotate the audit log of docker compose")
	}
	s.run(t, "sh", "-c", "cd "+filepath.Dir(s.folder)+" && set -e\n"+rotate[1])
	s.eventually(t, "the audit log is a new file", func() bool {
		return strings.Contains(s.compose(t, "logs", "connector"), "audit log /audit/audit.jsonl")
	})
	s.wantRefused(t, "after the rotation", unknown, 401, "deviceNotFound")
	if text := audit(); strings.Contains(text, known) || !strings.Contains(text, unknown) {
		t.Errorf("after the rotation the audit log has\n%s", text)
	}
}

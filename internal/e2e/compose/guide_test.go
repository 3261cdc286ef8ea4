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
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "setup.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```console\n(.*?)^```$").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 3 {
		t.Fatalf("the page has %d blocks of commands, want 3", len(blocks))
	}
	var printed strings.Builder
	for _, block := range blocks {
		for line := range strings.Lines(block[1]) {
			// From the top of the sources, of which the stack has the folder docker.
			printed.WriteString(s.run(t, "sh", "-c", "cd "+filepath.Dir(s.folder)+" && "+line))
		}
	}
	for _, want := range []string{"-----BEGIN CERTIFICATE-----", "1 device in /inventory/devices.csv", "(healthy)"} {
		if !strings.Contains(printed.String(), want) {
			t.Errorf("the commands have not printed %q but\n%s", want, printed.String())
		}
	}
	s.up(t)
	s.decides(t)
}

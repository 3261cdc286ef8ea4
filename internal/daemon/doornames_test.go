package daemon_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/daemon"
)

// TestVariablesOfDoors: a variable of earlier drafts is no silent setting. The key that takes its place is named, in the words of the
// table in the documents.
func TestVariablesOfDoors(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "doors", "variables.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| ([^|:;,]+)").FindAllStringSubmatch(string(page), -1)
	if len(rows) != 13 {
		t.Fatalf("docs/doors/variables.md has %d variables, want 13", len(rows))
	}
	for _, row := range rows {
		name, key := row[1], strings.TrimSpace(strings.ReplaceAll(row[2], "`", ""))
		file := filepath.Join(t.TempDir(), "env")
		if err := os.WriteFile(file, []byte(name+"=x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		e, err := config.Environ(nil, file, true)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(e.Warnings(daemon.Vocabulary()), "; "); !strings.Contains(got, name+" is not a variable of the connector and is ignored; did you mean "+key) {
			t.Errorf("%s: the warning is %q, want one with %q", name, got, key)
		}
	}
}

package docs_test

import (
	"os"
	"strings"
	"testing"
)

// The table of troubleshooting quotes what the connector says of the state database.
func TestStateFaults(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("internal/store/fault.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| it says | what to do |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	for _, row := range strings.Split(table, "\n") {
		said, _, found := strings.Cut(strings.TrimPrefix(row, "| "), " |")
		for _, part := range strings.Split(said, "; ") {
			if !found || !strings.Contains(string(source), `"`+part) {
				t.Errorf("the connector does not say %q of the state database", part)
			}
		}
	}
}

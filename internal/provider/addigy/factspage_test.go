package addigy_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/addigy"
)

// TestPageHasAllFacts: the page says of each fact where it comes from, or that it is never known, as the code does; and it
// names every field that is asked for.
func TestPageHasAllFacts(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/providers/addigy.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	var fields []string
	for _, m := range regexp.MustCompile("(?m)^\\| `((?:device|user)\\.[a-z_]+)` \\| (.+) \\|$").FindAllStringSubmatch(string(text), -1) {
		rows[m[1]] = m[2]
		for _, field := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(m[2], -1) {
			fields = append(fields, field[1])
		}
	}
	known := addigy.Config{}.Facts()
	for _, d := range posture.Vocabulary() {
		row, has := rows[d.Name]
		if !has || (row == "never known") == known.Has(d.Set()) {
			t.Errorf("the page says of %s: %q; the code gives it: %v", d.Name, row, known.Has(d.Set()))
		}
		delete(rows, d.Name)
	}
	for name := range rows {
		t.Errorf("the page has %s, which is no fact", name)
	}
	for _, field := range addigy.Identifiers() {
		if !slices.Contains(fields, field) {
			t.Errorf("the page does not say what %s is for", field)
		}
	}
}

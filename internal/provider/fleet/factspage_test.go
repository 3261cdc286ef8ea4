package fleet_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/fleet"
	"step-posture-connector/internal/provider/fleet/fleettest"
)

// TestPage: the page says of each fact where it comes from, knows no others, and which of them need a second request.
func TestPage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/providers/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `((?:device|user)\\.[a-z_]+)` \\| ([^|]+) \\| ([^|]*)\\|$").FindAllStringSubmatch(string(text), -1) {
		rows[m[1]] = m[2:]
	}
	server := started(t, fleettest.Options{})
	gives, facts := opened(t, configured(server, fleet.Config{})).ListGives(), fleet.Config{}.Facts()
	for _, d := range posture.Vocabulary() {
		row := rows[d.Name]
		if row == nil {
			t.Errorf("the page does not say where %s comes from", d.Name)
			continue
		}
		if never := strings.TrimSpace(row[0]) == "never known"; never == facts.Has(d.Set()) {
			t.Errorf("%s: the page says that it is never known: %v, Facts has it: %v", d.Name, never, facts.Has(d.Set()))
		}
		if second := strings.TrimSpace(row[1]) == "yes"; second == gives.Has(d.Set()) {
			t.Errorf("%s: the page says that it needs a second request: %v, lists give it: %v", d.Name, second, gives.Has(d.Set()))
		}
		delete(rows, d.Name)
	}
	for name := range rows {
		t.Errorf("the page has %s, which is no fact", name)
	}
}

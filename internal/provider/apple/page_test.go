package apple_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/apple"
	"step-posture-connector/internal/provider/apple/appletest"
)

// page is the provider's page.
func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/providers/apple_business.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestPageHasAllFacts: the page says of each fact where it comes from, or that it is never known, and knows no others.
func TestPageHasAllFacts(t *testing.T) {
	t.Parallel()
	never := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `((?:device|user)\\.[a-z_]+)` \\| (.+) \\|$").FindAllStringSubmatch(page(t), -1) {
		never[row[1]] = row[2] == "never known"
	}
	for _, d := range posture.Vocabulary() {
		is, listed := never[d.Name]
		if can := (apple.Config{}).Facts().Has(d.Set()); !listed || is == can {
			t.Errorf("the page has %s: %v, as never known: %v; the code can give it: %v", d.Name, listed, is, can)
		}
		delete(never, d.Name)
	}
	for name := range never {
		t.Errorf("the page has %s, which is no fact", name)
	}
}

// TestPageHasAllAttributes: the page names each attribute with the field that it comes from, and no others.
func TestPageHasAllAttributes(t *testing.T) {
	t.Parallel()
	listed := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| `([A-Za-z]+)`( of the server)? \\| .*\\|$").FindAllStringSubmatch(page(t), -1) {
		listed[row[1]] = row[2] + row[3]
	}
	whole := mac(macSerial)
	whole.MigrationStatus = "SUCCESS"
	server := started(t, appletest.Options{Devices: []appletest.Device{whole}})
	d := finds(t, opened(t, configOf(server)), macSerial, attributes())
	all, _ := d.Facts.Attributes.Get()
	for name := range all {
		field, has := listed[name]
		if !has {
			t.Errorf("the page lacks the attribute %s", name)
			continue
		}
		// Without the field, the attribute is missing.
		less := whole
		if field, ofServer := strings.CutSuffix(field, " of the server"); ofServer || strings.HasPrefix(field, "server") {
			less.ServerAttributes = map[string]any{field: nil}
		} else {
			less.Attributes = map[string]any{field: nil}
		}
		if name == "mdm_server_id" {
			continue // it is beside the attributes
		}
		server.Replace(less)
		d := finds(t, opened(t, configOf(server)), macSerial, attributes())
		if got, _ := d.Facts.Attributes.Get(); got[name] != "" || len(got) != len(all)-1 {
			t.Errorf("without the field %s, the attributes are %v, want all but %s", field, got, name)
		}
	}
	if len(listed) != len(all) {
		t.Errorf("the page has the attributes %v, the code gives %v", listed, all)
	}
}

package jamf_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
)

// origin is what the page says about a fact of one type of device: its fields in Jamf's answer, by their paths, and the
// sections of the Pro API that it needs.
type origin struct {
	fields, sections []string
	never            bool // it is never known
}

// page is the tables of the provider's page: by API, type of device and name of the fact.
type page map[string]map[posture.DeviceType]map[string]origin

// readPage reads the tables of facts of the provider's page.
func readPage(t *testing.T) page {
	t.Helper()
	text, err := os.ReadFile("../../../docs/providers/jamf.md")
	if err != nil {
		t.Fatal(err)
	}
	read := page{}
	for _, api := range []string{"pro", "classic"} {
		read[api] = map[posture.DeviceType]map[string]origin{posture.Computer: {}, posture.MobileDevice: {}}
	}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " |")
		name := strings.Trim(cells[0], " `")
		if !regexp.MustCompile(`^(device|user)\.[a-z_]+$`).MatchString(name) {
			continue
		}
		switch len(cells) {
		case 5:
			read["pro"][posture.Computer][name] = originOf(cells[1], cells[2])
			read["pro"][posture.MobileDevice][name] = originOf(cells[3], cells[4])
		case 3:
			read["classic"][posture.Computer][name] = originOf(cells[1], "")
			read["classic"][posture.MobileDevice][name] = originOf(cells[2], "")
		default:
			t.Errorf("%q has %d cells", line, len(cells))
		}
	}
	return read
}

func originOf(fields, sections string) origin {
	o := origin{never: strings.TrimSpace(fields) == "never known"}
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(fields, -1) {
		if !slices.Contains([]string{"computer", "mobiledevice", "boot", "filevault_status", "filevault2_status"}, m[1]) {
			o.fields = append(o.fields, m[1])
		}
	}
	for _, m := range regexp.MustCompile("`([A-Z_]+)`").FindAllStringSubmatch(sections, -1) {
		o.sections = append(o.sections, m[1])
	}
	return o
}

// TestPageHasAllFacts: the page says of each fact where it comes from, and knows no others.
func TestPageHasAllFacts(t *testing.T) {
	t.Parallel()
	for api, types := range readPage(t) {
		for of, facts := range types {
			for _, d := range posture.Vocabulary() {
				o, listed := facts[d.Name]
				if !listed || !o.never && len(o.fields) == 0 && d.Name != "device.type" {
					t.Errorf("%s, %s: the page does not say where %s comes from", api, of, d.Name)
				}
				delete(facts, d.Name)
			}
			for name := range facts {
				t.Errorf("%s, %s: the page has %s, which is no fact", api, of, name)
			}
		}
	}
}

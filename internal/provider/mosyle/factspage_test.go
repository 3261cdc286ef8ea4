package mosyle_test

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/mosyle"
	"step-posture-connector/internal/provider/mosyle/mosyletest"
)

// readPage reads the table of facts of the provider's page: the fields of each.
func readPage(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/providers/mosyle.md")
	if err != nil {
		t.Fatal(err)
	}
	read := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `((?:device|user)\\.[a-z_]+)` \\| (.*) \\|$").FindAllStringSubmatch(string(text), -1) {
		read[row[1]] = []string{}
		ofAll, _, _ := strings.Cut(row[2], ", and for `ios`") // see TestKinds for the rest
		for _, field := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(ofAll, -1) {
			read[row[1]] = append(read[row[1]], field[1])
		}
		if (row[2] == "never known") != (len(read[row[1]]) == 0) {
			t.Errorf("the page does not say where %s comes from", row[1])
		}
	}
	return read
}

// TestPage: the page has every fact, and a fact changes with the fields that the page names, and with no others.
func TestPage(t *testing.T) {
	t.Parallel()
	page := readPage(t)
	changed := map[string]any{
		"serial_number": strings.ToLower(macSerial), "deviceudid": "other", "device_name": "other", "device_model_name": "other", "os": "other",
		"osversion": "1.2", "status": "other", "is_deleted": "1", "is_supervised": "0", "date_last_beat": "1785313000", "date_enroll": "1738570000", "tags": "other",
		"CustomDeviceAttributes": "[]", "userid": "other", "username": "other", "useremail": "other",
	}
	server := started(t, mosyletest.Options{Devices: []mosyletest.Device{full()}})
	provider := opened(t, configOf(server, mosyletest.Business))
	facts := func(d mosyletest.Device) map[string]any {
		server.Replace(d)
		device, err := lookup(t, provider, macSerial, posture.Computer)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]any{}
		for _, d := range posture.Vocabulary() {
			if value, known := d.Get(&device); known {
				all[d.Name] = value
			}
		}
		return all
	}
	before := facts(full())
	for field, value := range changed {
		d := full()
		d.Raw = map[string]any{field: value}
		after := facts(d)
		for _, of := range posture.Vocabulary() {
			if differs := !reflect.DeepEqual(before[of.Name], after[of.Name]); differs != slices.Contains(page[of.Name], field) {
				t.Errorf("with another %s, whether %s differs is %v, and the page says %v", field, of.Name, differs, page[of.Name])
			}
		}
	}
	can := mosyle.Config{}.Facts()
	for _, d := range posture.Vocabulary() {
		fields, listed := page[d.Name]
		if !listed || can.Has(d.Set()) != (len(fields) > 0) {
			t.Errorf("the page says that %s is from %q (listed: %v), and whether it can be known is %v", d.Name, fields, listed, can.Has(d.Set()))
		}
		delete(page, d.Name)
	}
	if len(page) > 0 {
		t.Errorf("the page has facts that do not exist: %v", slices.Sorted(maps.Keys(page)))
	}
}

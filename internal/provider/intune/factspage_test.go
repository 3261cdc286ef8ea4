package intune_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/intune"
	"step-posture-connector/internal/provider/intune/intunetest"
)

// TestPageHasAllFacts: the page says of each fact which field it comes from, and a record without the field does not have the fact.
func TestPageHasAllFacts(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/providers/intune.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n## 6. Facts for policies\n")
	table, _, _ = strings.Cut(table, "\n## ")
	var asked, listed []string
	for _, row := range regexp.MustCompile("(?m)^\\| `((?:device|user)\\.[a-z_]+)` \\| (.*) \\|$").FindAllStringSubmatch(table, -1) {
		name := row[1]
		listed = append(listed, name)
		fields := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[2], -1)
		if len(fields) == 0 {
			t.Errorf("%s: the page names no field", name)
			continue
		}
		if name == "device.attributes" {
			for _, field := range fields {
				asked = append(asked, field[1])
				withoutFieldLacksAttribute(t, field[1])
			}
			continue
		}
		field := fields[0][1]
		switch name {
		case "device.groups":
			field = "azureADDeviceId"
		case "user.position", "user.department":
			field = "userId"
		}
		asked = append(asked, field)
		if field == "serialNumber" || name == "device.groups" || field == "userId" {
			continue // without it, a lookup fails
		}
		if _, known := factsWithout(t, field)[name]; known {
			t.Errorf("%s is known of a record without %s", name, field)
		}
	}
	for _, d := range posture.Vocabulary() {
		if !slices.Contains(listed, d.Name) {
			t.Errorf("the page does not say where %s comes from", d.Name)
		}
	}
	slices.Sort(asked)
	want := intune.Properties()
	slices.Sort(want)
	if got := slices.Compact(asked); !slices.Equal(got, want) {
		t.Errorf("the page has the fields %q, and $select names %q", got, want)
	}
}

func factsWithout(t *testing.T, field string) map[string]any {
	t.Helper()
	device := mac(serial)
	device.Fields = map[string]any{"manufacturer": "Apple"}
	device.Without = []string{field}
	server := started(t, intunetest.Options{Devices: []intunetest.Device{device}})
	p := withoutPolicy(t, configOf(server)) // asks for no groups and no user
	d, err := lookup(t, p, query(t, serial, posture.AllFacts()))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]any{}
	for _, definition := range posture.Vocabulary() {
		if value, is := definition.Get(&d); is {
			known[definition.Name] = value
		}
	}
	return known
}

func withoutFieldLacksAttribute(t *testing.T, field string) {
	t.Helper()
	with, _ := factsWithout(t, "nothing")["device.attributes"].(map[string]string)
	without, _ := factsWithout(t, field)["device.attributes"].(map[string]string)
	if with[field] == "" || without[field] != "" {
		t.Errorf("the attribute %s is %q, and %q without the field", field, with[field], without[field])
	}
}

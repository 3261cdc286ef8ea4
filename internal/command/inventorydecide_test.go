package command_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
)

// everyFact is a policy that reads each fact, and returns some.
const everyFact = `inventories:
  devices: {provider: file, path: %q, type: %s}
policies:
  staff:
    inventories: [devices]
    allow_unmanaged: true
    rules:
      - {name: identifier, require: 'device.identifier != "C02NONE"'}
      - {name: serial, require: 'device.serial_number != "=x"'}
      - {name: udid, require: 'device.udid.startsWith("00")'}
      - {name: name, require: 'device.name == "-mac,\n\"ada\""'}
      - {name: model, require: 'device.model == "MacBook Air"'}
      - {name: type, require: 'device.type == "computer"'}
      - {name: os, require: 'device.os == "macOS"'}
      - {name: version, require: 'device.os_version.atLeast("15.4")'}
      - {name: managed, require: device.managed}
      - {name: supervised, require: device.supervised}
      - {name: compliant, require: device.compliant}
      - {name: encrypted, require: device.encrypted}
      - {name: ownership, require: 'device.ownership == "organization"'}
      - {name: seen, require: 'device.last_seen > timestamp("2026-01-01T00:00:00Z")'}
      - {name: enrolled, require: 'device.enrolled_at < timestamp("2026-01-01T00:00:00Z")'}
      - {name: groups, require: '"a;b" in device.groups || "Staff" in device.groups'}
      - {name: attributes, require: 'device.attributes["asset"] != "=A-1"'}
      - {name: username, require: 'user.username == "ada"'}
      - {name: realname, require: 'user.realname == "Ada Lovelace"'}
      - {name: mail, require: 'user.email_address.endsWith("@example.com")'}
      - {name: position, require: 'user.position != " x "'}
      - {name: department, require: 'user.department != "''x"'}
    data: {department: user.department, groups: device.groups, asset: 'device.attributes["asset"]'}
webhooks:
  - {name: devices, id: 3f0c6c1e-1f6e-4a52-9d33-0d6a3c5a7f01, secret: {env: NOT_SET}, policy: staff}
`

// examples has two values of each fact: one with which the rule is met, and one with which it is not.
func examples() map[string][2]any {
	return map[string][2]any{
		"device.serial_number": {"C02", "=x"},
		"device.udid":          {"00008110-001C", "+1"},
		"device.name":          {"-mac,\n\"ada\"", `"mac"`},
		"device.model":         {"MacBook Air", "\tMac"},
		"device.type":          {"computer", "mobiledevice"},
		"device.os":            {"macOS", "iOS"},
		"device.os_version":    {"15.4.1", "14.7"},
		"device.managed":       {true, false},
		"device.supervised":    {true, false},
		"device.compliant":     {true, false},
		"device.encrypted":     {true, false},
		"device.ownership":     {"organization", "personal"},
		"device.last_seen":     {"2026-11-01T10:00:00.9+02:00", "2025-03-01T08:30:00Z"},
		"device.enrolled_at":   {"2025-03-01T08:30:00Z", "2026-02-01T08:30:00Z"},
		"device.groups":        {[]string{"a;b", "=x"}, []string{}},
		"device.attributes":    {map[string]string{"asset": "A-1", "b;": "\n"}, map[string]string{"asset": "=A-1"}},
		"user.username":        {"ada", "@ada"},
		"user.realname":        {"Ada Lovelace", "'Ada'"},
		"user.email_address":   {"ada@example.com", "ada@example.org"},
		"user.position":        {"Mathematician", " x "},
		"user.department":      {"Engineering", "'x"},
	}
}

// everyDevice has one device that meets all rules, and for each fact one that differs in it, and one without it.
func everyDevice(t *testing.T) (inventory string, identifiers []string) {
	t.Helper()
	type record struct {
		Identifier string                    `json:"identifier"`
		Facts      map[string]map[string]any `json:"facts"`
	}
	var all []record
	add := func(identifier, fact string, value any) {
		r := record{identifier, map[string]map[string]any{"device": {}, "user": {}}}
		for name, values := range examples() {
			about, member, _ := strings.Cut(name, ".")
			r.Facts[about][member] = values[0]
			if name == fact {
				r.Facts[about][member] = value
			}
		}
		all, identifiers = append(all, r), append(identifiers, identifier)
	}
	add("=C02ALL", "", nil)
	for n, d := range posture.Vocabulary()[1:] {
		values, ok := examples()[d.Name]
		if !ok {
			t.Errorf("%s has no example", d.Name)
		}
		if !strings.Contains(everyFact, d.Name) {
			t.Errorf("no rule reads %s", d.Name)
		}
		add(fmt.Sprintf("C02UNMET%d", n), d.Name, values[1])
		add(fmt.Sprintf("'C02UNKNOWN%d", n), d.Name, nil)
	}
	text, err := json.Marshal(map[string]any{"devices": all})
	if err != nil {
		t.Fatal(err)
	}
	return string(text), identifiers
}

// A policy that reads every fact decides about an export as about the inventory: the decision, what each rule says and has
// read, and the data, for devices that meet a rule, do not meet it, or may meet it.
func TestExportDecides(t *testing.T) {
	t.Parallel()
	content, identifiers := everyDevice(t)
	folder := t.TempDir()
	original := filepath.Join(folder, "devices.json")
	list := filepath.Join(folder, "identifiers")
	if err := os.WriteFile(original, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, []byte(strings.Join(identifiers, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := func(path, format string) []string {
		return []string{"POLICY_PATH=" + file(t, "posture.yaml", fmt.Sprintf(everyFact, path, format))}
	}
	decide := func(path, format, mode string) string {
		_, stdout, stderr := run(t, environ(path, format), "lookup", "--from", list, "--json", "--mode", mode)
		if strings.Count(stdout, "\n") != len(identifiers) || stderr != "" {
			t.Fatalf("%s: %s%s", path, stdout, stderr)
		}
		return stdout
	}
	for _, format := range []string{"csv", "json"} {
		exported := filepath.Join(folder, "exported."+format)
		if code, _, stderr := run(t, environ(original, "json"), "inventory", "export", "devices", "--output", exported); code != 0 {
			t.Fatal(stderr)
		}
		for _, mode := range []string{"any", "computer", "mobiledevice"} {
			got, want := decide(exported, format, mode), decide(original, "json", mode)
			if allowed := strings.Count(want, `"decision":"allow"`); mode != "mobiledevice" && (allowed < 1 || allowed > len(identifiers)/2) {
				t.Errorf("%d devices of %d are allowed", allowed, len(identifiers))
			}
			wants := strings.Split(want, "\n")
			for n, line := range strings.Split(got, "\n") {
				if decided(t, line) != decided(t, wants[n]) {
					t.Errorf("%s, %s:\n%s\nwant\n%s", format, mode, line, wants[n])
				}
			}
		}
	}
}

// decided is what lookup says of a device without the warnings about the file. An export has whole seconds.
func decided(t *testing.T, line string) string {
	t.Helper()
	if line == "" {
		return ""
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(line), &members); err != nil {
		t.Fatal(err)
	}
	delete(members, "warnings")
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "00.9Z", "00Z")
}

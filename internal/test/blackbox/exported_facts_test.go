package blackbox_test

import (
	"fmt"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
)

// factExample is a rule about a fact, a value with which it is met, and one with which it is not.
type factExample struct {
	rule       string
	met, unmet any
}

// factExamples has every fact. Values are those that break a table: what spreadsheets take for a formula, quotation marks,
// separators, blanks at the ends. A rule about what Jamf Pro does not know is met where the fact is unknown.
func factExamples() map[string]factExample {
	return map[string]factExample{
		"device.identifier":    {`device.identifier != "C02NONE"`, nil, nil}, // each device has another one
		"device.serial_number": {`device.serial_number.startsWith("C02")`, "C02SERIAL", "=C02"},
		"device.udid":          {`device.udid.startsWith("0000")`, "00008110-001C", "+1"},
		"device.name":          {`device.name == "-mac, \"ada\""`, `-mac, "ada"`, `"mac"; =1+1`},
		"device.model":         {`device.model.startsWith("MacBook Air")`, "MacBook Air (13-inch, M3, 2024)", "@Mac"},
		"device.type":          {`device.type == "computer"`, "computer", "mobiledevice"},
		"device.os":            {`device.os == "macOS"`, "macOS", "iOS"},
		"device.os_version":    {`device.os_version.atLeast("15.4")`, "15.4.1", "14.7"},
		"device.managed":       {`device.managed`, true, false},
		"device.supervised":    {`device.supervised`, true, false},
		"device.compliant":     {`!has(device.compliant) || device.compliant`, true, false},
		"device.encrypted":     {`device.encrypted`, true, false},
		"device.ownership":     {`!has(device.ownership) || device.ownership == "organization"`, "organization", "personal"},
		"device.last_seen":     {`device.last_seen > timestamp("2026-01-01T00:00:00Z")`, "2026-11-01T10:00:00+02:00", "2025-03-01T08:30:00Z"},
		"device.enrolled_at":   {`device.enrolled_at < timestamp("2026-01-01T00:00:00Z")`, "2025-03-01T08:30:00Z", "2026-02-01T08:30:00Z"},
		"device.groups":        {`"a;b" in device.groups && !("Loan" in device.groups)`, []string{"a;b", "=x", "Staff, Berlin"}, []string{"Loan"}},
		"device.attributes":    {`device.attributes["asset"] != "=A-1"`, map[string]string{"asset": "A-1", "other": "-1;\"x\""}, map[string]string{"asset": "=A-1"}},
		"user.username":        {`user.username == "ada"`, "ada", "@ada"},
		"user.realname":        {`user.realname == "Ada Lovelace"`, "Ada Lovelace", "'Ada'"},
		"user.email_address":   {`user.email_address.endsWith("@example.com")`, "ada@example.com", "ada@example.org"},
		"user.position":        {`user.position != "=boss"`, "Mathematician", "=boss"},
		"user.department":      {`user.department != "-x"`, `F&E "Büro"`, "-x"},
	}
}

// everyFact is a policy file with one rule about each fact, and data of some. The inventory is a YAML mapping.
func everyFact(t *testing.T, inventory string) string {
	t.Helper()
	examples := factExamples()
	var text strings.Builder
	text.WriteString("inventories:\n  devices: " + inventory + "\npolicies:\n  staff:\n    inventories: [devices]\n    allow_unmanaged: true\n    rules:\n")
	for _, d := range posture.Vocabulary() {
		example, ok := examples[d.Name]
		if !ok || !strings.Contains(example.rule, d.Name) {
			t.Fatalf("no rule reads %s", d.Name)
		}
		fmt.Fprintf(&text, "      - {name: %s, require: '%s'}\n", strings.ReplaceAll(d.Name, ".", "_"), example.rule)
	}
	text.WriteString(`    data: {department: user.department, groups: device.groups, asset: 'device.attributes["asset"]'}
webhooks:
  - {name: devices, id: 3f0c6c1e-1f6e-4a52-9d33-0d6a3c5a7f01, secret: {env: NOT_SET}, policy: staff}
`)
	return text.String()
}

// factRecord is a device: its facts by their names. A fact that is missing is unknown.
type factRecord struct {
	identifier string
	facts      map[string]any
}

func (r factRecord) text(name string) string {
	text, _ := r.facts[name].(string)
	return text
}

// everyRecord has one device that meets all rules, and for each fact one that differs in it, and one without it.
func everyRecord() []factRecord {
	examples := factExamples()
	record := func(identifier, fact string, value any) factRecord {
		r := factRecord{identifier, map[string]any{}}
		for name, example := range examples {
			if example.met != nil {
				r.facts[name] = example.met
			}
		}
		if delete(r.facts, fact); value != nil {
			r.facts[fact] = value
		}
		return r
	}
	all := []factRecord{record("C02ALL000000", "", nil)}
	for n, d := range posture.Vocabulary()[1:] {
		all = append(all, record(fmt.Sprintf("C02UNMET%04d", n), d.Name, examples[d.Name].unmet), record(fmt.Sprintf("C02UNKNWN%03d", n), d.Name, nil))
	}
	return all
}

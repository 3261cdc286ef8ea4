package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
)

// section is the shape of a document with policies.
func section() *document.Shape {
	return document.MapOf(document.Required("policies", policy.Shape(nil, true)))
}

// read reads a policies section.
func read(t *testing.T, content string) (map[string]*policy.Policy, document.Faults) {
	t.Helper()
	d, root, err := document.Parse("p.yaml", []byte(content), section())
	if err != nil {
		t.Fatalf("%s: %v", content, err)
	}
	r := policy.Reader{Inventories: []string{"jamf", "owned", "phones"}, DefaultInventory: "jamf", Codes: []posture.Code{"deviceNotFound", "deviceNotCompliant"}}
	return r.Read(root.Mapping().Get("policies")), d.Faults()
}

const staff = `policies:
  staff:
    inventories: [jamf, phones]
    also_in: [owned]
    rules:
      - name: seen
        require: device.last_seen > now - days(7)
        code: deviceNotSeen
        message: Connect this device to the internet and try again.
      - name: os
        require: |
          device.os == "macOS"
            && device.os_version.atLeast("15.4")
        enforce: false
      - name: later
        require: device.encrypted
        enforce: 2026-02-01
      - {name: phones_only, require: device.supervised, when: inventory == "phones"}
    data:
      vlan: '"Finance" in device.groups ? "30" : "10"'
      email: {value: user.email_address, required: true}
    tests:
      - name: an old Mac passes for now
        device: {os: macOS, os_version: "14.7", last_seen: 1h ago, groups: [Finance], encrypted: false}
        user: {email_address: a@example.com}
        records: {owned: {}}
        allow: true
        would_deny: [os, later]
        data: {vlan: "30", email: a@example.com}
      - name: later is enforced from February on
        now: 2026-02-01T00:00:00Z
        device: {os: macOS, os_version: "15.4", last_seen: 1h ago, encrypted: false}
        user: {email_address: a@example.com}
        records: {owned: {}}
        allow: false
        code: deviceNotCompliant
        unmet: [later]
      - name: not seen for long
        device: {last_seen: 8d ago, encrypted: true}
        user: {email_address: a@example.com}
        records: {owned: {device: {managed: false}}}
        code: deviceNotManaged
        unmet: [seen]
        unknown: [os]
      - name: not in the list of purchases
        device: {last_seen: 1h ago}
        code: deviceNotFound
      - name: no address
        device: {last_seen: 1h ago, encrypted: true}
        records: {owned: {}}
        allow: false
        code: deviceNotCompliant
        unmet: []
        data: {}
      - name: a phone must be supervised
        inventory: phones
        device: {last_seen: 1h ago, encrypted: true}
        records: {owned: {}, jamf: {}}
        unmet: [phones_only]
        unknown: [phones_only, os]
`

func TestPolicy(t *testing.T) {
	t.Parallel()
	policies, faults := read(t, staff)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	p := policies["staff"]
	for _, test := range p.Tests {
		if differences := test.Run(p); len(differences) > 0 {
			t.Errorf("%s: %s", test.Name, strings.Join(differences, "; "))
		}
	}
	// Turned round, each expectation fails.
	for _, c := range []struct{ from, to, want string }{
		{"allow: true\n        would_deny", "allow: false\n        would_deny", "allow is true, want false"},
		{"would_deny: [os, later]", "would_deny: [os]", "would_deny is [os later], want [os]"},
		{`vlan: "30"`, `vlan: "31"`, `data is {"email":"a@example.com","vlan":"30"}, want {"email":"a@example.com","vlan":"31"}`},
		{"code: deviceNotFound", "code: deviceNotSeen", "code is deviceNotFound, want deviceNotSeen"},
		{"unknown: [os]\n", "unknown: []\n", "unknown is [os], want []"},
		{"unmet: [later]", "unmet: []", "unmet is [later], want []"},
	} {
		policies, faults := read(t, strings.Replace(staff, c.from, c.to, 1))
		if len(faults) > 0 {
			t.Fatalf("%s: %v", c.to, faults)
		}
		var all []string
		for _, test := range policies["staff"].Tests {
			all = append(all, test.Run(policies["staff"])...)
		}
		if !strings.Contains(strings.Join(all, "\n"), c.want) {
			t.Errorf("%s: %q, want %q", c.to, all, c.want)
		}
	}
}

// A time that cannot be true is unknown in a test, as it is where an inventory sends it.
func TestImpossibleTimesOfTestsAreUnknown(t *testing.T) {
	t.Parallel()
	for at, unknown := range map[string]string{"in 23h": "[]", "in 25h": "[r]", "1989-12-31T00:00:00Z": "[r]", "1990-01-01T00:00:00Z": "[]"} {
		policies, faults := read(t, "policies:\n  default:\n    rules:\n      - {name: r, require: device.last_seen > now - days(7)}\n    tests:\n      - {name: t, device: {last_seen: "+at+"}, unknown: "+unknown+"}\n")
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		if differences := policies["default"].Tests[0].Run(policies["default"]); len(differences) > 0 {
			t.Errorf("%s: %q", at, differences)
		}
	}
}

// Each mistake is reported at its place.
func TestPolicyMistakes(t *testing.T) {
	t.Parallel()
	rule := func(text string) string {
		return "policies:\n  default:\n    rules:\n      - name: r\n" + text
	}
	for _, c := range []struct{ content, want string }{
		{"policies:\n  staff: {}\n", `p.yaml:2:10: policies.staff.inventories: it is missing; accepted: a list of jamf, owned, phones`},
		{"policies:\n  Staff: {}\n", `2:3: policies.Staff: it is not accepted; accepted: a to z, 0 to 9 and _, at most 32, the first one a letter`},
		{"policies:\n  default: {inventory: [jamf]}\n", `2:13: policies.default.inventory: unknown key; did you mean inventories?`},
		{"policies:\n  default: {inventories: []}\n", `the list is empty`},
		{"policies:\n  default: {inventories: jamf}\n", `policies.default.inventories: it is text; accepted: a list`},
		{"policies:\n  default: {inventories: [jam]}\n", `2:27: policies.default.inventories[0]: unknown inventory; did you mean jamf?; accepted: jamf, owned, phones`},
		{"policies:\n  default: {inventories: [jamf, jamf]}\n", `inventories[1]: jamf is in the list already`},
		{"policies:\n  default: {also_in: [jamf]}\n", `also_in[0]: jamf is in inventories too`},
		{"policies:\n  default: {mode: phone}\n", `policies.default.mode: unknown mode; accepted: any, computer, mobiledevice`},
		{"policies:\n  default: {report_only: yes}\n", `report_only: it is neither true nor false`},
		{"policies:\n  default: {rules: {}}\n", `rules: it is a mapping; accepted: a list`},
		{"policies:\n  default: {rules: [a]}\n", `rules[0]: it is text; accepted: a mapping`},
		{"policies:\n  default:\n    rules:\n      - require: device.managed\n", `4:9: policies.default.rules[0].name: it is missing`},
		{rule(""), `4:9: policies.default.rules[0].require: it is missing`},
		{rule("        require: device.managd\n"), `5:25: policies.default.rules[0].require: unknown name in device "managd"; did you mean managed?`},
		{rule("        require: 'device.os == \"mac\"'\n"), `5:32: policies.default.rules[0].require: device.os is never "mac"`},
		{rule("        require: |\n          device.managed &&\n          device.os_version.atLeast(\"x\")\n"), `7:37: policies.default.rules[0].require: "x" is not a version`},
		{rule("        require: device.name\n"), `5:18: policies.default.rules[0].require: the result is text`},
		{rule("        require: records.owned.found\n"), `unknown name in records "owned"; accepted: jamf`},
		{rule("        require: true\n"), `require: it is true or false; accepted: an expression, such as device.managed; put it in quotation marks`},
		{rule("        require: !device.managed\n"), `it begins with a tag`},
		{rule("        require: device.managed\n        code: a-b\n"), `6:15: policies.default.rules[0].code: it is not accepted; accepted: letters and digits`},
		{rule("        require: device.managed\n        code: deviceNotFound\n"), `deviceNotFound is a code of the connector`},
		{rule("        require: device.managed\n        message: ''\n"), `message: it is empty; accepted: 1 to 300 characters in one line`},
		{rule("        require: device.managed\n        message: " + strings.Repeat("a", 301) + "\n"), `it has 301 characters`},
		{rule("        require: device.managed\n        message: \"a\\nb\"\n"), `the message has a control character or a line break`},
		{rule("        require: device.managed\n        enforce: no\n"), `enforce: it is neither true nor false; accepted: true, false, or the day`},
		{rule("        require: device.managed\n        enforce: 2026-13-01\n"), `enforce: it is neither`},
		{rule("        require: device.managed\n        when: device.x\n"), `6:22: policies.default.rules[0].when: unknown name in device "x"`},
		{rule("        require: device.managed\n      - name: r\n        require: device.managed\n"), `6:15: policies.default.rules[1].name: a rule before has the name r`},
		{rule("        require: device.managed\n      - name: for\n        require: device.managed\n"), `it is a word of the expression language`},
		{"policies:\n  default:\n    rules:\n" + strings.Repeat("      - {name: a, require: device.managed}\n", 65), `rules[64]: the list has 65 items; accepted: at most 64`},
		{"policies:\n  default: {also_in: [owned], data: {a: 'inventory == \"owned\"'}}\n", `data.a: inventory is never "owned"; accepted: "jamf"`},
		{"policies:\n  default: {data: {a: days(1)}}\n", `data.a: the result is`},
		{"policies:\n  default: {data: {a: {required: true}}}\n", `data.a.value: it is missing`},
		{"policies:\n  default: {tests: [{name: a}]}\n", `tests[0]: the test expects nothing`},
		{"policies:\n  default: {tests: [{name: a, allow: true, device: {os: mac}}]}\n", `tests[0].device.os: unknown os; did you mean macOS?`},
		{"policies:\n  default: {tests: [{name: a, allow: true, device: {os_version: 15.10}}]}\n", `tests[0].device.os_version: it is a number; accepted: one to four numbers, such as "15.4.1"; put it in quotation marks`},
		{"policies:\n  default: {tests: [{name: a, allow: true, device: {last_seen: yesterday}}]}\n", `tests[0].device.last_seen: it is not a time`},
		{"policies:\n  default: {tests: [{name: a, allow: true, records: {owned: {}}}]}\n", `2:54: policies.default.tests[0].records.owned: unknown inventory; accepted: no records, for the policy asks no other inventory`},
		{"policies:\n  default: {also_in: [owned], tests: [{name: a, allow: true, records: {jamf: {}}}]}\n", `tests[0].records.jamf: what the inventory that decides knows is in device and user of the test; accepted: owned`},
		{"policies:\n  default: {tests: [{name: a, unmet: [x]}]}\n", `tests[0].unmet[0]: unknown rule; accepted: no rule`},
		{"policies:\n  default: {tests: [{name: a, allow: true, request: {kind: x}}]}\n", `tests[0].request.kind: unknown kind; accepted: enriching, authorizing`},
	} {
		_, faults := read(t, c.content)
		if !strings.Contains(faults.Error(), c.want) {
			t.Errorf("%.200s\n got  %v\n want %s", c.content, faults, c.want)
		}
	}
	many := "policies:\n"
	for i := range 257 {
		many += fmt.Sprintf("  p%d: {inventories: [jamf]}\n", i)
	}
	if _, faults := read(t, many); !strings.Contains(faults.Error(), "p.yaml:258:3: policies: it has more than 256 members; accepted: at most 256") {
		t.Error(faults)
	}
}

package policy_test

import (
	"strings"
	"testing"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
)

// runTest runs one test, which is written in flow style, of a policy with these rules.
func runTest(t *testing.T, rules, test string) (differences []string, faults document.Faults) {
	t.Helper()
	content := "policies:\n  p:\n    inventories: [jamf, phones]\n    also_in: [owned]\n    rules:\n" + rules + "    tests:\n      - " + test + "\n"
	d, root, err := document.Parse("p.yaml", []byte(content), section())
	if err != nil {
		t.Fatalf("%s: %v", content, err)
	}
	r := policy.Reader{Inventories: []string{"jamf", "owned", "phones"}, Callers: []string{"devices"}, Codes: []posture.Code{"deviceNotFound"}}
	p := r.Read(root.Mapping().Get("policies"))["p"]
	if len(d.Faults()) > 0 {
		return nil, d.Faults()
	}
	return p.Tests[0].Run(p), nil
}

// What a test may say, what it means where it says nothing, and that a test that is wrong fails.
func TestTests(t *testing.T) {
	t.Parallel()
	const known = "records: {owned: {}}, "
	for _, c := range []struct{ require, test, want string }{
		{`now == timestamp("2026-01-01T00:00:00Z")`, known + `allow: true`, ``},
		{`now == timestamp("2026-12-24T18:00:00Z")`, known + `now: 2026-12-24T18:00:00Z, allow: true`, ``},
		{`now == timestamp("2026-12-24T18:00:00Z")`, known + `now: "2026-12-24T19:00:00+01:00", allow: true`, ``},
		{`device.last_seen == timestamp("2025-12-29T00:00:00Z")`, known + `device: {last_seen: 3d ago}, allow: true`, ``},
		{`device.last_seen == timestamp("2026-01-01T02:00:00Z")`, known + `device: {last_seen: in 2h}, allow: true`, ``},
		{`device.last_seen == timestamp("2025-12-31T23:59:50Z")`, known + `device: {last_seen: 10s ago}, allow: true`, ``},
		{`device.last_seen == timestamp("2026-12-24T17:15:00Z")`, known + `now: 2026-12-24T18:00:00Z, device: {last_seen: 45m ago}, allow: true`, ``},
		{`device.enrolled_at == timestamp("2025-06-01T00:00:00Z")`, known + `device: {enrolled_at: 2025-06-01T00:00:00Z}, allow: true`, ``},
		{`device.managed`, known + `allow: true`, ``},
		{`!device.managed`, known + `device: {managed: false}, code: deviceNotManaged`, ``},
		{`records.owned.device.managed`, known + `allow: true`, ``},
		{`records.jamf.device.managed && records.jamf.found`, known + `allow: true`, ``},
		{`!records.phones.found`, known + `allow: true`, ``},
		{`records.phones.found`, `records: {owned: {}, phones: {}}, allow: true`, ``},
		{`!records.owned.found`, `code: deviceNotFound, unmet: []`, ``},
		{`records.owned.device.name == "x" && records.owned.user.department == "y"`, `records: {owned: {device: {name: x}, user: {department: "y"}}}, allow: true`, ``},
		{`inventory == "jamf"`, known + `allow: true`, ``},
		{`inventory == "phones"`, known + `inventory: phones, allow: true`, ``},
		{`records.jamf.found && inventory == "phones"`, `inventory: phones, records: {owned: {}, jamf: {}}, allow: true`, ``},
		{`has(request.door) || has(request.names)`, known + `unmet: [r], unknown: []`, ``},
		{`request.door == "radius" && request.caller == "devices" && request.kind == "authorizing" && request.mode == "any"`, known + `request: {door: radius, caller: devices, kind: authorizing, mode: any}, allow: true`, ``},
		{
			`request.key_type == "RSA" && request.key_bits == 2048 && request.names == ["a"] && request.provisioner == "p" && request.identifier == "i"`,
			known + `request: {key_type: RSA, key_bits: 2048, names: [a], provisioner: p, identifier: i}, allow: true`, ``,
		},
		{`request.names == []`, known + `request: {names: []}, allow: true`, ``},
		{`device.groups == []`, known + `device: {groups: []}, allow: true`, ``},
		{`device.groups == []`, known + `unknown: [r], unmet: [r], would_deny: []`, ``},
		{`device.name == ""`, known + `device: {name: ""}, unknown: [r]`, ``},
		{`device.attributes["a"] == "1"`, known + `device: {attributes: {a: "1"}}, allow: true`, ``},
		{`has(device.attributes["a"])`, known + `unmet: [r], unknown: []`, ``},
		{`device.managed`, known + `allow: false`, `allow is true, want false`},
		{`device.managed`, known + `code: deviceNotFound`, `code is none, want deviceNotFound`},
		{`device.encrypted`, known + `would_deny: [r]`, `would_deny is [], want [r]`},
		{`device.encrypted`, known + `allow: true, unmet: [r]`, `allow is false, want true`},
		{`device.managed`, known + `data: {a: b}`, `data is {}, want {"a":"b"}`},
	} {
		differences, faults := runTest(t, "      - {name: r, require: '"+c.require+"'}\n", "{name: t, "+c.test+"}")
		got := strings.Join(differences, "; ")
		if faults != nil || (c.want == "") != (got == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s:\n got  %q\n want %q\n faults %v", c.require, c.test, got, c.want, faults)
		}
	}
	// A report-only rule is none of unmet.
	differences, faults := runTest(t, "      - {name: r, require: device.encrypted, enforce: false}\n", "{name: t, "+known+"allow: true, unmet: [r], would_deny: []}")
	if got := strings.Join(differences, "; "); faults != nil || !strings.HasPrefix(got, "unmet is [], want [r]; would_deny is [r], want []") {
		t.Errorf("%q, %v", got, faults)
	}
}

// What a test must not say, at its place and with the nearest name.
func TestMistakesInTests(t *testing.T) {
	t.Parallel()
	for test, want := range map[string]string{
		`{name: t, alow: true}`: `8:19: policies.p.tests[0].alow: unknown key; did you mean allow?`,
		`{allow: true}`:         `8:10: policies.p.tests[0].name: it is missing`,
		`{name: t, allow: yes}`: `tests[0].allow: it is neither true nor false`,
		`{name: t, allow: true, device: {os_verzion: "15"}}`:                            `tests[0].device.os_verzion: unknown key; did you mean os_version?`,
		`{name: t, allow: true, device: {user: a}}`:                                     `tests[0].device.user: unknown key`,
		`{name: t, allow: true, user: {email: a}}`:                                      `tests[0].user.email: unknown key`,
		`{name: t, allow: true, request: {kynd: a}}`:                                    `tests[0].request.kynd: unknown key; did you mean kind?`,
		`{name: t, allow: true, request: {kind: enrichin}}`:                             `tests[0].request.kind: unknown kind; did you mean enriching?; accepted: enriching, authorizing`,
		`{name: t, allow: true, request: {caller: device}}`:                             `tests[0].request.caller: unknown caller; did you mean devices?; accepted: devices`,
		`{name: t, allow: true, request: {door: wifi}}`:                                 `tests[0].request.door: unknown door; accepted: webhook, radius, forward_auth`,
		`{name: t, allow: true, request: {csr: {serial: a}}}`:                           `tests[0].request.csr.serial: unknown key`,
		`{name: t, allow: true, request: {certificate: {serial: a, serial_number: a}}}`: `tests[0].request.certificate.serial: serial and serial_number are the same value`,
		`{name: t, allow: true, request: {certificate: {not_after: soon}}}`:             `tests[0].request.certificate.not_after: it is not a time; accepted: a time such as`,
		`{name: t, allow: true, request: {certificate: {provisioner_type: acme}}}`:      `tests[0].request.certificate.provisioner_type: unknown provisioner_type; did you mean ACME?; accepted: JWK, OIDC, GCP`,
		`{name: t, allow: true, request: {radius: {station: a}}}`:                       `tests[0].request.radius.station: unknown key`,
		`{name: t, allow: true, request: {key_bits: -1}}`:                               `tests[0].request.key_bits: it is no whole number`,
		`{name: t, allow: true, request: {names: a}}`:                                   `tests[0].request.names: it is text; accepted: a list`,
		`{name: t, allow: true, records: {ownd: {}}}`:                                   `tests[0].records.ownd: unknown inventory; did you mean owned?; accepted: phones, owned`,
		`{name: t, allow: true, records: {owned: {devic: {}}}}`:                         `tests[0].records.owned.devic: unknown key; did you mean device?`,
		`{name: t, allow: true, records: {owned: }}`:                                    `tests[0].records`,
		`{name: t, allow: true, records: [owned]}`:                                      `tests[0].records: it is a list; accepted: a mapping`,
		`{name: t, allow: true, inventory: phone}`:                                      `tests[0].inventory: unknown inventory; did you mean phones?; accepted: jamf, phones`,
		`{name: t, allow: true, inventory: owned}`:                                      `tests[0].inventory: unknown inventory; accepted: jamf, phones`,
		`{name: t, allow: true, now: tomorrow}`:                                         `tests[0].now: it is not a time; accepted: a time such as 2026-01-01T00:00:00Z, 3d ago or in 2h`,
		`{name: t, allow: true, now: 2026-01-01}`:                                       `tests[0].now: it is not a time`,
		`{name: t, allow: true, device: {last_seen: 3w ago}}`:                           `tests[0].device.last_seen: it is not a time`,
		`{name: t, allow: true, device: {last_seen: -3d ago}}`:                          `tests[0].device.last_seen: it is not a time`,
		`{name: t, allow: true, device: {last_seen: 3d}}`:                               `tests[0].device.last_seen: it is not a time`,
		`{name: t, allow: true, device: {managed: "true"}}`:                             `tests[0].device.managed: it is neither true nor false`,
		`{name: t, allow: true, device: {groups: a}}`:                                   `tests[0].device.groups: it is text; accepted: a list`,
		`{name: t, allow: true, device: {groups: [1]}}`:                                 `tests[0].device.groups[0]: it is a number; accepted: text`,
		`{name: t, allow: true, device: {os: macos}}`:                                   `tests[0].device.os: unknown os; did you mean macOS?`,
		`{name: t, allow: true, device: {os_version: "15.4 beta"}}`:                     `tests[0].device.os_version: it is not a version`,
		`{name: t, allow: true, device: {attributes: {a: 1}}}`:                          `tests[0].device.attributes.a: it is a number; accepted: text`,
		`{name: t, unmet: [rr]}`:                                                        `tests[0].unmet[0]: unknown rule; accepted: r`,
		`{name: t, would_deny: r}`:                                                      `tests[0].would_deny: it is text; accepted: a list`,
		`{name: t}`:                                                                     `tests[0]: the test expects nothing`,
		`{name: t, data: {a: null}}`:                                                    `it has no value`,
		`{name: t, data: {a: .nan}}`:                                                    `tests[0].data.a: it is no number of JSON`,
	} {
		_, faults := runTest(t, "      - {name: r, require: device.managed}\n", test)
		if !strings.Contains(faults.Error(), want) {
			t.Errorf("%s:\n got  %v\n want %s", test, faults, want)
		}
	}
	_, faults := runTest(t, "      - {name: r, require: device.managed}\n", "{name: t, allow: true}\n      - {name: t, allow: false}")
	if !strings.Contains(faults.Error(), "9:16: policies.p.tests[1].name: a test before has the same name") {
		t.Error(faults)
	}
}

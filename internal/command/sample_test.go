package command_test

import (
	"regexp"
	"testing"

	"step-posture-connector/internal/command"
)

// lookup --sample decides by a recorded answer, without secrets and without network, and names the step that decided.
func TestLookupSample(t *testing.T) {
	t.Parallel()
	policy := file(t, "posture.yaml", `
inventories:
  first: {provider: file, path: devices.csv, type: csv}
  assets:
    provider: http
    base_url: https://assets.invalid
    secrets: {token: {file: does-not-exist}}
    auth: {type: bearer, token: "{{secret.token}}"}
    request: {path: "/v1/devices/{{serial}}"}
    outcome: {not_found: 'status == 404 && has(body.error)'}
    select: {items: "[body.device]", more: "false"}
    map: {device.serial_number: item.sn, device.managed: item.ok, device.os_version: item.?os}
policies:
  default:
    inventories: [first, assets]
    rules: [{name: os, require: device.os_version.atLeast("15")}]
  other: {inventories: [first]}
  both: {inventories: [assets], also_in: [first]}
`)
	answers := map[string]string{
		"new":     `{"device":{"sn":"C02XK1JKLVCG","ok":true,"os":"15.4"}}`,
		"old":     `{"device":{"sn":"C02XK1JKLVCG","ok":true,"os":"14.4"}}`,
		"other":   `{"device":{"sn":"C02XK1JKLVCX","ok":true,"os":"15.4"}}`,
		"unknown": `{"error":"unknown"}`,
	}
	for name, row := range map[string]struct {
		answer         string
		args           []string
		code           int
		stdout, stderr string // regular expressions
	}{
		"allowed":           {"new", []string{"--inventory", "assets"}, command.ExitOK, `^\[ALLOW\](?s:.*)outcome: step 12 \(`, `no webhook has this policy`},
		"a rule refuses":    {"old", []string{"--inventory", "assets"}, command.ExitDeny, `^\[DENY\](?s:.*)outcome: step 12 \((?s:.*)os: unmet`, ``},
		"another device":    {"other", []string{"--inventory", "assets"}, command.ExitDeny, `deviceNotFound(?s:.*)outcome: step 11 \(`, ``},
		"not found":         {"unknown", []string{"--inventory", "assets", "--status", "404"}, command.ExitDeny, `deviceNotFound(?s:.*)outcome: step 7 \(`, ``},
		"a fault":           {"unknown", []string{"--inventory", "assets"}, command.ExitError, `^\[ERROR\](?s:.*)outcome: step 9 \(`, `no decision`},
		"refused":           {"new", []string{"--inventory", "assets", "--status", "401"}, command.ExitError, `outcome: step 2 \(`, `no decision`},
		"JSON":              {"new", []string{"--inventory", "assets", "--json"}, command.ExitOK, `"outcome":"step 12 \(`, `^$`},
		"also_in":           {"new", []string{"--inventory", "assets", "--policy", "both"}, command.ExitError, `it was not asked`, `no decision`},
		"another policy":    {"new", []string{"--inventory", "assets", "--policy", "other"}, command.ExitUsage, `^$`, `does not ask the inventory assets`},
		"no such inventory": {"new", []string{"--inventory", "asset"}, command.ExitError, `^$`, `no such inventory; accepted: first, assets`},
		"no mapping":        {"new", []string{"--inventory", "first"}, command.ExitError, `^$`, `has no mapping to try`},
		"without inventory": {"new", nil, command.ExitUsage, `^$`, `belong together`},
		"no status":         {"new", []string{"--inventory", "assets", "--status", "7"}, command.ExitUsage, `^$`, `100 to 599`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"lookup", "C02XK1JKLVCG", "--sample", file(t, "answer.json", answers[row.answer])}, row.args...)
			code, stdout, stderr := run(t, []string{"POLICY_PATH=" + policy}, args...)
			if code != row.code || !regexp.MustCompile(row.stdout).MatchString(stdout) || !regexp.MustCompile(row.stderr).MatchString(stderr) {
				t.Errorf("exit %d\n%s\n%s\nwant %d, %s, %s", code, stdout, stderr, row.code, row.stdout, row.stderr)
			}
		})
	}
}

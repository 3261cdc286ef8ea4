package blackbox_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/test/program"
)

// policyFile has inventories whose file and secret do not exist: its tests need neither.
const policyFile = `inventories:
  jamf_eu:
    provider: jamf
    base_url: https://eu.example.com
    client_id: id
    client_secret: {file: /does/not/exist}
  owned: {provider: file, path: does-not-exist.json, type: json}
policies:
  staff:
    inventories: [jamf_eu]
    also_in: [owned]
    rules:
      - {name: encrypted, require: device.encrypted, code: deviceNotEncrypted}
      - {name: os, require: 'device.os_version.atLeast("15.4")', enforce: false}
    tests:
      - {name: an old Mac passes for now, device: {encrypted: true, os_version: "14.7"}, records: {owned: {}}, allow: true, would_deny: [os]}
      - {name: not encrypted, device: {encrypted: false}, records: {owned: {}}, code: deviceNotEncrypted}
webhooks:
  - {name: devices, id: 3f0c6c1e-1f6e-4a52-9d33-0d6a3c5a7f01, secret: {env: NOT_SET}, policy: staff}
`

// TestPolicyTest: the exit status says whether the tests pass, fail, or cannot be run; nothing is asked or read besides.
func TestPolicyTest(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		from, to       string
		code           int
		stdout, stderr string
	}{
		"pass": {"", "", 0, "ok    staff: an old Mac passes for now\nok    staff: not encrypted\n2 tests, 0 failed\n", ""},
		"one fails": {
			"code: deviceNotEncrypted}\nwebhooks", "allow: true}\nwebhooks", 2,
			"FAIL  staff: not encrypted: allow is false, want true; rule encrypted is unmet: device.encrypted is false; rule os is unknown: device.os_version is unknown\n2 tests, 1 failed\n", "",
		},
		"a fault":          {"device.encrypted,", "device.encypted,", 1, "", `posture.yaml:13:43: policies.staff.rules[0].require: unknown name in device "encypted"; did you mean encrypted?`},
		"a secret":         {"{file: /does/not/exist}", "hunter2", 1, "", "inventories.jamf_eu.client_secret: a secret does not belong in this file"},
		"an empty file":    {policyFile, "", 1, "", "posture.yaml:1:1: the file is empty"},
		"an unused policy": {"webhooks:\n", "other: []\nwebhooks:\n", 1, "", `other: unknown key`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "posture.yaml"), []byte(strings.Replace(policyFile, test.from, test.to, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			r := program.Run(t, program.Environment{}, folder, "policy", "test", "posture.yaml")
			if r.Code != test.code || !strings.HasSuffix(r.Stdout, test.stdout) || !strings.Contains(r.Stderr, test.stderr) || strings.Contains(r.Stderr+r.Stdout, "hunter2") {
				t.Errorf("exit %d, want %d\n%s\n%s\nwant %q, %q", r.Code, test.code, r.Stdout, r.Stderr, test.stdout, test.stderr)
			}
		})
	}
	for args, want := range map[string]string{"policy": "Usage: ", "policy test": "which file? Neither FILE nor POLICY_PATH names one", "policy test a b": "2 were given"} {
		if r := program.Run(t, program.Environment{}, t.TempDir(), strings.Fields(args)...); r.Code != 64 || !strings.Contains(r.Stderr, want) {
			t.Errorf("%s: exit %d, %s", args, r.Code, r.Stderr)
		}
	}
	// Three lines of rules beside the variables of today.
	folder := t.TempDir()
	if err := os.WriteFile(folder+"/posture.yaml", []byte("policies:\n  default:\n    rules: [{name: a, require: device.managed}]\n    tests: [{name: b, allow: true}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := program.Run(t, program.Environment{"PROVIDER": "jamf"}, folder, "policy", "test", "posture.yaml"); r.Code != 0 || r.Stdout != "ok    default: b\n1 test, 0 failed\n" {
		t.Errorf("with PROVIDER: exit %d, %s%s", r.Code, r.Stdout, r.Stderr)
	}
	// Without FILE, the one of the daemon.
	if r := program.Run(t, program.Environment{"PROVIDER": "jamf", "POLICY_PATH": "posture.yaml"}, folder, "policy", "test"); r.Code != 0 || r.Stdout != "ok    default: b\n1 test, 0 failed\n" {
		t.Errorf("with POLICY_PATH: exit %d, %s%s", r.Code, r.Stdout, r.Stderr)
	}
	if r := program.Run(t, program.Environment{"POLICY_PATH": "nowhere.yaml"}, folder, "policy", "test"); r.Code != 1 || !strings.Contains(r.Stderr, "nowhere.yaml: no such file") {
		t.Errorf("with a wrong POLICY_PATH: exit %d, %s%s", r.Code, r.Stdout, r.Stderr)
	}
	if r := program.Run(t, program.Environment{}, folder, "--help"); !strings.Contains(r.Stdout, "\n  policy ") {
		t.Errorf("policy is not listed: %s", r.Stdout)
	}
	if r := program.Run(t, program.Environment{}, t.TempDir(), "policy", "test", "nowhere.yaml"); r.Code != 1 || !strings.Contains(r.Stderr, "nowhere.yaml: no such file") {
		t.Errorf("exit %d, %s", r.Code, r.Stderr)
	}
}

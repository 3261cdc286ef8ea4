package policyfile_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/posture"
)

const good = `inventories:
  jamf_eu:
    provider: jamf
    base_url: https://eu.example.com
    client_id: id
    client_secret: {file: secret}
    computer_group: Staff
    computer_enrich: true
    timeout: 5
  owned:
    provider: file
    path: devices.json
    type: json
policies:
  staff:
    inventories: [jamf_eu]
    also_in: [owned]
    rules:
      - {name: encrypted, require: device.encrypted}
    tests:
      - {name: encrypted passes, device: {encrypted: true}, records: {owned: {}}, allow: true}
webhooks:
  - name: devices
    id: 3F0C6C1E-1f6e-4a52-9d33-0d6a3c5a7f01
    secret: [{file: webhook}, {env: NEW}]
    policy: staff
`

func secretOf(fill byte) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(fill), 64)))
}

func load(t *testing.T, content string) (*policyfile.File, error) {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{"posture.yaml": content, "secret": "hunter2\n", "webhook": secretOf('a') + "\n", "two": secretOf('b') + "\n" + secretOf('c')} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := policyfile.Load(folder+"/posture.yaml", policyfile.Surroundings{
		Environ:    map[string]string{"NEW": secretOf('n'), "SAME": secretOf('a')},
		Inventory:  "file",
		WebhookIDs: []string{"11111111-1111-4111-8111-111111111111"},
		Codes:      []posture.Code{posture.DeviceNotFound},
	})
	return f, err
}

func TestLoad(t *testing.T) {
	t.Parallel()
	f, err := load(t, good)
	if err != nil {
		t.Fatal(err)
	}
	w := f.Webhooks[0]
	if len(f.Inventories) != 2 || f.Inventories[0].Kind != "jamf" || f.Policies["staff"] == nil || len(f.Webhooks) != 1 || len(f.Warnings) > 0 ||
		w.ID != "3f0c6c1e-1f6e-4a52-9d33-0d6a3c5a7f01" || len(w.Secrets) != 2 || string(w.Secrets[0].Reveal()) != strings.Repeat("a", 64) || len(f.Hash) != 64 {
		t.Errorf("%+v", f)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	hook := func(text string) string { return "webhooks:\n  - " + text }
	for _, c := range []struct{ from, to, want string }{
		{"provider: jamf", "provider: jmaf", `3:15: inventories.jamf_eu.provider: unknown provider; did you mean jamf?; accepted: file or jamf`},
		{"    provider: jamf\n", "", `3:5: inventories.jamf_eu.provider: it is missing; accepted: file or jamf`},
		{"base_url", "baseurl", `4:5: inventories.jamf_eu.baseurl: unknown key; did you mean base_url?`},
		{"client_secret: {file: secret}", "client_secret: hunter2", `6:20: inventories.jamf_eu.client_secret: a secret does not belong in this file; accepted: {file: PATH} or {env: NAME}`},
		{"client_secret: {file: secret}", "client_secret: {hunter2}", `6:21: inventories.jamf_eu.client_secret: unknown key; accepted: {file: PATH} or {env: NAME}`},
		{"client_secret: {file: secret}", "client_secret: {hunter2: x}", `6:21: inventories.jamf_eu.client_secret: unknown key`},
		{"client_secret: {file: secret}", "client_secret: [hunter2]", `a secret does not belong in this file`},
		{"client_secret: {file: secret}", "client_secret: {file: [hunter2]}", `client_secret.file: it is a list`},
		{"client_secret: {file: secret}", "client_secret: !hunter2 x", `6:20: inventories.jamf_eu.client_secret: a secret does not belong in this file`},
		{"client_secret: {file: secret}", "client_secret: *hunter2", `unknown anchor`},
		{"client_secret: {file: secret}", "client_secret: @hunter2", `this is not YAML`},
		{"client_secret: {file: secret}", "client_secret: \"\\hunter2\"", `this is not YAML`},
		{"{file: secret}", "{file: nowhere}", `6:27: inventories.jamf_eu.client_secret.file: `},
		{"timeout: 5", "timeout: 301", `9:14: inventories.jamf_eu.timeout: `},
		{"computer_enrich: true", "computer_enrich: 1", `8:22: inventories.jamf_eu.computer_enrich: it is neither true nor false`},
		{"  jamf_eu:\n", "  file:\n", `2:3: inventories.file: PROVIDER in the environment names an inventory file too`},
		{"  jamf_eu:\n", "  EU:\n", `2:3: inventories.EU: it is not accepted`},
		{"[jamf_eu]", "[jamf_us]", `inventories[0]: unknown inventory; did you mean jamf_eu?; accepted: file, jamf_eu, owned`},
		{"device.encrypted}", `'request.caller == "device"'}`, `request.caller is never "device"; did you mean "devices"?; accepted: "11111111-1111-4111-8111-111111111111", "devices"`},
		{"device.encrypted}", "device.encripted}", `19:43: policies.staff.rules[0].require: unknown name in device "encripted"; did you mean encrypted?`},
		{"allow: true}", "allow: false}", `21:9: policies.staff.tests[0]: the test "encrypted passes" fails: allow is true, want false`},
		{"3F0C6C1E-", "3F0C6C1-", `webhooks[0].id: it is not accepted; accepted: the UUID that step-ca printed as "Webhook ID"`},
		{"3F0C6C1E-1f6e-4a52-9d33-0d6a3c5a7f01", "11111111-1111-4111-8111-111111111111", `webhooks[0].id: WEBHOOK_IDS in the environment has the same ID`},
		{"policy: staff", "policy: stuff", `webhooks[0].policy: unknown policy; did you mean staff?; accepted: default, staff`},
		{"    policy: staff\n", "", `webhooks[0].policy: it is missing; accepted: default, staff`},
		{"{env: NEW}", "{env: OLD}", `webhooks[0].secret[1].env: the environment variable is not set`},
		{"{env: NEW}", "{file: secret}", `webhooks[0].secret[1]: entry 1 is not standard base64`},
		{"{env: NEW}", "{file: two}", `webhooks[0].secret[1]: it has 2 secrets`},
		{"[{file: webhook}, {env: NEW}]", "[]", `webhooks[0].secret: the list is empty; accepted: one secret, or a list of two`},
		{"[{file: webhook}, {env: NEW}]", secretOf('x'), `webhooks[0].secret: a secret does not belong in this file`},
		{"webhooks:\n", hook("{name: other, id: 22222222-2222-4222-8222-222222222222, secret: {env: SAME}, policy: staff}\n"), `webhooks[1].secret[0]: the webhook other has the same secret`},
		{"webhooks:\n", hook("{name: devices, id: 22222222-2222-4222-8222-222222222222, secret: {env: NEW}, policy: staff}\n"), `webhooks[1].name: a webhook before has the name devices`},
		{"inventories:\n", "inventory:\n", `1:1: inventory: unknown key; did you mean inventories?; accepted: inventories, policies, webhooks`},
		{good, "inventories: {}\n", `1:1: the file has neither policies nor webhooks`},
		{good, "policies: {}\nwebhooks: []\n", `1:1: the file has neither policies nor webhooks`},
		{"https://eu.example.com", "https://admin:hunter2@eu.example.com", `4:15: inventories.jamf_eu.base_url: a user name or password does not belong in a URL`},
		{"https://eu.example.com", "https://hunter2@eu.example.com", `4:15: inventories.jamf_eu.base_url: a user name or password does not belong in a URL`},
		{good, "", `the file is empty`},
		{good, good + "---\n", `a second document begins here`},
	} {
		_, err := load(t, strings.Replace(good, c.from, c.to, 1))
		switch {
		case err == nil:
			t.Errorf("%s: loaded", c.to)
		case !strings.Contains(err.Error(), c.want):
			t.Errorf("%s:\n got  %v\n want %s", c.to, err, c.want)
		case strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), secretOf('x')[:8]):
			t.Errorf("%s: a secret is shown: %v", c.to, err)
		}
	}
}

func TestWarnsOfAFileThatEverybodyMayWriteTo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "posture.yaml")
	if err := os.WriteFile(path, []byte("policies:\n  default: {inventories: [file]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, warnings := range map[os.FileMode]int{0o644: 0, 0o664: 0, 0o646: 1, 0o666: 1} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		f, err := policyfile.Load(path, policyfile.Surroundings{Inventory: "file", WebhookIDs: []string{"11111111-1111-4111-8111-111111111111"}})
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Warnings) != warnings || warnings > 0 && !strings.Contains(f.Warnings[0], "every user of this machine may write to the file") {
			t.Errorf("%o: %q", mode, f.Warnings)
		}
	}
}

// Without a policy "default", it asks the inventory of the environment and has no rules: a webhook may name it.
func TestPolicyDefaultExistsWhereTheEnvironmentHasAnInventory(t *testing.T) {
	t.Parallel()
	f, err := load(t, strings.Replace(good, "policy: staff", "policy: default", 1))
	if err != nil {
		t.Fatal(err)
	}
	p := f.Policies["default"]
	if p == nil || len(p.Inventories) != 1 || p.Inventories[0] != "file" || len(p.Rules) > 0 || p.Data != nil {
		t.Fatalf("%+v", p)
	}
	managed := &posture.Device{Facts: posture.Facts{Managed: posture.Known(true)}}
	if d := p.Authority(nil).Authorize(&posture.Evidence{Inventory: "file", Deciding: managed}); !d.Allowed() {
		t.Errorf("a managed device: %+v", d)
	}
	if d := p.Authority(nil).Authorize(&posture.Evidence{Inventory: "file", Deciding: &posture.Device{}}); d.Allowed() {
		t.Errorf("a device that is not managed: %+v", d)
	}
	f, err = load(t, strings.Replace(good, "  staff:", "  default:", 1)[:strings.Index(good, "webhooks:")+len("default")-len("staff")])
	if err != nil {
		t.Fatal(err)
	}
	if p := f.Policies["default"]; len(p.Rules) != 1 {
		t.Errorf("the policy default of the file: %+v", p)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	f, err := load(t, strings.Replace(strings.Replace(good, "    also_in: [owned]\n", "", 1), ", records: {owned: {}}", "", 1))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0], "10:3: inventories.owned: no policy asks this inventory") {
		t.Errorf("%q", f.Warnings)
	}
	f, err = load(t, "policies:\n  staff: {inventories: [file]}\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0], "2:3: policies.staff: no webhook has this policy") {
		t.Errorf("%q", f.Warnings)
	}
}

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

func secretOf(fill byte) string { return base64Of(strings.Repeat(string(fill), 64)) }

func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

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

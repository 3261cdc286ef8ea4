package policyfile_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
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

// An inventory that no policy asks and a policy that no webhook has are accepted, and probably not meant. Webhooks of the
// environment have the policy "default".
func TestWarnings(t *testing.T) {
	t.Parallel()
	const jamf = "inventories:\n  eu: {provider: jamf, base_url: https://eu.example.com, client_id: id, client_secret: {file: secret}}\n"
	const hook = "webhooks:\n  - {name: devices, id: 22222222-2222-4222-8222-222222222222, secret: {env: NEW}, policy: staff}\n"
	const idOfFile = "posture.yaml: no policy asks the inventory file, which PROVIDER in the environment names"
	for name, c := range map[string]struct {
		content string
		change  func(*policyfile.Surroundings)
		want    []string
	}{
		"none":                          {"policies:\n  default: {}\n", nil, nil},
		"an inventory":                  {jamf + "policies:\n  default: {}\n", nil, []string{"posture.yaml:2:3: inventories.eu: no policy asks this inventory"}},
		"an inventory in also_in only":  {jamf + "policies:\n  default: {also_in: [eu]}\n", nil, nil},
		"a policy":                      {"policies:\n  default: {}\n  staff: {inventories: [file]}\n", nil, []string{"posture.yaml:3:3: policies.staff: no webhook has this policy"}},
		"default without WEBHOOK_IDS":   {"policies:\n  default: {}\n", withoutIDs, []string{"posture.yaml:2:3: policies.default: no webhook has this policy"}},
		"a policy of a webhook":         {"policies:\n  staff: {inventories: [file]}\n" + hook, withoutIDs, nil},
		"the inventory of PROVIDER":     {jamf + "policies:\n  default: {inventories: [eu]}\n", nil, []string{idOfFile}},
		"PROVIDER, asked by default":    {jamf + "policies:\n  staff: {inventories: [eu]}\n" + hook, nil, nil},
		"PROVIDER, default is not used": {jamf + "policies:\n  staff: {inventories: [eu]}\n" + hook, withoutIDs, []string{idOfFile}},
		"default, webhooks not known": {"policies:\n  default: {}\n", func(s *policyfile.Surroundings) {
			s.WebhookIDs, s.WithoutSecrets = nil, true
		}, nil},
		"a constant rule": {"policies:\n  default: {rules: [{name: r, require: 1 == 1}]}\n", nil, []string{
			"posture.yaml:2:40: policies.default.rules[0].require: the expression is always met, whatever the facts are",
		}},
	} {
		path, s := surrounded(t, c.content)
		if c.change != nil {
			c.change(&s)
		}
		f, err := policyfile.Load(path, s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, w := range f.Warnings {
			f.Warnings[i] = strings.ReplaceAll(w, strings.TrimSuffix(path, "posture.yaml"), "")
		}
		if !slices.Equal(f.Warnings, c.want) {
			t.Errorf("%s:\n got  %q\n want %q", name, f.Warnings, c.want)
		}
	}
}

func withoutIDs(s *policyfile.Surroundings) { s.WebhookIDs = nil }

// What the machine does not have is not asked for: secrets where only policies are tested, those of webhooks where only
// inventories are asked. What is written in the place of a secret is refused all the same.
func TestSecretsThatAreNotRead(t *testing.T) {
	t.Parallel()
	const missing = "webhooks:\n  - {name: devices, id: 22222222-2222-4222-8222-222222222222, secret: [{env: GONE}, {file: gone}], policy: default}\n"
	const inventory = "inventories:\n  eu: {provider: jamf, base_url: https://eu.example.com, client_id: id, client_secret: {file: gone}}\n"
	for name, c := range map[string]struct {
		content           string
		secrets, webhooks bool // are read
		accepted          bool
	}{
		"all":                                {missing, true, true, false},
		"without webhooks":                   {missing, true, false, true},
		"without webhooks, an inventory":     {inventory + missing, true, false, false},
		"without secrets":                    {inventory + missing, false, true, true},
		"without secrets, one in its place":  {strings.Replace(inventory, "{file: gone}", "hunter2", 1) + missing, false, true, false},
		"without webhooks, one in its place": {strings.Replace(missing, "{env: GONE}", "hunter2", 1), true, false, false},
	} {
		path, s := surrounded(t, c.content)
		s.WithoutSecrets, s.WithoutWebhooks = !c.secrets, !c.webhooks
		if _, err := policyfile.Load(path, s); (err == nil) != c.accepted {
			t.Errorf("%s: %v", name, err)
		}
	}
}

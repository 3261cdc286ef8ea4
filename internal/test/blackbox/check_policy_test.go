package blackbox_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/test/program"
)

// check lists the policies, and for each what it asks, requires and allows, and when that begins.
func TestCheckListsPolicies(t *testing.T) {
	t.Parallel()
	policy := strings.NewReplacer(
		"{file: does-not-exist}", "{file: secret}", "{env: NOT_SET}", "{env: SECRET}",
		"type: csv}\n  owned", "type: csv}\n  jamf_eu: {provider: jamf, base_url: \"https://127.0.0.1:1\", client_id: x, client_secret: {file: secret}, allow_unmanaged: true}\n  owned",
		"    inventories: [macs]\n", "    inventories: [macs, jamf_eu]\n    report_only: true\n",
		"policies:\n", "policies:\n  guests:\n    inventories: [jamf_eu, spare]\n    allow_unmanaged: true\n    data: {}\n",
	).Replace(lookupPolicy)
	folder := lookupFolder(t, policy)
	p := program.NewPKI(t)
	env := onlyPolicy().With("TLS_CERT_PATH", p.ServerCert, "TLS_KEY_PATH", p.ServerKey, "HEALTH_ADDRESS", "off", "SECRET", program.WebhookSecret)
	if err := os.WriteFile(filepath.Join(folder, "secret"), []byte(strings.Repeat("YWFh", 11)), 0o600); err != nil {
		t.Fatal(err)
	}
	r := program.Run(t, env, folder, "check", "--json")
	var got map[string]any
	if err := json.Unmarshal([]byte(r.Stdout), &got); err != nil || r.Code != 1 || len(got) != 4 {
		t.Fatalf("exit %d, %v, %s%s", r.Code, err, r.Stdout, r.Stderr)
	}
	found, _ := got["found"].([]any)
	for _, want := range []string{
		"policy guests: inventories jamf_eu, spare; rules: none; unmanaged devices are allowed; data: none; webhooks: none",
		"policy kinds: inventories macs, jamf_eu; rules: none; rules that only report: enriching, caller; required groups only report too; unmanaged devices of jamf_eu are allowed; webhooks: kinds",
		"policy staff: inventories macs, spare; also in owned; rules: encrypted, phone, tagged; rules that only report: os, supervised (refuses from 2999-01-15 on); data: department, mail; webhooks: devices",
		"inventory jamf_eu (jamf): computers: no group is required; unmanaged ones are allowed too; no data is returned",
	} {
		if !slices.Contains(found, any(want)) {
			t.Errorf("no %q in\n%s", want, r.Stdout)
		}
	}
}

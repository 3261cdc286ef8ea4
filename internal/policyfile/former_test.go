package policyfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/provider"
)

// A provider may have its former name, and the same keys; it is called by its present one.
func TestFormerNameOfProvider(t *testing.T) {
	t.Parallel()
	const text = `inventories:
  old: {provider: kandji, base_url: https://example.api.kandji.io, token: {file: secret}, group: wifi}
  new: {provider: iru, base_url: https://example.api.kandji.io, token: {file: secret}, group: wifi}
policies:
  default: {inventories: [old, new]}
`
	path, s := surrounded(t, text)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "secret"), []byte("token"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := policyfile.Load(path, s)
	if err != nil {
		t.Fatal(err)
	}
	accounts := map[string]bool{}
	for _, section := range f.Inventories {
		i, warnings, err := section.Open()
		if err != nil || len(warnings) > 0 || section.Kind != "iru" || i.Kind != "iru" {
			t.Errorf("inventory %s of %s: %+v, %q, %v, want the provider iru", section.Name, section.Kind, i, warnings, err)
		}
		accounts[i.Account] = true
	}
	if len(f.Inventories) != 2 || len(accounts) != 1 || !provider.MakesRequests("iru") {
		t.Errorf("%d inventories have %d accounts, want 2 and 1", len(f.Inventories), len(accounts))
	}
}

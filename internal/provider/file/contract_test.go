package file_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"step-posture-connector/internal/provider/file"
	"step-posture-connector/internal/provider/providertest"
)

// TestContract: a file does not distinguish types of devices, has neither groups nor unmanaged devices, and does not
// load with duplicates or invalid identifiers.
func TestContract(t *testing.T) {
	t.Parallel()
	for kind, content := range map[string]func(*testing.T, []providertest.Device) string{"csv": asCSV, "json": asJSON} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			providertest.Run(t, providertest.Harness{Open: func(t *testing.T, devices ...providertest.Device) providertest.Inventory {
				t.Helper()
				c := written(t, kind, content(t, devices))
				provider, _, err := file.New(c)
				if err != nil {
					t.Fatal(err)
				}
				replace := func(devices ...providertest.Device) {
					if err := os.WriteFile(string(c.Path), []byte(content(t, devices)), 0o600); err != nil {
						t.Fatal(err)
					}
					next, err := provider.Reload()
					if err != nil {
						t.Fatal(err)
					}
					next.Apply()
				}
				return providertest.Inventory{Provider: provider, Replace: replace}
			}, Lacks: providertest.Types | providertest.Groups | providertest.Unmanaged | providertest.Duplicates | providertest.AnyIdentifier})
		})
	}
}

func asCSV(_ *testing.T, devices []providertest.Device) string {
	rows := []string{"Identifier,Owner"}
	for _, d := range devices {
		rows = append(rows, d.Identifier+",ana")
	}
	return strings.Join(rows, "\n") + "\n"
}

func asJSON(t *testing.T, devices []providertest.Device) string {
	t.Helper()
	type entry struct {
		Identifier string            `json:"identifier"`
		Data       map[string]string `json:"data"`
	}
	inventory := struct {
		Devices []entry `json:"devices"`
	}{[]entry{}}
	for _, d := range devices {
		inventory.Devices = append(inventory.Devices, entry{d.Identifier, map[string]string{"owner": "ana"}})
	}
	content, err := json.Marshal(inventory)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

package file_test

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"step-posture-connector/internal/provider/file"
	"step-posture-connector/internal/provider/providertest"
)

// TestContract: a file does not distinguish types of devices, and does not load with duplicates or invalid identifiers.
// It has groups and unmanaged devices only where facts are read.
func TestContract(t *testing.T) {
	t.Parallel()
	const always = providertest.Types | providertest.Duplicates | providertest.AnyIdentifier
	for name, test := range map[string]struct {
		content func(*testing.T, []providertest.Device) string
		facts   bool
		lacks   providertest.Trait
	}{
		"csv":             {asCSV, false, always | providertest.Groups | providertest.Unmanaged},
		"json":            {asJSON, false, always | providertest.Groups | providertest.Unmanaged},
		"csv, no facts":   {asCSV, true, always | providertest.Groups | providertest.Unmanaged},
		"json, no facts":  {asJSON, true, always | providertest.Groups | providertest.Unmanaged},
		"lines":           {asLines, false, always | providertest.Groups | providertest.Unmanaged},
		"lines, no facts": {asLines, true, always | providertest.Groups | providertest.Unmanaged},
		"csv with facts":  {asCSVWithFacts, true, always},
		"json with facts": {asJSONWithFacts, true, always},
	} {
		kind := strings.FieldsFunc(name, func(r rune) bool { return r == ' ' || r == ',' })[0]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			providertest.Run(t, providertest.Harness{Open: func(t *testing.T, devices ...providertest.Device) providertest.Inventory {
				t.Helper()
				c := written(t, kind, test.content(t, devices))
				if test.facts {
					c.ReadFacts()
				}
				provider, _, err := file.New(c)
				if err != nil {
					t.Fatal(err)
				}
				replace := func(devices ...providertest.Device) {
					if err := os.WriteFile(string(c.Path), []byte(test.content(t, devices)), 0o600); err != nil {
						t.Fatal(err)
					}
					next, err := provider.Reload()
					if err != nil {
						t.Fatal(err)
					}
					next.Apply()
				}
				return providertest.Inventory{Provider: provider, Replace: replace}
			}, Lacks: test.lacks | providertest.Newest})
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

func asLines(_ *testing.T, devices []providertest.Device) string {
	var text strings.Builder
	for _, d := range devices {
		text.WriteString(d.Identifier + "\n")
	}
	return text.String()
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

func asCSVWithFacts(t *testing.T, devices []providertest.Device) string {
	t.Helper()
	var out strings.Builder
	rows := csv.NewWriter(&out)
	all := [][]string{{"Identifier", "Owner", "device.groups", "device.managed"}}
	for _, d := range devices {
		groups, err := json.Marshal(append([]string{}, d.Groups...)) // a name of a group may have a semicolon
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, []string{d.Identifier, "ana", string(groups), strconv.FormatBool(!d.Unmanaged)})
	}
	if err := rows.WriteAll(all); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func asJSONWithFacts(t *testing.T, devices []providertest.Device) string {
	t.Helper()
	list := []any{}
	for _, d := range devices {
		facts := map[string]any{"managed": !d.Unmanaged, "groups": d.Groups}
		list = append(list, map[string]any{"identifier": d.Identifier, "facts": map[string]any{"device": facts}})
	}
	content, err := json.Marshal(map[string]any{"devices": list})
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

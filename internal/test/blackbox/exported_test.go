package blackbox_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/test/program"
)

// exportable is an inventory that is exported: the mapping of its section, and what the program needs for it.
type exportable struct {
	section     string
	environment program.Environment
	identifiers []string
}

// A file that was exported from an inventory decides as the inventory does, under a policy that reads every fact: the decision,
// its code, what each rule says and has read, and the data, for devices that meet a rule, that do not meet it, or of which it
// is not known. The identifiers are asked in every mode.
func TestExportedFileDecides(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*testing.T, []factRecord) exportable{
		"file": fileOf, "http": serviceOf, "sql": databaseOf, "jamf": jamfOf,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			of := prepare(t, everyRecord())
			folder := t.TempDir()
			list := filepath.Join(folder, "identifiers")
			write(t, list, strings.Join(of.identifiers, "\n")+"\n")
			live := onlyPolicyAt(t, of, "live.yaml", folder, of.section)
			for _, format := range []string{"csv", "json"} {
				exported := filepath.Join(folder, "devices."+format)
				result := program.Run(t, live, folder, "inventory", "export", "devices", "--output", exported)
				if want := fmt.Sprintf("devices: %d devices exported\n", len(of.identifiers)); result.Code != 0 || !strings.HasSuffix(result.Stderr, want) {
					t.Fatalf("exit status %d, %swant 0, %s", result.Code, result.Stderr, want)
				}
				file := onlyPolicyAt(t, exportable{}, format+".yaml", folder, fmt.Sprintf("{provider: file, path: %s, type: %s}", exported, format))
				for _, mode := range []string{"any", "computer", "mobiledevice"} {
					got, want := decisions(t, file, folder, mode), decisions(t, live, folder, mode)
					if allowed := strings.Count(strings.Join(want, ""), `"decision":"allow"`); mode == "any" && (allowed < 1 || allowed > len(want)/2) {
						t.Errorf("%d devices of %d are allowed, want some", allowed, len(want))
					}
					if len(got) != len(of.identifiers) || len(want) != len(got) {
						t.Fatalf("%s: %d decisions and %d, want %d", mode, len(got), len(want), len(of.identifiers))
					}
					for n := range got {
						if got[n] != want[n] {
							t.Errorf("%s, %s:\n%s\nwant\n%s", format, mode, got[n], want[n])
						}
					}
				}
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// onlyPolicyAt is the environment with a policy file about an inventory.
func onlyPolicyAt(t *testing.T, of exportable, name, folder, section string) program.Environment {
	t.Helper()
	path := filepath.Join(folder, name)
	write(t, path, everyFact(t, section))
	return of.environment.With("POLICY_PATH", path)
}

// decisions are what lookup says about the devices of the list, without the kind of the inventory, its warnings, and its words
// for a device that it does not have.
func decisions(t *testing.T, env program.Environment, folder, mode string) []string {
	t.Helper()
	result := program.Run(t, env, folder, "lookup", "--from", "identifiers", "--json", "--mode", mode)
	var all []string
	for line := range strings.Lines(result.Stdout) {
		var members map[string]any
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Fatalf("%v: %s%s", err, result.Stdout, result.Stderr)
		}
		delete(members, "warnings")
		delete(members, "provider")
		unknown := members["code"] == "deviceNotFound"
		if unknown {
			delete(members, "reason")
		}
		inventories, _ := members["inventories"].([]any)
		for _, inventory := range inventories {
			if asked, ok := inventory.(map[string]any); ok {
				delete(asked, "provider")
				if unknown {
					delete(asked, "error")
				}
			}
		}
		text, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}

package docs_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
)

const fileFactsPage, fileFactsDevice = "docs/providers/file.md", "C02XK1JKLVCG"

// factsIn opens a file of the documentation as an inventory that a policy reads, and returns the facts of its device.
func factsIn(t *testing.T, kind, content, identifier string) map[string]any {
	t.Helper()
	path := filepath.Join(t.TempDir(), "devices")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	opened, warnings, err := provider.Open("file", map[string]string{"FILE_PATH": path, "FILE_TYPE": kind}, true)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%s\ndoes not load without warnings: %q, %v", content, warnings, err)
	}
	id, err := posture.ParseIdentifier(identifier)
	if err != nil {
		t.Fatal(err)
	}
	device, err := opened.Provider.Lookup(t.Context(), posture.Query{Identifier: id, Facts: posture.AllFacts() | posture.Document})
	if err != nil {
		t.Fatal(err)
	}
	facts := map[string]any{"data": string(device.Data)}
	for _, d := range posture.Vocabulary() {
		if value, known := d.Get(&device); known {
			facts[d.Name] = value
		}
	}
	return facts
}

// The table of facts has every fact, and the examples of a cell and of a member say the same.
func TestFactsOfFiles(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(read(t, fileFactsPage), "\n## Facts\n")
	row := regexp.MustCompile("(?m)^\\| `([a-z._]+)` \\| (?:`([^`|]+)`)? ?\\| `([^`|]+)` \\|")
	examples := map[string][2]string{}
	for _, match := range row.FindAllStringSubmatch(section, -1) {
		examples[match[1]] = [2]string{match[2], match[3]}
	}
	for _, d := range posture.Vocabulary() {
		example, listed := examples[d.Name]
		delete(examples, d.Name)
		if !listed {
			t.Errorf("%s is not in the table", d.Name)
			continue
		}
		fromMember := factsIn(t, "json", `{"devices":[{"identifier":"`+fileFactsDevice+`","facts":{`+example[1]+`}}]}`, fileFactsDevice)
		if _, known := fromMember[d.Name]; !known {
			t.Errorf("%s is unknown with the member %s", d.Name, example[1])
		}
		cell := `"` + strings.ReplaceAll(example[0], `"`, `""`) + `"`
		fromCell := factsIn(t, "csv", "Identifier,"+d.Name+"\n"+fileFactsDevice+","+cell+"\n", fileFactsDevice)
		if !reflect.DeepEqual(fromCell, fromMember) {
			t.Errorf("%s is %v with the cell %q, and %v with the member %s", d.Name, fromCell, example[0], fromMember, example[1])
		}
	}
	for name := range examples {
		t.Errorf("the table has %s, which is no fact", name)
	}
}

// Both example files load without warnings, and say the same about each device.
func TestExamplesOfFileFacts(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(read(t, fileFactsPage), "\n## Facts\n")
	block := func(kind string) string {
		_, rest, found := strings.Cut(section, "```"+kind+"\n")
		content, _, closed := strings.Cut(rest, "```")
		if !found || !closed {
			t.Fatalf("the section has no example in %s", kind)
		}
		return content
	}
	for _, identifier := range []string{fileFactsDevice, "DMPVLX9QHG5D"} {
		fromCSV, fromJSON := factsIn(t, "csv", block("csv"), identifier), factsIn(t, "json", block("json"), identifier)
		if !reflect.DeepEqual(fromCSV, fromJSON) {
			t.Errorf("%s has in CSV %v\nand in JSON %v", identifier, fromCSV, fromJSON)
		}
	}
}

// The table of cells says what each cell of an exported file is read as.
func TestEscapesOfFiles(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(read(t, fileFactsPage), "\n## Exported files\n")
	section, _, _ = strings.Cut(section, "\n## ")
	examples := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `([^`]+)`(,.*)? \\|$").FindAllStringSubmatch(section, -1)
	if len(examples) < 4 {
		t.Fatalf("the table has %d examples of cells", len(examples))
	}
	for _, example := range examples {
		cell := `"` + strings.ReplaceAll(example[1], `"`, `""`) + `"`
		facts := factsIn(t, "csv", "Identifier,device.name,note\n"+fileFactsDevice+","+cell+","+cell+"\n", fileFactsDevice)
		attributes, _ := facts["device.attributes"].(map[string]string)
		if facts["device.name"] != example[2] || attributes["note"] != example[2] {
			t.Errorf("the cell %q is read as %q and %q, want %q", example[1], facts["device.name"], attributes["note"], example[2])
		}
	}
}

package docs_test

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/provider"
	"step-posture-connector/internal/schema"
	"step-posture-connector/internal/test/variables"
)

// README.md lists a subset of the variables, and no unknown one.
func TestReadmeVariables(t *testing.T) {
	t.Parallel()
	known := slices.Concat(config.Variables[config.Config](), provider.Variables())
	for _, cell := range matches(t, "README.md", "(?m)^\\| (`[A-Z_]+`[^|]*)\\|") {
		for _, name := range regexp.MustCompile("[A-Z_]{2,}").FindAllString(cell, -1) {
			if !slices.Contains(known, name) {
				t.Errorf("README.md has the variable %s, which the program does not read", name)
			}
		}
	}
}

// The defaults that operators read are those that the program has.
func TestDefaults(t *testing.T) {
	t.Parallel()
	table := read(t, "docs/configuration.md")
	example := read(t, ".env.example")
	for _, field := range reflect.VisibleFields(reflect.TypeFor[config.Config]()) {
		variable, _, _ := strings.Cut(field.Tag.Get("env"), ",")
		value, has := field.Tag.Lookup("envDefault")
		if !has {
			continue
		}
		if row := "\n| `" + variable + "` | `" + value + "` |"; !strings.Contains(table, row) {
			t.Errorf("docs/configuration.md has no row that begins with %q", row[1:])
		}
		if line := "\n#" + variable + "=" + value + "\n"; !strings.Contains(example, line) {
			t.Errorf(".env.example has no line %q", strings.TrimSpace(line))
		}
	}
}

// What documents, example files and compose files say about variables comes from their declarations, and so does the JSON
// Schema of the policy file. With GENERATE=1 in the environment the files are written: that is "make generate".
func TestGenerated(t *testing.T) {
	t.Parallel()
	files, err := variables.Files()
	if err != nil {
		t.Fatal(err)
	}
	policies, err := schema.JSON()
	if err != nil {
		t.Fatal(err)
	}
	files["docs/posture.schema.json"] = string(policies)
	maps.Copy(files, kubernetesFiles(t))
	for path, want := range files {
		got := read(t, path)
		if got == want {
			continue
		}
		if os.Getenv("GENERATE") == "1" {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		t.Errorf("%s is not what the declarations say: run make generate. Its first wrong line should be:\n%s", path, firstDifference(got, want))
	}
}

// firstDifference returns the first line that should be another one.
func firstDifference(got, want string) string {
	lines := slices.Collect(strings.Lines(got))
	for i, line := range slices.Collect(strings.Lines(want)) {
		if i >= len(lines) || line != lines[i] {
			return line
		}
	}
	return "(nothing: the file is too long)"
}

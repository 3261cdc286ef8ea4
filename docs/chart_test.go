package docs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/provider"
)

const chart = "docs/kubernetes/chart/"

// chartValue is a value of the chart that is set as a whole, or a group of values.
type chartValue struct {
	path, description string
	group             bool
}

// chartValues returns the values that the schema of the chart describes, in its order, each group before what is in it.
func chartValues(t *testing.T) []chartValue {
	t.Helper()
	var schema yaml.Node // which keeps the order; JSON is YAML
	if err := yaml.Unmarshal([]byte(read(t, chart+"values.schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	var all []chartValue
	for key, value := range members(member(schema.Content[0], "properties")) {
		if key != "global" { // of Helm
			all = append(all, valuesBelow(t, key, value)...)
		}
	}
	return all
}

// valuesBelow returns the value at a path, or the group with what is below it, where each of that has a description of its own.
func valuesBelow(t *testing.T, path string, schema *yaml.Node) []chartValue {
	t.Helper()
	description := member(schema, "description")
	if description == nil {
		t.Fatalf("the schema of the chart does not describe %s", path)
	}
	properties := member(schema, "properties")
	group := properties != nil
	for _, value := range members(properties) {
		group = group && member(value, "description") != nil
	}
	all := []chartValue{{path, description.Value, group}}
	if group {
		for key, value := range members(properties) {
			all = append(all, valuesBelow(t, path+"."+key, value)...)
		}
	}
	return all
}

// members are the keys and values of a mapping, none of another node.
func members(node *yaml.Node) func(yield func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		for i := 0; node != nil && i+1 < len(node.Content); i += 2 {
			if !yield(node.Content[i].Value, node.Content[i+1]) {
				return
			}
		}
	}
}

func member(node *yaml.Node, name string) *yaml.Node {
	for key, value := range members(node) {
		if key == name {
			return value
		}
	}
	return nil
}

// valuesFile reads a file of values.
func valuesFile(t *testing.T, path string) map[string]any {
	t.Helper()
	var values map[string]any
	if err := yaml.Unmarshal([]byte(read(t, path)), &values); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return values
}

// valueAt returns what is at a path, where there is something.
func valueAt(values map[string]any, path string) (value any, found bool) {
	value = values
	for key := range strings.SplitSeq(path, ".") {
		below, _ := value.(map[string]any)
		if value, found = below[key]; !found {
			return nil, false
		}
	}
	return value, true
}

// merged puts values over others, as Helm does.
func merged(under, over map[string]any) map[string]any {
	all := maps.Clone(under)
	for key, value := range over {
		if below, isMap := value.(map[string]any); isMap {
			if old, both := all[key].(map[string]any); both {
				value = merged(old, below)
			}
		}
		all[key] = value
	}
	return all
}

// validator validates values by the schema of the chart.
func validator(t *testing.T) func(values map[string]any) error {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(read(t, chart+"values.schema.json")))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("values.schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return func(values map[string]any) error {
		text, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(instance)
	}
}

// values.yaml has each value that the schema describes, and no other one; and the files of ci are valid, and together set each
// of them to something else than its default.
func TestChartValues(t *testing.T) {
	t.Parallel()
	defaults, all, validate := valuesFile(t, chart+"values.yaml"), chartValues(t), validator(t)
	if err := validate(defaults); err != nil {
		t.Error("values.yaml:", err)
	}
	set := map[string]bool{}
	for _, path := range glob(t, chart+"ci/*-values.yaml") {
		values := valuesFile(t, path)
		if err := validate(merged(defaults, values)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		for _, value := range all {
			own, found := valueAt(values, value.path)
			standard, _ := valueAt(defaults, value.path)
			set[value.path] = set[value.path] || found && !reflect.DeepEqual(own, standard)
		}
	}
	for _, value := range all {
		if _, found := valueAt(defaults, value.path); !found {
			t.Errorf("values.yaml lacks %s", value.path)
		}
		if !value.group && !set[value.path] {
			t.Errorf("no file of %sci sets %s to something else than its default", chart, value.path)
		}
	}
	// The schema has refused what values.yaml has beside these, if it refuses it in every group.
	if validate(merged(defaults, map[string]any{"unknown": "x"})) == nil {
		t.Error("the schema accepts an unknown value")
	}
	for _, value := range all {
		if !value.group {
			continue
		}
		unknown := map[string]any{"unknown": "x"}
		for _, key := range slices.Backward(strings.Split(value.path, ".")) {
			unknown = map[string]any{key: unknown}
		}
		if validate(merged(defaults, unknown)) == nil {
			t.Errorf("the schema accepts an unknown value in %s", value.path)
		}
	}
}

// A variable that may be given as a file is no plain value of the chart, and neither is one that the chart sets. Everything else is.
func TestChartConfig(t *testing.T) {
	t.Parallel()
	validate := validator(t)
	values := merged(valuesFile(t, chart+"values.yaml"), valuesFile(t, chart+"ci/file-values.yaml"))
	known := slices.Concat(config.Variables[config.Config](), provider.Variables())
	if len(known) < 50 {
		t.Fatalf("only %d variables are known", len(known))
	}
	env := slices.Collect(maps.Keys(valuesFile(t, chart+"ci/file-values.yaml")["config"].(map[string]any)))
	for _, name := range known {
		if slices.Contains(env, name) {
			continue
		}
		secret := strings.HasSuffix(name, "_FILE") && slices.Contains(known, strings.TrimSuffix(name, "_FILE")) || slices.Contains(known, name+"_FILE")
		err := validate(merged(values, map[string]any{"config": map[string]any{name: "1"}}))
		switch {
		case err != nil && strings.Contains(err.Error(), "additional properties"):
			t.Errorf("the schema does not know %s: run make generate", name)
		case secret && (err == nil || !strings.Contains(err.Error(), "see ")):
			t.Errorf("%s in config should be refused, and the message should say what to do: %v", name, err)
		}
	}
	for _, url := range []string{"https://user:password@example.com", "http://token@proxy:3128"} {
		for _, name := range []string{"JAMF_BASE_URL", "HTTPS_PROXY"} {
			if validate(merged(values, map[string]any{"config": map[string]any{name: url}})) == nil {
				t.Errorf("the schema accepts %s=%s", name, url)
			}
		}
	}
}

// The table of values in the README comes from values.yaml and the schema, and the chart's copies of files are those of today.
func TestChartGenerated(t *testing.T) {
	t.Parallel()
	const begins, ends = "<!-- Generated by make generate: values of the chart. Do not edit. -->\n", "<!-- End of what make generate writes. -->"
	readme := read(t, chart+"README.md")
	before, rest, found := strings.Cut(readme, begins)
	_, after, ended := strings.Cut(rest, ends)
	if !found || !ended {
		t.Fatalf("README.md has no section from %s to %s", begins, ends)
	}
	table := "\n| value | default | meaning |\n|---|---|---|\n"
	defaults := valuesFile(t, chart+"values.yaml")
	for _, value := range chartValues(t) {
		if value.group {
			table += fmt.Sprintf("| **`%s`** | | **%s** |\n", value.path, value.description)
			continue
		}
		standard, _ := valueAt(defaults, value.path)
		text, err := json.Marshal(standard)
		if err != nil {
			t.Fatal(err)
		}
		table += fmt.Sprintf("| `%s` | `%s` | %s |\n", value.path, text, value.description)
	}
	wanted := map[string]string{chart + "README.md": before + begins + table + "\n" + ends + after}
	for name, source := range map[string]string{
		"alerts.yml": "docker/monitoring/alerts.yml", "renew.sh": "docker/setup/renew.sh",
		"certificate.sh": "docs/kubernetes/components/step-renewer/certificate.sh",
	} {
		wanted[chart+"files/"+name] = read(t, source)
	}
	for path, want := range wanted {
		if got := read(t, path); got == want {
			continue
		} else if os.Getenv("GENERATE") == "1" {
			if err := os.WriteFile(filepath.FromSlash(path), []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		} else {
			t.Errorf("%s is out of date: run make generate. Its first wrong line should be:\n%s", path, firstDifference(got, want))
		}
	}
}

// The links of the chart's README lead somewhere, and its table of examples has each file of ci.
func TestChartReadme(t *testing.T) {
	t.Parallel()
	links := matches(t, chart+"README.md", `\]\(([^)#]+)[^)]*\)`)
	for _, link := range links {
		if _, err := os.Stat(filepath.Join(chart, link)); err != nil && !strings.HasPrefix(link, "https://") {
			t.Errorf("README.md of the chart links to %s: %v", link, err)
		}
	}
	for _, path := range glob(t, chart+"ci/*-values.yaml") {
		if !slices.Contains(links, "ci/"+filepath.Base(path)) {
			t.Errorf("README.md of the chart does not link to %s", path)
		}
	}
}

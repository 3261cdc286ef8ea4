package schema_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"step-posture-connector/internal/schema"
)

// compiled is the schema as another implementation than the one that makes it reads it.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := schema.JSON()
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("posture.schema.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("posture.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// instance is a YAML file as an editor hands it to a schema, by the core schema of YAML 1.2: days are text.
func instance(t *testing.T, path string) any {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return value(t, root.Content[0])
}

func value(t *testing.T, n *yaml.Node) any {
	t.Helper()
	switch n.Kind {
	case yaml.AliasNode:
		return value(t, n.Alias)
	case yaml.MappingNode:
		members := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			members[n.Content[i].Value] = value(t, n.Content[i+1])
		}
		return members
	case yaml.SequenceNode:
		items := []any{}
		for _, item := range n.Content {
			items = append(items, value(t, item))
		}
		return items
	default:
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int", "!!float":
		return json.Number(n.Value)
	}
	return n.Value
}

// The schema accepts what the parser accepts, and what only the meaning of a file is wrong with. It refuses every mistake
// in the structure.
func TestSchemaSaysWhatTheParserSays(t *testing.T) {
	t.Parallel()
	s := compiled(t)
	for folder, valid := range map[string]bool{"good": true, "meaning": true, "structure": false} {
		files, err := filepath.Glob("../policyfile/testdata/" + folder + "/*.yaml")
		if err != nil || len(files) < 4 {
			t.Fatalf("%s: %q, %v", folder, files, err)
		}
		for _, file := range files {
			if err := s.Validate(instance(t, file)); valid != (err == nil) {
				t.Errorf("%s: valid is %v, want %v: %v", file, err == nil, valid, err)
			}
		}
	}
}

// Null is refused wherever it is, also where any other value is accepted.
func TestNullIsRefused(t *testing.T) {
	t.Parallel()
	s := compiled(t)
	whole := instance(t, "../policyfile/testdata/good/full.yaml")
	places := 0
	var replace func(at any, set func(any))
	replace = func(at any, set func(any)) {
		set(nil)
		places++
		if err := s.Validate(whole); err == nil {
			t.Errorf("null is accepted in place of %v", at)
		}
		set(at)
		switch at := at.(type) {
		case map[string]any:
			for name := range at {
				replace(at[name], func(v any) { at[name] = v })
			}
		case []any:
			for i := range at {
				replace(at[i], func(v any) { at[i] = v })
			}
		}
	}
	replace(whole, func(v any) { whole = v })
	if places < 100 {
		t.Errorf("only %d values were replaced", places)
	}
	if err := s.Validate(whole); err != nil {
		t.Error(err)
	}
}

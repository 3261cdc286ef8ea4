package check

import (
	"slices"
	"testing"

	"step-posture-connector/internal/test/kubernetes/manifest"
)

// The planted faults in the folder above show what the rules find. Here is what our manifests do not use.

// A label selector means what it means to the API server.
func TestMatches(t *testing.T) {
	t.Parallel()
	labels := map[string]any{"app": "connector", "tier": "front"}
	expression := func(key, operator string, values ...any) map[string]any {
		return map[string]any{"matchExpressions": []any{map[string]any{"key": key, "operator": operator, "values": values}}}
	}
	for name, test := range map[string]struct {
		selector map[string]any
		want     bool
	}{
		"empty":                    {nil, true},
		"label":                    {map[string]any{"matchLabels": map[string]any{"app": "connector"}}, true},
		"other value":              {map[string]any{"matchLabels": map[string]any{"app": "other"}}, false},
		"missing label":            {map[string]any{"matchLabels": map[string]any{"zone": "a"}}, false},
		"one of two":               {map[string]any{"matchLabels": map[string]any{"app": "connector", "tier": "back"}}, false},
		"In":                       {expression("app", "In", "other", "connector"), true},
		"In of others":             {expression("app", "In", "other"), false},
		"In without the label":     {expression("zone", "In", "a"), false},
		"NotIn":                    {expression("app", "NotIn", "connector"), false},
		"NotIn without the label":  {expression("zone", "NotIn", "a"), true},
		"Exists":                   {expression("app", "Exists"), true},
		"Exists without the label": {expression("zone", "Exists"), false},
		"DoesNotExist":             {expression("app", "DoesNotExist"), false},
		"unknown operator":         {expression("app", "Like", "connector"), false},
	} {
		if got := matches(test.selector, labels); got != test.want {
			t.Errorf("%s: matches(%v, %v) = %v, want %v", name, test.selector, labels, got, test.want)
		}
	}
}

// A projected volume names its parts, which are looked for as those of other volumes.
func TestProjectedReferences(t *testing.T) {
	t.Parallel()
	pod := map[string]any{"spec": map[string]any{"volumes": []any{map[string]any{"name": "all", "projected": map[string]any{"sources": []any{
		map[string]any{"configMap": map[string]any{"name": "given"}},
		map[string]any{"secret": map[string]any{"name": "missing"}},
		map[string]any{"secret": map[string]any{"name": "perhaps", "optional": true}},
		map[string]any{"configMap": map[string]any{"name": "given", "items": []any{map[string]any{"key": "absent", "path": "file"}}}},
	}}}}}}
	deployment := manifest.Object{"kind": "Deployment", "metadata": map[string]any{"name": "d"}, "spec": map[string]any{"template": pod}}
	var got []string
	for _, finding := range Check(Input{Objects: []manifest.Object{deployment}, Given: []Given{{Kind: "ConfigMap", Name: "given", Keys: []string{"present"}}}}) {
		if finding.Rule == "reference" {
			got = append(got, finding.Text)
		}
	}
	if want := []string{"nobody makes the Secret missing", "the ConfigMap given has no key absent"}; !slices.Equal(got, want) {
		t.Errorf("the findings are %q, want %q", got, want)
	}
}

// Sizes are compared in bytes, those of Kubernetes and those of Go.
func TestBytes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"256Mi": 256 << 20, "220MiB": 220 << 20, "1Gi": 1 << 30, "64Ki": 64 << 10, "much": 0, "xMi": 0, "": 0} {
		if got := bytesOf(text); got != want {
			t.Errorf("bytesOf(%q) = %d, want %d", text, got, want)
		}
	}
}

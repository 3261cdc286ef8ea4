package manifest_test

import (
	"reflect"
	"strings"
	"testing"

	"step-posture-connector/internal/test/kubernetes/manifest"
)

const document = `apiVersion: v1
kind: Service
metadata: {name: a, labels: {example.com/app: x}}
spec: {ports: [{port: 1}, {port: 2}]}
`

// A change is where its pointer says, or an error.
func TestChanges(t *testing.T) {
	t.Parallel()
	objects, err := manifest.Parse([]byte("# a comment\n---\n" + document))
	if err != nil || len(objects) != 1 {
		t.Fatalf("Parse = %v, %v, want one object", objects, err)
	}
	o := objects[0]
	for _, err := range []error{
		o.Set("/metadata/labels/example.com~1app", "y"), o.Set("/spec/ports/-", map[string]any{"port": 3}), o.Set("/spec/ports/0/port", 9), o.Remove("/spec/ports/1"),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	want := map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "a", "labels": map[string]any{"example.com/app": "y"}},
		"spec": map[string]any{"ports": []any{map[string]any{"port": 9}, map[string]any{"port": 3}}},
	}
	if !reflect.DeepEqual(map[string]any(o), want) {
		t.Errorf("changed, the object is %v, want %v", o, want)
	}
	for pointer, says := range map[string]string{
		"spec": "does not begin with /", "/spec/ports/7": "no item 7", "/spec/none/port": "there is no none", "/kind/name/x": "no map and no list", "/spec/ports/one": "no item one",
	} {
		if err := o.Remove(pointer); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("Remove(%q) = %v, want an error with %q", pointer, err, says)
		}
	}
}

// What is no manifest is an error, not an empty list.
func TestParseErrors(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"": "no object", "# nothing\n": "no object", "kind: Service\n": "no name", document + "kind: Service\n": "document 1", document + "---\nmetadata: [\n": "document 2",
	} {
		if objects, err := manifest.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("Parse(%q) = %v, %v, want an error with %q", text, objects, err, says)
		}
	}
}

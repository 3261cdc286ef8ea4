// Package manifest reads and changes the objects of manifests, of any kind.
package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Object is an object as JSON decodes it.
type Object map[string]any

// Parse reads a stream of YAML documents. A key that comes twice is an error.
func Parse(text []byte) ([]Object, error) {
	var all []Object
	for i, document := range regexp.MustCompile(`(?m)^---\s*$`).Split(string(text), -1) {
		var object Object
		if err := yaml.UnmarshalStrict([]byte(document), &object); err != nil {
			return nil, fmt.Errorf("document %d: %w", i+1, err)
		}
		switch {
		case len(object) == 0: // comments only
		case object.Kind() == "" || object.Name() == "":
			return nil, fmt.Errorf("document %d has no kind or no name", i+1)
		default:
			all = append(all, object)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("there is no object in it")
	}
	return all, nil
}

// Write is the opposite of Parse.
func Write(objects []Object) ([]byte, error) {
	var all bytes.Buffer
	for _, object := range objects {
		text, err := yaml.Marshal(object)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", object.ID(), err)
		}
		_, _ = io.WriteString(&all, "---\n") // a buffer in memory takes all
		_, _ = all.Write(text)
	}
	return all.Bytes(), nil
}

// Kind is the kind, such as Deployment.
func (o Object) Kind() string { return o.Text("kind") }

// Name is the name in the metadata.
func (o Object) Name() string { return o.Text("metadata", "name") }

// Namespace is that of the metadata; empty for what is in none.
func (o Object) Namespace() string { return o.Text("metadata", "namespace") }

// ID names the object in messages.
func (o Object) ID() string {
	return strings.TrimPrefix(o.Namespace()+"/", "/") + o.Kind() + "/" + o.Name()
}

// At returns what is at a path of keys; nil where there is nothing.
func (o Object) At(path ...string) any {
	var at any = map[string]any(o)
	for _, key := range path {
		at = Map(at)[key]
	}
	return at
}

// Text is the string at a path; empty where there is none.
func (o Object) Text(path ...string) string {
	text, _ := o.At(path...).(string)
	return text
}

// Map is the map at a path; empty where there is none.
func (o Object) Map(path ...string) map[string]any { return Map(o.At(path...)) }

// List is the list at a path; empty where there is none.
func (o Object) List(path ...string) []any {
	list, _ := o.At(path...).([]any)
	return list
}

// Maps are the maps in the list at a path.
func (o Object) Maps(path ...string) []Object { return Maps(o.At(path...)) }

// Labels are those of the metadata.
func (o Object) Labels() map[string]any { return o.Map("metadata", "labels") }

// Map is a value as a map; empty where it is none.
func Map(value any) map[string]any {
	switch m := value.(type) {
	case map[string]any:
		return m
	case Object:
		return m
	}
	return nil
}

// Maps are the maps in a value that is a list; none where it is none.
func Maps(value any) (all []Object) {
	list, _ := value.([]any)
	for _, item := range list {
		if m := Map(item); m != nil {
			all = append(all, m)
		}
	}
	return all
}

// Copy is a copy that shares nothing.
func (o Object) Copy() (Object, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("copy %s: %w", o.ID(), err)
	}
	var other Object
	if err := json.Unmarshal(text, &other); err != nil {
		return nil, fmt.Errorf("copy %s: %w", o.ID(), err)
	}
	return other, nil
}

// Find returns the objects of a kind.
func Find(objects []Object, kind string) []Object {
	return slices.DeleteFunc(slices.Clone(objects), func(o Object) bool { return o.Kind() != kind })
}

// PodOf is the pod that a Deployment would make; false where the object makes none.
func PodOf(object Object) (Object, bool) {
	template := object.Map("spec", "template")
	if template == nil {
		return nil, false
	}
	metadata := map[string]any{}
	for key, value := range Map(template["metadata"]) {
		metadata[key] = value
	}
	metadata["name"], metadata["namespace"] = object.Name()+"-pod", object.Namespace()
	return Object{"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}, true
}

package httpjson

import (
	"embed"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"step-posture-connector/internal/document"
)

// presets are mappings that are part of the connector: NAME@VERSION.yaml. A version never changes what it means; a mapping
// that does gets another version.
// Embedding fills package variables only.
//
//go:embed presets
var presets embed.FS

// Presets are the names and versions of the presets.
func Presets() []string {
	files, err := fs.Glob(presets, "presets/*.yaml")
	if err != nil {
		return nil // the pattern is a constant
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(file, "presets/"), ".yaml")
	}
	slices.Sort(files)
	return files
}

// readPreset reads the preset of the section, which is a document of its own.
func (r *reader) readPreset() *document.Document {
	v := r.own.Get(keyPreset)
	name, ok := v.Text()
	if !ok {
		return nil
	}
	r.note(keyPreset, name)
	all := Presets()
	accepted := strings.Join(all, ", ")
	if len(all) == 0 {
		accepted = "no preset"
	}
	if !slices.Contains(all, name) {
		v.Unknown("preset", name, all, accepted)
		return nil
	}
	content, err := presets.ReadFile("presets/" + name + ".yaml")
	if err != nil {
		v.Fault(accepted, "the preset cannot be read")
		return nil
	}
	shape := &document.Shape{Type: document.Map, Keys: slices.DeleteFunc(keys(), func(k document.Key) bool { return k.Name == keyPreset })}
	d, root, err := document.Parse("preset "+name, content, shape)
	if err != nil {
		v.Fault(accepted, "the preset cannot be read: %v", err)
		return nil
	}
	r.preset = root.Mapping()
	return d
}

// presetFaults reports what is wrong with the preset as the section changes it: a variable that was removed, for example.
func (r *reader) presetFaults(d *document.Document) {
	if d == nil {
		return
	}
	for _, fault := range d.Faults() {
		if f := (document.Fault{}); errors.As(fault, &f) {
			r.own.Get(keyPreset).Fault("keys of the section that fit it", "the preset does not fit: %s: %s", f.Path, f.Text)
		}
	}
}

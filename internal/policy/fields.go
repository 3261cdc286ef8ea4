package policy

import (
	"maps"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"step-posture-connector/internal/posture"
)

// field is a field of a variable that expressions can read.
type field struct {
	cel   *types.FieldType
	words []string // the only values that a text has; nil means any
	fact  *posture.Definition
}

// object is the type of a variable with fields.
type object map[string]field

// fieldTypes hands our types to CEL. It knows no other structs, so that no expression can make a message.
type fieldTypes struct {
	types.Provider
	objects map[string]object
}

// FindStructType implements types.Provider.
func (f fieldTypes) FindStructType(name string) (*types.Type, bool) {
	if _, ok := f.objects[name]; !ok {
		return nil, false
	}
	return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
}

// FindStructFieldNames implements types.Provider.
func (f fieldTypes) FindStructFieldNames(name string) ([]string, bool) {
	o, ok := f.objects[name]
	return slices.Sorted(maps.Keys(o)), ok
}

// FindStructFieldType implements types.Provider.
func (f fieldTypes) FindStructFieldType(name, fieldName string) (*types.FieldType, bool) {
	found, ok := f.objects[name][fieldName]
	return found.cel, ok
}

// NewValue implements types.Provider.
func (f fieldTypes) NewValue(name string, _ map[string]ref.Val) ref.Val {
	return types.NewErr("%s cannot be made", name)
}

// newField makes a field of T's. get returns its value, and whether it is known; path names it in errors.
func newField[T any](path string, t *types.Type, get func(T) (any, bool)) field {
	unknown := &unknownError{path} // one for all requests: nothing writes to it
	return field{cel: &types.FieldType{
		Type: t,
		IsSet: func(target any) bool {
			of, ok := target.(T)
			if !ok {
				return false
			}
			_, known := get(of)
			return known
		},
		GetFrom: func(target any) (any, error) {
			of, ok := target.(T)
			if !ok {
				return nil, unknown
			}
			value, known := get(of)
			if !known {
				return nil, unknown
			}
			return celValue(value), nil
		},
	}}
}

// factFields are the fields of device (or user) in the record that prefix names, such as "" or "records.owned.".
func factFields(prefix, of string) object {
	o := object{}
	for _, d := range posture.Vocabulary() {
		name, ok := strings.CutPrefix(d.Name, of+".")
		if !ok {
			continue
		}
		get := reader(d)
		f := newField(prefix+d.Name, celType(d.Type), func(r *posture.Device) (any, bool) {
			if r == nil {
				return nil, false
			}
			return get(r)
		})
		if d.Type == posture.AttributesFact {
			// Never unknown as a whole: each attribute is known or unknown, and only it can be read.
			f.cel.GetFrom = func(target any) (any, error) {
				all := attributes{}
				if r, ok := target.(*posture.Device); ok && r != nil {
					all.all, _ = r.Facts.Attributes.Get()
				}
				return all, nil
			}
		}
		f.words, f.fact = d.Words, d
		o[name] = f
	}
	return o
}

// reader returns what reads a fact. Where it can, it makes at once a value of CEL, which would make one of each other value.
func reader(d *posture.Definition) func(*posture.Device) (any, bool) {
	switch d.Type {
	case posture.TextFact:
		return func(r *posture.Device) (any, bool) {
			text, known := d.Text(r)
			return types.String(text), known
		}
	case posture.VersionFact:
		return func(r *posture.Device) (any, bool) {
			v, known := posture.ValueOf[posture.Version](d, r)
			return version{v}, known
		}
	case posture.TimeFact:
		return func(r *posture.Device) (any, bool) {
			t, known := posture.ValueOf[time.Time](d, r)
			return types.Timestamp{Time: t}, known
		}
	default:
		return d.Get
	}
}

package policy

import (
	"fmt"
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// attributes are a record's other fields as a value of CEL. A missing one is unknown: its index is an error. One without
// text is missing, as every other fact.
type attributes struct{ all map[string]string }

func (a attributes) text(name string) (string, bool) {
	text := a.all[name]
	return text, text != ""
}

// Find implements traits.Mapper.
func (a attributes) Find(key ref.Val) (ref.Val, bool) {
	name, _ := key.(types.String)
	text, ok := a.text(string(name))
	if !ok {
		return nil, false
	}
	return types.String(text), true
}

// Contains implements traits.Container: has(device.attributes["name"]).
func (a attributes) Contains(key ref.Val) ref.Val {
	_, ok := a.Find(key)
	return types.Bool(ok)
}

// Get implements traits.Indexer.
func (a attributes) Get(key ref.Val) ref.Val {
	if value, ok := a.Find(key); ok {
		return value
	}
	return types.NewErr("the attribute is unknown")
}

// Iterator implements traits.Iterable. Expressions cannot go through attributes.
func (a attributes) Iterator() traits.Iterator {
	return types.NewStringList(types.DefaultTypeAdapter, nil).Iterator()
}

// Size implements traits.Sizer.
func (a attributes) Size() ref.Val { return types.Int(len(a.all)) }

// ConvertToNative implements ref.Val.
func (a attributes) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("attributes are no %v", t)
}

// ConvertToType implements ref.Val.
func (a attributes) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("attributes are no %s", t.TypeName())
}

// Equal implements ref.Val. Expressions cannot compare attributes as a whole.
func (a attributes) Equal(ref.Val) ref.Val { return types.False }

// Type implements ref.Val.
func (a attributes) Type() ref.Type { return types.MapType }

// Value implements ref.Val.
func (a attributes) Value() any { return a.all }

package expression

import (
	"errors"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// errUnfit is the error of a value that JSON does not have.
var errUnfit = errors.New("the result is of a type that no fact has")

// native makes a value of CEL one of Go.
func native(v ref.Val) (value any, known bool, err error) {
	if o, is := v.(*types.Optional); is {
		if !o.HasValue() {
			return nil, false, nil
		}
		return native(o.GetValue())
	}
	switch v := v.(type) {
	case *types.Err:
		return nil, false, ofAnswer(v)
	case types.Null:
		return nil, false, nil
	case types.Bool:
		return bool(v), true, nil
	case types.String:
		return string(v), true, nil
	case types.Int:
		return int64(v), true, nil
	case types.Uint:
		return uint64(v), true, nil
	case types.Double:
		return float64(v), true, nil
	case types.Timestamp:
		return v.Time, true, nil
	case traits.Mapper:
		return object(v)
	case traits.Lister:
		return list(v)
	}
	return nil, false, errUnfit
}

// element is native for a member or an element: one that cannot be kept stays an error for whoever reads it.
func element(v ref.Val) (any, error) {
	if types.IsError(v) {
		return v, nil
	}
	value, _, err := native(v)
	return value, err
}

func list(of traits.Lister) (any, bool, error) {
	all := []any{}
	for i := of.Iterator(); i.HasNext() == types.True; {
		value, err := element(i.Next())
		if err != nil {
			return nil, false, err
		}
		all = append(all, value)
	}
	return all, true, nil
}

func object(of traits.Mapper) (any, bool, error) {
	all := map[string]any{}
	for i := of.Iterator(); i.HasNext() == types.True; {
		key := i.Next()
		name, isText := key.(types.String)
		if !isText {
			return nil, false, errUnfit
		}
		value, err := element(of.Get(key))
		if err != nil {
			return nil, false, err
		}
		all[string(name)] = value
	}
	return all, true, nil
}

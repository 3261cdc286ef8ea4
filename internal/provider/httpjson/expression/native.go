package expression

import (
	"errors"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// errUnfit is the error of a value that JSON does not have.
var errUnfit = errors.New("the result is of a type that no fact has")

// errLong is the error of a result that has been made much longer than the answer.
var errLong = errors.New("the result has too many values")

// native makes a value of CEL one of Go, of as many values as are left.
func native(v ref.Val, left *int) (value any, known bool, err error) {
	if *left--; *left < 0 {
		return nil, false, errLong
	}
	if o, is := v.(*types.Optional); is {
		if !o.HasValue() {
			return nil, false, nil
		}
		return native(o.GetValue(), left)
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
		return object(v, left)
	case traits.Lister:
		return list(v, left)
	}
	return nil, false, errUnfit
}

// element is native for a member or an element: one that cannot be kept stays an error for the expression that reads it.
func element(v ref.Val, left *int) (any, error) {
	if types.IsError(v) {
		return v, nil
	}
	value, _, err := native(v, left)
	return value, err
}

func list(of traits.Lister, left *int) (any, bool, error) {
	if n, isNumber := of.Size().(types.Int); !isNumber || int64(n) > int64(*left) {
		return nil, false, errLong
	}
	all := []any{}
	for i := of.Iterator(); i.HasNext() == types.True; {
		value, err := element(i.Next(), left)
		if err != nil {
			return nil, false, err
		}
		all = append(all, value)
	}
	return all, true, nil
}

func object(of traits.Mapper, left *int) (any, bool, error) {
	all := map[string]any{}
	for i := of.Iterator(); i.HasNext() == types.True; {
		key := i.Next()
		name, isText := key.(types.String)
		if !isText {
			return nil, false, errUnfit
		}
		value, err := element(of.Get(key), left)
		if err != nil {
			return nil, false, err
		}
		all[string(name)] = value
	}
	return all, true, nil
}

package expression

import (
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// bounded are functions of CEL's extensions that could make much more of an answer than it is. CEL counts their cost behind
// them, when the memory is taken and the time is gone, so the same functions are declared again with a bound before them.
func bounded() []cel.EnvOption {
	text, number, texts, list := cel.StringType, cel.IntType, cel.ListType(cel.StringType), cel.ListType(cel.TypeParamType("T"))
	return []cel.EnvOption{
		cel.Function("replace",
			cel.MemberOverload("string_replace_string_string", []*cel.Type{text, text, text}, text, cel.FunctionBinding(func(args ...ref.Val) ref.Val { return replace(args, -1) })),
			cel.MemberOverload("string_replace_string_string_int", []*cel.Type{text, text, text, number}, text, cel.FunctionBinding(func(args ...ref.Val) ref.Val {
				return replace(args, int(args[3].(types.Int)))
			}))),
		cel.Function("join",
			cel.MemberOverload("list_join", []*cel.Type{texts}, text, cel.UnaryBinding(func(of ref.Val) ref.Val { return join(of, types.String("")) })),
			cel.MemberOverload("list_join_string", []*cel.Type{texts, text}, text, cel.BinaryBinding(join))),
		cel.Function("distinct", cel.MemberOverload("list_distinct", []*cel.Type{list}, list, cel.UnaryBinding(distinct))),
	}
}

func replace(args []ref.Val, most int) ref.Val {
	text, before, after := string(args[0].(types.String)), string(args[1].(types.String)), string(args[2].(types.String))
	n := strings.Count(text, before)
	if most >= 0 {
		n = min(n, most)
	}
	if n > 0 && len(after) > (maxText-min(len(text), maxText))/n {
		return types.NewErr("replace() makes a text that is too long")
	}
	return types.String(strings.Replace(text, before, after, most))
}

func join(of, between ref.Val) ref.Val {
	separator := string(between.(types.String))
	var text strings.Builder
	list := of.(traits.Lister)
	for i := list.Iterator(); i.HasNext() == types.True; {
		element, isText := i.Next().(types.String)
		if !isText {
			return types.NewErr("join() has a value that is no text")
		}
		if text.Len()+len(separator)+len(element) > maxText {
			return types.NewErr("join() makes a text that is too long")
		}
		text.WriteString(string(element))
		if i.HasNext() == types.True {
			text.WriteString(separator)
		}
	}
	return types.String(text.String())
}

// distinct compares each element with each other one.
func distinct(of ref.Val) ref.Val {
	list := of.(traits.Lister)
	if n, isNumber := list.Size().(types.Int); !isNumber || n > maxDistinct {
		return types.NewErr("distinct() has a list that is too long")
	}
	found := []ref.Val{}
	for i := list.Iterator(); i.HasNext() == types.True; {
		element, is := i.Next(), false
		for _, other := range found {
			is = is || element.Equal(other) == types.True
		}
		if !is {
			found = append(found, element)
		}
	}
	return types.DefaultTypeAdapter.NativeToValue(found)
}

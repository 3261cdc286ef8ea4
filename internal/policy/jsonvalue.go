package policy

import (
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// jsonValue refuses a result that JSON has no value for, at its place: the checker does not know what is in a list of
// several types.
func (w *walk) jsonValue(tree *ast.AST, e ast.Expr) {
	switch {
	case e.Kind() == ast.ListKind:
		for _, element := range e.AsList().Elements() {
			w.jsonValue(tree, element)
		}
	case e.Kind() == ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			key := entry.AsMapEntry().Key()
			if t := tree.GetType(key.ID()); t.Kind() != types.StringKind && t.Kind() != types.DynKind {
				w.fault(w.begin(key), "text", "the key of a map is %s", plain(t))
			}
			w.jsonValue(tree, entry.AsMapEntry().Value())
		}
	case e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.Conditional:
		w.jsonValue(tree, e.AsCall().Args()[1])
		w.jsonValue(tree, e.AsCall().Args()[2])
	default:
		if name := notJSON(tree.GetType(e.ID())); name != "" {
			w.fault(w.begin(e), "text, a number, true or false, a time, a version, or a list or map of these", "the result is %s", name)
		}
	}
}

// notJSON names the type in t that JSON has no value for, or returns "".
func notJSON(t *types.Type) string {
	switch t.Kind() {
	case types.StringKind, types.BoolKind, types.IntKind, types.UintKind, types.DoubleKind, types.TimestampKind, types.NullTypeKind, types.DynKind:
		return ""
	case types.OpaqueKind:
		if t.TypeName() == versionTypeName {
			return ""
		}
	case types.MapKind:
		if key := t.Parameters()[0]; key.Kind() != types.StringKind && key.Kind() != types.DynKind {
			return "a map with keys that are " + plain(key)
		}
		return notJSON(t.Parameters()[1])
	case types.ListKind:
		return notJSON(t.Parameters()[0])
	default:
	}
	return plain(t)
}

package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
)

// Read is one thing that an expression reads.
type Read struct {
	Path string // "device.os_version", `records.owned.device.attributes["Asset tag"]`
	// Fact is the fact of the vocabulary; nil where the path is none, such as request.mode and records.owned.found.
	Fact *posture.Definition
	// Record is the name of the inventory in records.NAME, or empty for the record that decides.
	Record string

	variable  string
	fields    []field // from the variable to the value
	attribute string  // its name, where Fact is device.attributes
	searched  bool    // a list is searched for member
	member    string
}

// value returns what is read, and whether it is known.
func (r Read) value(q *posture.Evidence) (any, bool) {
	value, ok := evidence{q}.ResolveName(r.variable)
	for _, f := range r.fields {
		next, err := f.cel.GetFrom(value)
		if err != nil {
			return nil, false
		}
		value = next
	}
	switch v := value.(type) {
	case attributes:
		return v.text(r.attribute)
	case types.String:
		return string(v), ok
	}
	return value, ok
}

func factsOf(reads []Read) (facts posture.FactSet) {
	for _, r := range reads {
		if r.Fact != nil {
			facts |= r.Fact.Set()
		}
	}
	return facts
}

// resolution is what a selection such as device.os_version stands for.
type resolution struct {
	root   ast.Expr
	read   Read
	t      *types.Type
	words  []string
	object object // the fields of t, if it has any

	// The first part that is wrong, and where it was looked for.
	wrong    ast.Expr
	wrongIn  string
	accepted []string
}

// resolve resolves a selection that begins with one of our variables. ok is false for anything else.
func (w *walk) resolve(e ast.Expr) (r resolution, ok bool) {
	var names []ast.Expr
	for r.root = e; r.root.Kind() == ast.SelectKind; r.root = r.root.AsSelect().Operand() {
		names = append(names, r.root)
	}
	if r.root.Kind() != ast.IdentKind || slices.Contains(w.bound, r.root.AsIdent()) {
		return r, false
	}
	name := r.root.AsIdent()
	r.read = Read{Path: name, variable: name}
	if r.t, ok = w.scope.variables[name]; !ok {
		r.wrong, r.accepted = r.root, slices.Sorted(maps.Keys(w.scope.variables))
		return r, true
	}
	if name == "inventory" {
		r.words = w.scope.inventories
	}
	r.object = w.scope.fields.objects[r.t.TypeName()]
	for _, n := range slices.Backward(names) {
		name := n.AsSelect().FieldName()
		next, ok := r.object[name]
		if !ok {
			r.wrong, r.wrongIn, r.accepted = n, r.read.Path, slices.Sorted(maps.Keys(r.object))
			return r, true
		}
		r.read.Path += "." + name
		r.read.fields = append(r.read.fields, next)
		r.read.Fact, r.t, r.words = next.fact, next.cel.Type, next.words
		r.object = w.scope.fields.objects[r.t.TypeName()]
		if r.read.variable == "records" && r.read.Record == "" {
			r.read.Record = name
		}
	}
	return r, true
}

// path walks a selection.
func (w *walk) path(e ast.Expr) {
	r, ok := w.resolve(e)
	switch {
	case !ok && e.Kind() == ast.SelectKind && e.AsSelect().IsTestOnly():
		// A member that a map lacks is absent, not unknown.
		w.noFact(w.begin(e))
	case !ok && r.root.Kind() != ast.IdentKind:
		w.expr(r.root)
	case !ok:
	case r.isAttributes():
		// What an inventory leaves out is unknown, not absent.
		at := w.node(r.root)
		if r.wrong != nil {
			at = w.fieldPlace(r.wrong)
		}
		w.fault(at, r.read.Path+`["name"], has(`+r.read.Path+`["name"])`, "%s can only be read with a name in quotation marks", r.read.Path)
	case r.wrong != nil:
		w.unknownName(r)
	case r.object != nil:
		w.fault(w.node(r.root), "with one of these behind "+r.read.Path+".: "+strings.Join(slices.Sorted(maps.Keys(r.object)), ", "), "%s is no value by itself", r.read.Path)
	default:
		w.read(r.read)
	}
}

func (r resolution) isAttributes() bool { return r.t != nil && r.t.Kind() == types.MapKind }

// unknownName reports a name that does not exist, unless it is a field of a text or a list: that CEL's checker reports.
func (w *walk) unknownName(r resolution) {
	var name, what string
	var at place
	switch {
	case r.wrongIn == "":
		name, at, what = r.root.AsIdent(), w.node(r.root), "variable"
	case r.object == nil:
		return
	default:
		name, at, what = r.wrong.AsSelect().FieldName(), w.fieldPlace(r.wrong), "name in "+r.wrongIn
	}
	w.reported[w.node(r.wrong)] = true
	text := fmt.Sprintf("unknown %s %q", what, name)
	names := r.accepted
	if what == "variable" {
		names = append([]string{"true", "false"}, names...)
	}
	near := document.Nearest(name, names)
	if near != "" {
		text += "; did you mean " + near + "?"
	}
	accepted := cmp.Or(strings.Join(r.accepted, ", "), "the name of an inventory of the policy")
	if r.wrongIn+"." == urlPath {
		accepted = cmp.Or(strings.Join(r.accepted, ", "), orNoParameters(nil))
	}
	if r.wrongIn == dataVariable {
		accepted = orNoData(w.scope.policy, r.accepted)
	}
	if what == "variable" && name == referenceVariable {
		w.fault(at, "another variable, or an expression in the section data", "only data may read reference: the reference of a decision is random")
		return
	}
	if what == "variable" && near == "" {
		accepted += fmt.Sprintf("; or %q in quotation marks, if it is text", name)
	}
	w.fault(at, accepted, "%s", text)
}

// read notes that something is read.
func (w *walk) read(r Read) {
	if key := r.Path + "\x00" + strconv.FormatBool(r.searched) + r.member; !w.seen[key] {
		w.seen[key] = true
		w.reads = append(w.reads, r)
	}
}

// attribute walks attributes["name"]: the name must be written out, so that what is read is known when a policy is loaded.
func (w *walk) attribute(e ast.Expr, r resolution, name ast.Expr) {
	text, ok := literal(name)
	if !ok {
		w.reported[w.node(e)] = true
		w.fault(w.begin(name), "a name in quotation marks", "the name of an attribute is computed")
		return
	}
	r.read.attribute = text
	r.read.Path = fmt.Sprintf("%s[%q]", r.read.Path, text)
	w.read(r.read)
}

func didYouMean(text string, words []string) string {
	near := document.Nearest(text, words)
	if near == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", near)
}

package policy

import (
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"step-posture-connector/internal/posture"
)

// leaves are the expressions that can be the value of e: the results of ? :, and what a loop's variable goes through.
func (w *walk) leaves(e ast.Expr) []ast.Expr {
	switch {
	case e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.Conditional:
		args := e.AsCall().Args()
		return append(w.leaves(args[1]), w.leaves(args[2])...)
	case e.Kind() == ast.IdentKind && slices.Contains(w.bound, e.AsIdent()):
		var all []ast.Expr
		if list := w.ranges[e.AsIdent()]; list != nil && list.Kind() == ast.ListKind {
			for _, element := range list.AsList().Elements() {
				all = append(all, w.leaves(element)...)
			}
		}
		return all
	}
	return []ast.Expr{e}
}

// compared holds literals that a fact is compared with to the words that the fact can have.
func (w *walk) compared(a, b ast.Expr) {
	for _, one := range w.leaves(a) {
		for _, other := range w.leaves(b) {
			if one.Kind() == ast.ListKind && other.Kind() == ast.ListKind {
				ones, others := one.AsList().Elements(), other.AsList().Elements()
				for i := range min(len(ones), len(others)) {
					w.compared(ones[i], others[i])
				}
				continue
			}
			w.word(one, other)
			w.word(other, one)
		}
	}
}

// among is compared for the elements of a list.
func (w *walk) among(value, list ast.Expr) {
	for _, l := range w.leaves(list) {
		if l.Kind() == ast.ListKind {
			for _, element := range l.AsList().Elements() {
				w.compared(value, element)
			}
		}
	}
}

// word holds one literal to the words of one fact.
func (w *walk) word(fact, compared ast.Expr) {
	text, isLiteral := literal(compared)
	if !isLiteral {
		return
	}
	r, ok := w.resolve(fact)
	if !ok || r.wrong != nil || r.words == nil || slices.Contains(r.words, text) {
		return
	}
	accepted := quoted(r.words)
	if more := w.scope.moreCallers; more != nil && r.read.Path == "request.caller" {
		if more(text) {
			return
		}
		accepted += ", or the ID of a webhook in the environment"
	}
	w.fault(w.node(compared), accepted, "%s is never %q%s", r.read.Path, text, didYouMean(text, r.words))
}

// versions holds literals to what can be a version.
func (w *walk) versions(args []ast.Expr) {
	if len(args) != 1 {
		return // CEL's checker reports it
	}
	for _, l := range w.leaves(args[0]) {
		if text, ok := literal(l); ok {
			if _, err := posture.ParseVersion(text); err != nil {
				w.fault(w.node(l), `one to four numbers, such as "15.4"`, "%q is not a version", text)
			}
		}
	}
}

// versionsAsTexts refuses to order versions by their letters: 9.1 would be newer than 15.4.
func (w *walk) versionsAsTexts(e ast.Expr, args []ast.Expr) {
	for _, arg := range args {
		if arg.Kind() != ast.CallKind || arg.AsCall().FunctionName() != "string" || len(arg.AsCall().Args()) != 1 {
			continue
		}
		if r, ok := w.resolve(arg.AsCall().Args()[0]); ok && r.wrong == nil && r.t.TypeName() == versionTypeName {
			w.fault(w.node(e), atLeastOrBelow, "the texts of versions are compared letter by letter, so that 9.1 is more than 15.4")
		}
	}
}

package policy

import (
	"regexp"
	"slices"
	"time"

	// A policy must mean the same on a machine without a time zone database.
	_ "time/tzdata"

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
	if ok && r.wrong == nil && r.words != nil && !slices.Contains(r.words, text) {
		w.fault(w.node(compared), quoted(r.words), "%s is never %q%s", r.read.Path, text, didYouMean(text, r.words))
	}
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

var offsetPattern = regexp.MustCompile(`^[+-]?([01]?[0-9]|2[0-3]):[0-5][0-9]$`)

// zone holds a time zone that is written out to one that exists: the rule would never be met. Local is that of the
// machine, so that a policy would mean something else on another one.
func (w *walk) zone(args []ast.Expr) {
	text, ok := literal(args...)
	if !ok || offsetPattern.MatchString(text) {
		return
	}
	if _, err := time.LoadLocation(text); err != nil || text == "" || text == "Local" {
		w.fault(w.node(args[0]), `a name such as "Europe/Berlin", or an offset such as "+02:00"`, "%s is no time zone", quote(text))
	}
}

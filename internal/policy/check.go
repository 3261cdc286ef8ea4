package policy

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// checkedTree is an expression that may be evaluated.
type checkedTree struct {
	tree    *cel.Ast
	reads   []Read
	windows []Window
}

// check parses an expression, and checks names, types, words, loops and cost. CEL's own checker comes after our
// walk: it knows neither the words of a fact nor the nearest name. The result is of the type want, unless that is nil.
func (s *Scope) check(text string, want *types.Type) (checkedTree, Faults) {
	if n := utf8.RuneCountInString(text); n > maxExpression {
		return checkedTree{}, Faults{{Line: 1, Column: 1, Text: fmt.Sprintf("the expression has %d characters", n), Accepted: fmt.Sprintf("at most %d", maxExpression)}}
	}
	if at, is := tooDeep(text); is {
		return checkedTree{}, Faults{{Line: at.line, Column: at.column, Text: nestedTooDeeply, Accepted: fmt.Sprintf("%d levels", maxDepth)}}
	}
	parsed, issues := s.env.Parse(text)
	if issues.Err() != nil {
		// One: what follows a syntax error is guessed.
		first := issues.Errors()[0]
		at := nameBefore([]rune(text), placeOf(first.Location))
		message, accepted := rewordSyntax(first.Message)
		if strings.HasPrefix(message, optionalSyntax) {
			at.column++ // CEL has the dot or the bracket before the question mark
		}
		if accepted == acceptedExpression && wordBefore([]rune(text), at) == "not" {
			at.column, accepted = max(1, at.column-len("not ")), operatorWords
		}
		return checkedTree{}, Faults{{Line: at.line, Column: at.column, Text: message, Accepted: accepted}}
	}
	w := &walk{scope: s, source: []rune(text), info: parsed.NativeRep().SourceInfo(), seen: map[string]bool{}, reported: map[place]bool{}, ranges: map[string]ast.Expr{}}
	w.expr(parsed.NativeRep().Expr())
	if w.tooDeep {
		// Fail closed, and early: CEL's checker takes minutes for hundreds of loops in each other.
		return checkedTree{}, w.faults.sorted()
	}
	checked, issues := s.env.Check(parsed)
	w.checker(parsed, issues.Errors())
	if len(w.faults) == 0 {
		w.types(checked, want)
	}
	if len(w.faults) == 0 {
		w.cost(checked)
	}
	if len(w.faults) > 0 {
		return checkedTree{}, w.faults.sorted()
	}
	return checkedTree{checked, w.reads, w.windows(parsed.NativeRep().Expr())}, nil
}

// checker reports what CEL's checker found, in our words and at our places.
func (w *walk) checker(parsed *cel.Ast, errors []*cel.Error) {
	byID := map[int64]ast.Expr{}
	ast.PostOrderVisit(parsed.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) { byID[e.ID()] = e }))
	walked := len(w.faults) > 0
	for _, e := range errors {
		at := placeOf(e.Location)
		if w.reported[at] || walked && consequence.MatchString(e.Message) {
			continue
		}
		switch of := byID[e.ExprID]; {
		case of == nil:
		case selectionError.MatchString(e.Message):
			at = w.fieldPlace(of)
		case of.Kind() == ast.SelectKind, mismatchError.MatchString(e.Message) && of.Kind() == ast.CallKind && of.AsCall().FunctionName() == operators.Index:
			at = w.at(of)
		}
		text, accepted := reword(e.Message)
		w.fault(nameBefore(w.source, at), accepted, "%s", text)
	}
}

// consequence is what CEL reports because of something that our walk has reported: records by themselves, and messages.
var consequence = regexp.MustCompile(`@(device|user|request|record|data)|unexpected failed resolution|is not a (message )?type`)

// types checks what CEL's checker accepts and we do not.
func (w *walk) types(checked *cel.Ast, want *types.Type) {
	w.listsInLoops(checked.NativeRep())
	if want != nil && !checked.OutputType().IsExactType(want) {
		accepted := "an expression that is true or false"
		if want.IsExactType(types.StringType) {
			accepted = "an expression that is a text"
		}
		w.fault(place{1, 1}, accepted, "the result is %s", plain(checked.OutputType()))
		return
	}
	tree := checked.NativeRep()
	if want == nil { // JSON has lists of several types
		w.jsonValue(tree, tree.Expr())
		return
	}
	ast.PostOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if isMixed(tree.GetType(e.ID())) {
			w.fault(w.at(e), "values of one type", "values of several types in one list or map")
		}
	}))
}

// listsInLoops refuses to compare lists for each element of another one: that is a loop in a loop, and its cost is not
// estimated as one.
func (w *walk) listsInLoops(tree *ast.AST) {
	compares := func(e ast.Expr) {
		if e.Kind() != ast.CallKind {
			return
		}
		call := e.AsCall()
		if f := call.FunctionName(); f != operators.Equals && f != operators.NotEquals {
			return
		}
		for _, arg := range call.Args() {
			if t := tree.GetType(arg.ID()); t != nil && (t.Kind() == types.ListKind || t.Kind() == types.MapKind) {
				w.fault(w.node(e), notNested, "a loop in a loop: lists are compared for each element of another one")
			}
		}
	}
	ast.PostOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.ComprehensionKind {
			ast.PostOrderVisit(e.AsComprehension().LoopStep(), ast.NewExprVisitor(compares))
		}
	}))
}

// isMixed reports whether a type is one that hides another from the checker, or a list or map of such.
func isMixed(t *types.Type) bool {
	if t == nil {
		return false
	}
	if t.Kind() == types.DynKind || t.Kind() == types.AnyKind {
		return true
	}
	for _, parameter := range t.Parameters() {
		if isMixed(parameter) {
			return true
		}
	}
	return false
}

// cost refuses an expression that could take too long for the largest record.
func (w *walk) cost(checked *cel.Ast) {
	estimate, err := w.scope.env.EstimateCost(checked, sizes{})
	switch {
	case err != nil:
		w.fault(place{1, 1}, "a simpler expression", "its cost cannot be estimated: %v", err)
	case estimate.Max > maxCost:
		w.fault(place{1, 1}, fmt.Sprintf("expressions that cost at most %d", maxCost),
			"it could cost %d for a device with %d groups of %d characters", estimate.Max, sizeOfList, sizeOfText)
	}
}

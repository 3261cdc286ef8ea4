package policy

import (
	"slices"
	"strings"
	"unicode"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// place is a place in an expression, from 1, in characters.
type place struct{ line, column int }

func placeOf(l common.Location) place { return place{max(l.Line(), 1), max(l.Column(), 0) + 1} }

// at is where an expression begins. CEL has the dot of a selection and the bracket of an index.
func (w *walk) at(e ast.Expr) place {
	switch {
	case e.Kind() == ast.SelectKind:
		return w.at(e.AsSelect().Operand())
	case e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.Index:
		return w.at(e.AsCall().Args()[0])
	}
	return nameBefore(w.source, w.node(e))
}

// node is where CEL places an expression.
func (w *walk) node(e ast.Expr) place { return placeOf(w.info.GetStartLocation(e.ID())) }

// begin is where the text of an expression begins. CEL has the operator of a binary one.
func (w *walk) begin(e ast.Expr) place {
	first := w.at(e)
	ast.PostOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		if _, ok := w.info.GetOffsetRange(e.ID()); !ok {
			return // a macro has made it
		}
		if at := nameBefore(w.source, w.node(e)); at.line < first.line || at.line == first.line && at.column < first.column {
			first = at
		}
	}))
	return first
}

// nameBefore is where the name of a function or a message begins. CEL places a call at its bracket.
func nameBefore(source []rune, at place) place {
	row := source
	for range at.line - 1 {
		row = row[slices.Index(row, '\n')+1:]
	}
	bracket := at.column - 1
	if bracket >= len(row) || row[bracket] != '(' && row[bracket] != '{' {
		return at
	}
	isPath := row[bracket] == '{'
	end := bracket
	for end > 0 && row[end-1] == ' ' {
		end--
	}
	begin := end
	for begin > 0 && (row[begin-1] == '_' || isPath && row[begin-1] == '.' || unicode.IsLetter(row[begin-1]) || unicode.IsDigit(row[begin-1])) {
		begin--
	}
	if begin == end {
		return at
	}
	return place{at.line, begin + 1}
}

// fieldPlace is where the name behind the dot of a selection begins.
func (w *walk) fieldPlace(e ast.Expr) place {
	r, ok := w.info.GetOffsetRange(e.ID())
	if !ok {
		return w.node(e)
	}
	at := int(r.Start)
	if e.AsSelect().IsTestOnly() {
		// CEL places has(a.b) at its bracket: b is behind the dot that follows a.
		operand := e.AsSelect().Operand()
		if before, ok := w.info.GetOffsetRange(operand.ID()); ok {
			at = int(before.Start)
		}
		if operand.Kind() == ast.SelectKind {
			at++ // the dot before the operand's own name
		}
		for at < len(w.source) && w.source[at] != '.' {
			at++
		}
	}
	for at < len(w.source) && (w.source[at] == '.' || unicode.IsSpace(w.source[at])) {
		at++
	}
	return placeOf(w.info.GetLocationByOffset(int32(at))) //nolint:gosec // an expression has at most 4,096 characters
}

// wordBefore is the word before a place, with spaces between.
func wordBefore(source []rune, at place) string {
	row := source
	for range at.line - 1 {
		row = row[slices.Index(row, '\n')+1:]
	}
	words := strings.Fields(string(row[:min(at.column-1, len(row))]))
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

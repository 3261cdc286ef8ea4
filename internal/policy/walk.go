package policy

import (
	"fmt"
	"regexp"
	"slices"
	"time"
	"unicode"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"step-posture-connector/internal/posture"
)

// place is a place in an expression, from 1, in characters.
type place struct{ line, column int }

func placeOf(l common.Location) place { return place{max(l.Line(), 1), max(l.Column(), 0) + 1} }

// walk goes through a tree before CEL checks its types.
type walk struct {
	scope    *Scope
	source   []rune
	info     *ast.SourceInfo
	faults   Faults
	reported map[place]bool // where CEL would report again what we have reported
	reads    []Read
	seen     map[string]bool // what is in reads
	depth    int
	bound    []string // the variables of the loops around
}

func (w *walk) fault(at place, accepted, format string, args ...any) {
	w.faults = append(w.faults, Fault{Line: at.line, Column: at.column, Text: fmt.Sprintf(format, args...), Accepted: accepted})
}

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

// nameBefore is where the name of a function begins. CEL places a call at its bracket.
func nameBefore(source []rune, at place) place {
	row := source
	for range at.line - 1 {
		row = row[slices.Index(row, '\n')+1:]
	}
	bracket := at.column - 1
	if bracket >= len(row) || row[bracket] != '(' {
		return at
	}
	end := bracket
	for end > 0 && row[end-1] == ' ' {
		end--
	}
	begin := end
	for begin > 0 && (row[begin-1] == '_' || unicode.IsLetter(row[begin-1]) || unicode.IsDigit(row[begin-1])) {
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

// expr walks an expression that is used as a value.
func (w *walk) expr(e ast.Expr) {
	if w.depth++; w.depth == maxDepth+1 {
		w.fault(w.at(e), fmt.Sprintf("%d levels", maxDepth), "the expression is nested too deeply")
	}
	defer func() { w.depth-- }()
	switch e.Kind() {
	case ast.IdentKind, ast.SelectKind:
		w.path(e)
	case ast.CallKind:
		w.call(e)
	case ast.ListKind:
		for _, element := range e.AsList().Elements() {
			w.expr(element)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			w.expr(entry.AsMapEntry().Key())
			w.expr(entry.AsMapEntry().Value())
		}
	case ast.StructKind:
		w.reported[w.node(e)] = true
		w.fault(w.node(e), "", "messages cannot be made")
	case ast.ComprehensionKind:
		w.loop(e)
	case ast.LiteralKind, ast.UnspecifiedExprKind:
	}
}

func (w *walk) call(e ast.Expr) {
	call := e.AsCall()
	args := call.Args()
	switch call.FunctionName() {
	case operators.Index:
		if r, ok := w.resolve(args[0]); ok && r.isAttributes() {
			w.attribute(r, args[1])
			return
		}
	case operators.In:
		if w.in(e, args[0], args[1]) {
			return
		}
	case operators.Has: // with another number of arguments than one: otherwise it is a macro
		w.reported[w.node(e)] = true
		w.fault(w.at(e), `has(device.last_seen), has(device.attributes["name"])`, "has() takes one fact")
	case "timestamp", "duration":
		w.moment(call.FunctionName(), args)
	case operators.Equals, operators.NotEquals:
		for i, arg := range args {
			if arg.Kind() == ast.LiteralKind && arg.AsLiteral().Type() == types.NullType {
				w.reported[w.node(e)] = true
				w.fault(w.node(args[i]), "has(device.last_seen)", "no fact is null; whether it is known is asked with has()")
			}
		}
		w.wordsAmong(args[0], args[1])
		w.wordsAmong(args[1], args[0])
	case "matches":
		w.pattern(args[len(args)-1])
	case "atLeast", "below":
		if text, ok := literal(args...); ok {
			if _, err := posture.ParseVersion(text); err != nil {
				w.fault(w.node(args[0]), `one to four numbers, such as "15.4"`, "%q is not a version", text)
			}
		}
	case "days":
		w.reported[w.node(e)] = w.days(args)
	}
	if call.IsMemberFunction() {
		w.expr(call.Target())
	}
	for _, arg := range args {
		w.expr(arg)
	}
}

// in walks "value in list", and reports whether it has walked all of it.
func (w *walk) in(e, value, list ast.Expr) bool {
	r, ok := w.resolve(list)
	if _, isHas := w.info.GetMacroCall(e.ID()); ok && r.isAttributes() {
		if !isHas {
			// !("name" in device.attributes) would be met because the inventory does not know.
			w.fault(w.at(list), "has("+r.read.Path+`["name"])`, "whether an attribute is known is asked with has()")
			return true
		}
		w.attribute(r, value)
		return true
	}
	if len(w.bound) > 0 {
		w.fault(w.node(e), "", "a loop in a loop: in searches a list for each element of another one")
	}
	w.wordsAmong(value, list)
	if text, isLiteral := literal(value); ok && isLiteral && r.wrong == nil && r.object == nil {
		r.read.member = text
		w.read(r.read)
		return true
	}
	return false
}

// pattern holds a regular expression to one that is written out and compiles.
func (w *walk) pattern(e ast.Expr) {
	text, ok := literal(e)
	if !ok {
		w.fault(w.at(e), "a pattern in quotation marks", "the pattern of matches is computed")
		return
	}
	if _, err := regexp.Compile(text); err != nil {
		w.fault(w.node(e), "https://github.com/google/re2/wiki/Syntax", "%v", err)
	}
}

// days holds days() to numbers that are written out.
func (w *walk) days(args []ast.Expr) (wrong bool) {
	if len(args) != 1 {
		return false // CEL's checker reports it
	}
	n, ok := int64(0), false
	if args[0].Kind() == ast.LiteralKind {
		n, ok = args[0].AsLiteral().Value().(int64)
	}
	if !ok || n < 0 || n > maxDays {
		w.fault(w.at(args[0]), fmt.Sprintf("a number from 0 to %d", maxDays), "days() takes no such value")
		return true
	}
	return false
}

// moment holds timestamp() and duration() to texts that are one, where they are written out: the rule would never pass.
func (w *walk) moment(function string, args []ast.Expr) {
	text, ok := literal(args...)
	if !ok {
		return
	}
	accepted := "2026-01-01T00:00:00Z"
	_, err := time.Parse(time.RFC3339, text)
	if function == "duration" {
		accepted = "90m, 36h, 1h30m"
		_, err = time.ParseDuration(text)
	}
	if err != nil {
		w.fault(w.node(args[0]), "a text such as "+accepted, "%s() cannot read %s", function, quote(text))
	}
}

// literal returns the text of the only argument, if it is written out.
func literal(args ...ast.Expr) (string, bool) {
	if len(args) != 1 || args[0].Kind() != ast.LiteralKind {
		return "", false
	}
	text, ok := args[0].AsLiteral().Value().(string)
	return text, ok
}

// loop walks all(), exists() and the like.
func (w *walk) loop(e ast.Expr) {
	l := e.AsComprehension()
	at := nameBefore(w.source, w.node(e))
	w.expr(l.IterRange())
	if len(w.bound) > 0 {
		w.fault(at, "", "a loop in a loop")
	}
	if _, taken := w.scope.variables[l.IterVar()]; taken {
		w.fault(at, "another name", "the variable of the loop has the name of %s", l.IterVar())
	}
	before := w.bound
	w.bound = append(slices.Clone(before), l.IterVar(), l.IterVar2(), l.AccuVar())
	for _, part := range []ast.Expr{l.AccuInit(), l.LoopCondition(), l.LoopStep(), l.Result()} {
		w.expr(part)
	}
	w.bound = before
}

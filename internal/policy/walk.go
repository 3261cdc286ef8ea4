package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"step-posture-connector/internal/document"
)

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
	tooDeep  bool
	bound    []string            // the variables of the loops around
	ranges   map[string]ast.Expr // what they go through
}

func (w *walk) fault(at place, accepted, format string, args ...any) {
	f := Fault{Line: at.line, Column: at.column, Text: fmt.Sprintf(format, args...), Accepted: accepted}
	if !slices.Contains(w.faults, f) {
		w.faults = append(w.faults, f)
	}
}

// expr walks an expression that is used as a value.
func (w *walk) expr(e ast.Expr) {
	if w.depth++; w.depth == maxDepth+1 {
		w.tooDeep = true
		w.fault(w.at(e), fmt.Sprintf("%d levels", maxDepth), nestedTooDeeply)
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
		seen := map[string]bool{}
		for _, entry := range e.AsMap().Entries() {
			if text, ok := literal(entry.AsMapEntry().Key()); ok {
				if seen[text] {
					w.fault(w.node(entry.AsMapEntry().Key()), "each key once", "the map has the key %s already", quote(text))
				}
				seen[text] = true
			}
			w.expr(entry.AsMapEntry().Key())
			w.expr(entry.AsMapEntry().Value())
		}
	case ast.StructKind:
		w.reported[w.node(e)] = true
		w.fault(nameBefore(w.source, w.node(e)), "facts, texts, numbers, lists and maps", "messages cannot be made")
	case ast.ComprehensionKind:
		w.loop(e)
	case ast.LiteralKind, ast.UnspecifiedExprKind:
	}
}

func (w *walk) call(e ast.Expr) {
	call := e.AsCall()
	args := call.Args()
	if w.misspelledLoop(e, args) {
		return
	}
	switch call.FunctionName() {
	case operators.Index:
		if r, ok := w.resolve(args[0]); ok && r.isAttributes() {
			w.attribute(e, r, args[1])
			return
		}
	case operators.In:
		if w.in(e, args[0], args[1]) {
			return
		}
	case operators.Has: // with another number of arguments than one: otherwise it is a macro
		w.reported[w.node(e)] = true
		w.fault(w.at(e), acceptedInHas, "has() takes one fact")
	case "timestamp", "duration":
		w.moment(call.FunctionName(), args)
	case operators.Equals, operators.NotEquals:
		for i, arg := range args {
			if arg.Kind() == ast.LiteralKind && arg.AsLiteral().Type() == types.NullType {
				w.reported[w.node(e)] = true
				w.fault(w.node(args[i]), "has(device.last_seen)", "no fact is null; whether it is known is asked with has()")
			}
		}
		w.compared(args[0], args[1])
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		w.compared(args[0], args[1])
		w.versionsAsTexts(e, args)
	case operators.All, operators.Exists, operators.ExistsOne, operators.Map, operators.Filter: // otherwise it is a macro
		w.noLoop(e)
		return
	case "matches":
		w.pattern(args[len(args)-1])
	case "atLeast", "below":
		w.versions(args)
	case "days":
		w.reported[w.node(e)] = w.days(args)
	}
	w.zone(call.FunctionName(), args)
	if call.IsMemberFunction() {
		w.expr(call.Target())
	}
	for _, arg := range args {
		w.expr(arg)
	}
}

// in walks "value in list", and reports whether it has walked all of it. has(attributes["name"]) is one too.
func (w *walk) in(e, value, list ast.Expr) bool {
	r, ok := w.resolve(list)
	_, isHas := w.info.GetMacroCall(e.ID())
	switch {
	case isHas && (!ok || r.wrong == nil && !r.isAttributes()):
		w.reported[w.node(e)] = true
		w.noFact(w.begin(list))
		return true
	case isHas && r.wrong != nil:
		w.reported[w.node(e)] = true
		w.unknownName(r)
		return true
	case isHas:
		w.reported[w.node(e)] = true
		w.attribute(e, r, value)
		return true
	case ok && r.isAttributes():
		// !("name" in device.attributes) would be met because the inventory does not know.
		w.fault(w.at(list), "has("+r.read.Path+`["name"])`, "whether an attribute is known is asked with has()")
		return true
	}
	if len(w.bound) > 0 {
		w.fault(w.node(e), notNested, "a loop in a loop: in searches a list for each element of another one")
	}
	w.among(value, list)
	if text, isLiteral := literal(value); ok && isLiteral && r.wrong == nil && r.object == nil {
		r.read.searched, r.read.member = true, text
		w.read(r.read)
		return true
	}
	return false
}

// noFact reports that has() asks for what is no fact.
func (w *walk) noFact(at place) {
	w.fault(at, acceptedInHas, hasTakesFact)
}

// pattern holds a regular expression to one that is written out and compiles.
func (w *walk) pattern(e ast.Expr) {
	text, ok := literal(e)
	if !ok {
		w.fault(w.begin(e), "a pattern in quotation marks", "the pattern of matches is computed")
		return
	}
	if _, err := regexp.Compile(text); err != nil {
		w.fault(w.node(e), "https://github.com/google/re2/wiki/Syntax", "%v", err)
	} else if stepsOf(text) > maxSteps {
		w.fault(w.node(e), "smaller numbers in braces, which stand for as many copies of what is before them", "the pattern has more than %d steps", maxSteps)
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
		w.fault(w.begin(args[0]), fmt.Sprintf("a number from 0 to %d", maxDays), "days() takes no such value")
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

// notNested is what is right in place of a loop in a loop.
const notNested = "one loop, or one behind the other: device.groups.filter(…).exists(…)"

// loop walks all(), exists() and the like.
func (w *walk) loop(e ast.Expr) {
	l := e.AsComprehension()
	at := nameBefore(w.source, w.node(e))
	w.expr(l.IterRange())
	if len(w.bound) > 0 {
		w.fault(at, notNested, "a loop in a loop")
	}
	if _, taken := w.scope.variables[l.IterVar()]; taken {
		w.fault(at, "another name", "the variable of the loop has the name of %s", l.IterVar())
	}
	before := w.bound
	w.ranges[l.IterVar()] = l.IterRange()
	w.bound = append(slices.Clone(before), l.IterVar(), l.IterVar2(), l.AccuVar())
	for _, part := range []ast.Expr{l.AccuInit(), l.LoopCondition(), l.LoopStep(), l.Result()} {
		w.expr(part)
	}
	w.bound = before
}

// noLoop reports a loop whose brackets do not hold what a loop takes: its variables would all be unknown names.
func (w *walk) noLoop(e ast.Expr) {
	ast.PostOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) { w.reported[w.node(e)] = true }))
	name := e.AsCall().FunctionName()
	w.fault(w.at(e), `device.groups.`+name+`(g, g == "a")`, "%s() takes a list before it, a name and an expression", name)
}

// misspelledLoop reports a function that does not exist and has the arguments of a loop, whose variable would be one more
// unknown name.
func (w *walk) misspelledLoop(e ast.Expr, args []ast.Expr) bool {
	name := e.AsCall().FunctionName()
	if !e.AsCall().IsMemberFunction() || len(args) < 2 || args[0].Kind() != ast.IdentKind || w.scope.env.HasFunction(name) || slices.Contains(loops(), name) {
		return false
	}
	near := document.Nearest(name, loops())
	if near == "" {
		return false
	}
	ast.PostOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) { w.reported[w.node(e)] = true }))
	w.fault(w.at(e), strings.Join(loops(), ", "), "unknown function %q; did you mean %s?", name, near)
	return true
}

// loops are the functions that go through a list.
func loops() []string {
	return []string{operators.All, operators.Exists, operators.ExistsOne, operators.Filter, operators.Map}
}

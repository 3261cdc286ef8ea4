// Package expression reads decoded JSON by expressions of CEL (https://cel.dev): the mappings of the provider http.
//
// A value of the answer has no type before the answer is there, so most mistakes in an expression are found when it is
// evaluated, and each of them is an error: an answer that has changed its form is a fault, never "not found".
package expression

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
)

// The variables of expressions.
const (
	Body   = "body"   // the decoded answer
	Status = "status" // its HTTP status
	JSON   = "json"   // whether the answer says that it is JSON, and is
	Text   = "text"   // the answer as text
	Asked  = "asked"  // the identifier that was asked for
	Vars   = "vars"   // the variables of the inventory
	Item   = "item"   // one record of the answer
	Seen   = "seen"   // how many records the pages of a list have had, this one included
)

// Scope is what expressions may read.
type Scope struct {
	env   *cel.Env
	names []string
}

// NewScope makes a scope with these variables. A name that is none of the constants is a variable of any type.
func NewScope(names ...string) (*Scope, error) {
	options := []cel.EnvOption{
		cel.OptionalTypes(), ext.Strings(), ext.Lists(),
		cel.CrossTypeNumericComparisons(true), cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(maxExpression), cel.ParserRecursionLimit(parserDepth),
	}
	for _, name := range names {
		of := types.DynType
		switch name {
		case Status, Seen:
			of = types.IntType
		case JSON:
			of = types.BoolType
		case Text, Asked:
			of = types.StringType
		case Vars:
			of = types.NewMapType(types.StringType, types.StringType)
		}
		options = append(options, cel.Variable(name, of))
	}
	env, err := cel.NewEnv(slices.Concat(options, functions(), bounded())...)
	if err != nil {
		return nil, fmt.Errorf("expressions: %w", err)
	}
	return &Scope{env, slices.Clone(names)}, nil
}

// Without is the scope with fewer variables. It shares the environment, which takes milliseconds to make.
func (s *Scope) Without(names ...string) *Scope {
	return &Scope{s.env, slices.DeleteFunc(slices.Clone(s.names), func(name string) bool { return slices.Contains(names, name) })}
}

// Expression is a compiled expression.
type Expression struct {
	program cel.Program
	tree    *cel.Ast
	reads   []string
}

// Reads reports whether the expression reads a variable.
func (e *Expression) Reads(name string) bool { return slices.Contains(e.reads, name) }

// Compile compiles an expression whose result is of a kind. Every fault has its place in text.
func (s *Scope) Compile(text string, want Kind) (*Expression, []Fault) {
	tree, issues := s.env.Parse(text)
	if issues.Err() != nil {
		return nil, s.faults(text, issues.Errors()[:1]) // what follows a syntax error is guessed
	}
	if tree, issues = s.env.Check(tree); issues.Err() != nil {
		return nil, s.faults(text, issues.Errors())
	}
	e := &Expression{tree: tree}
	faults := s.outside(tree)
	ast.PostOrderVisit(tree.NativeRep().Expr(), ast.NewExprVisitor(func(node ast.Expr) {
		switch node.Kind() {
		case ast.ComprehensionKind:
			// A loop whose variable hides one of the scope would read something else than it says.
			for _, name := range loopNames(node.AsComprehension()) {
				if slices.Contains(s.known(), name) {
					at := tree.NativeRep().SourceInfo().GetStartLocation(node.ID())
					faults = append(faults, Fault{max(at.Line(), 1), max(at.Column(), 0) + 1, fmt.Sprintf("the name %q has a meaning already", name), "another name of a loop's variable"})
				}
			}
		case ast.IdentKind:
			if name := node.AsIdent(); slices.Contains(s.names, name) && !slices.Contains(e.reads, name) {
				e.reads = append(e.reads, name)
			}
		case ast.CallKind:
			// A pattern of the answer could be as long as the text, and the work is the product of both.
			if call := node.AsCall(); call.FunctionName() == "matches" && call.Args()[len(call.Args())-1].Kind() != ast.LiteralKind {
				at := tree.NativeRep().SourceInfo().GetStartLocation(node.ID())
				faults = append(faults, Fault{at.Line(), at.Column() + 1, "the pattern of matches() is no literal", `matches("a pattern")`})
			}
			// Their results are made before their cost is counted, and a number says how long they are.
			if name := node.AsCall().FunctionName(); name == "lists.range" || name == "format" {
				at := tree.NativeRep().SourceInfo().GetStartLocation(node.ID())
				faults = append(faults, Fault{at.Line(), at.Column() + 1, name + " is not supported", "the other functions of CEL's strings and lists extensions"})
			}
		default: // names nothing by itself
		}
	}))
	if len(faults) > 0 {
		return nil, faults
	}
	if !want.takes(tree.OutputType()) {
		return nil, []Fault{{1, 1, "the result is " + plain(tree.OutputType()), want.accepted()}}
	}
	var err error
	e.program, err = s.env.Program(tree, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(interruptEvery), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, []Fault{{1, 1, "it cannot be evaluated, whatever the answer is", "another expression"}}
	}
	return e, nil
}

// known are the variables of the environment, in the scope or not.
func (s *Scope) known() (names []string) {
	for _, v := range s.env.Variables() {
		names = append(names, v.Name())
	}
	return names
}

// loopNames are the variables of map(), exists() and the like, and of optMap().
func loopNames(loop ast.ComprehensionExpr) []string {
	return []string{loop.IterVar(), loop.IterVar2(), loop.AccuVar()}
}

// outside reports variables of the environment that are not in the scope.
func (s *Scope) outside(tree *cel.Ast) (faults []Fault) {
	info := tree.NativeRep().SourceInfo()
	for id, reference := range tree.NativeRep().ReferenceMap() {
		if name := reference.Name; name != "" && !slices.Contains(s.names, name) && slices.Contains(s.known(), name) {
			at := info.GetStartLocation(id)
			faults = append(faults, s.unknownName(Fault{Line: max(at.Line(), 1), Column: max(at.Column(), 0) + 1}, name))
		}
	}
	slices.SortFunc(faults, func(a, b Fault) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	return faults
}

// Evaluate returns the value of an expression as Decode has it; text is string, a time is time.Time. It is not known where
// it is null or none. The error says what is wrong in words that hold nothing of the answer.
func (e *Expression) Evaluate(ctx context.Context, variables map[string]any) (value any, known bool, err error) {
	result, _, err := e.program.ContextEval(ctx, variables)
	if err != nil {
		return nil, false, reworded(ctx, err)
	}
	left := maxResult
	return native(result, &left)
}

// Test is Evaluate of an expression that is true or false. Anything else is an error, unknown included.
func (e *Expression) Test(ctx context.Context, variables map[string]any) (bool, error) {
	value, _, err := e.Evaluate(ctx, variables)
	if err != nil {
		return false, err
	}
	is, isBool := value.(bool)
	if !isBool {
		return false, errors.New("the result is neither true nor false")
	}
	return is, nil
}

// reworded says why an evaluation failed. CEL's own text may hold a part of the answer.
func reworded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("the evaluation was interrupted: %w", ctx.Err())
	}
	return ofAnswer(err)
}

// ofAnswer says in our words what an answer lacks; CEL's texts show values of it.
func ofAnswer(err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "no such key"):
		return errors.New("the answer lacks a member that it reads")
	case strings.Contains(text, "no such overload"):
		return errors.New("a value in the answer has another type than it expects")
	case strings.Contains(text, "index out of bounds"):
		return errors.New("a list in the answer is shorter than it expects")
	case strings.Contains(text, "cost limit"):
		return errors.New("the answer is too large for it")
	case strings.Contains(text, "too long to be kept"):
		return errors.New("it reads a number that is too long to be kept exactly")
	case slices.ContainsFunc([]string{"flag()", "epoch()", "parseTime()", "words()", "replace()", "join()", "distinct()"}, func(own string) bool { return strings.HasPrefix(text, own) }):
		return errors.New(text)
	}
	return errors.New("it cannot be evaluated with this answer")
}

// Equalities are the texts and whole numbers that variables must equal for the expression to be true, whatever else it
// says: the operands of == in a conjunction.
func (e *Expression) Equalities() (texts map[string]string, numbers map[string]int64) {
	texts, numbers = map[string]string{}, map[string]int64{}
	var walk func(ast.Expr)
	walk = func(node ast.Expr) {
		if node.Kind() != ast.CallKind || len(node.AsCall().Args()) != 2 {
			return
		}
		a, b := node.AsCall().Args()[0], node.AsCall().Args()[1]
		switch node.AsCall().FunctionName() {
		case "_&&_":
			walk(a)
			walk(b)
		case "_==_":
			if a.Kind() == ast.LiteralKind {
				a, b = b, a
			}
			if a.Kind() != ast.IdentKind || b.Kind() != ast.LiteralKind {
				return
			}
			switch value := b.AsLiteral().(type) {
			case types.String:
				texts[a.AsIdent()] = string(value)
			case types.Int:
				numbers[a.AsIdent()] = int64(value)
			}
		}
	}
	walk(e.tree.NativeRep().Expr())
	return texts, numbers
}

// Time makes text of RFC 3339 a time, with any fraction of a second.
func Time(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, errors.New("the text is no time of RFC 3339; parseTime() reads others")
	}
	return at, nil
}

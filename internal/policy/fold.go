package policy

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	"step-posture-connector/internal/posture"
)

// program plans a checked expression. What follows from literals alone is evaluated here, once.
func (s *Scope) program(tree *cel.Ast) (cel.Program, error) {
	return s.env.Program(tree, cel.EvalOptions(cel.OptOptimize), cel.CustomDecoratorV2(fold))
}

// fold replaces calls of our functions with literals.
func fold(planned interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	call, ok := planned.(interpreter.InterpretableCall)
	if !ok || len(call.Args()) == 0 {
		return planned, nil
	}
	args := call.Args()
	literal, ok := args[len(args)-1].(interpreter.InterpretableConst)
	if !ok {
		return planned, nil
	}
	switch call.OverloadID() {
	case daysOverload:
		if n, ok := literal.Value().(types.Int); ok {
			return interpreter.NewConstValue(call.ID(), days(n)), nil
		}
	case atLeastOverload, belowOverload:
		text, ok := literal.Value().(types.String)
		if !ok {
			break
		}
		if w, err := posture.ParseVersion(string(text)); err == nil {
			return &comparison{call, args[0], w, call.OverloadID() == atLeastOverload}, nil
		}
	}
	return planned, nil
}

// comparison compares a version with a literal, which the call in its place would read each time.
type comparison struct {
	interpreter.InterpretableCall

	of      interpreter.InterpretableV2
	with    posture.Version
	atLeast bool
}

// Exec implements interpreter.InterpretableV2.
func (c *comparison) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	switch v := c.of.Exec(frame).(type) {
	case version:
		return types.Bool(v.AtLeast(c.with) == c.atLeast)
	case *types.Err:
		return v // as of every argument that is unknown
	default:
		return c.InterpretableCall.Exec(frame)
	}
}

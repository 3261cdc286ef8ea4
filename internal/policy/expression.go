package policy

import (
	"errors"
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"step-posture-connector/internal/posture"
)

// Condition is a compiled expression that is true or false.
type Condition struct {
	text    string
	program cel.Program
	reads   []Read
	windows []Window
}

// CompileCondition compiles the text of a rule. Every fault has its place in text.
func (s *Scope) CompileCondition(text string) (*Condition, Faults) {
	checked, faults := s.check(text, types.BoolType)
	if faults != nil {
		return nil, faults
	}
	program, err := s.program(checked.tree)
	if err != nil {
		return nil, Faults{{Line: 1, Column: 1, Text: err.Error()}}
	}
	return &Condition{text, program, checked.reads, checked.windows}, nil
}

// Text is the condition as the policy file has it.
func (c *Condition) Text() string { return c.text }

// Reads are the facts that the condition reads, in the order of its text.
func (c *Condition) Reads() []Read { return c.reads }

// Windows are what the condition says about when a device was last seen.
func (c *Condition) Windows() []Window { return c.windows }

// Evaluate says whether the condition is met. Where it is unknown, the error says why.
func (c *Condition) Evaluate(e *posture.Evidence) (posture.Result, error) {
	return c.evaluate(evidence{e})
}

func (c *Condition) evaluate(vars any) (posture.Result, error) {
	value, _, err := c.program.Eval(vars)
	if err != nil {
		var unknown *unknownError
		if errors.As(err, &unknown) {
			return posture.Unknown, unknown
		}
		return posture.Unknown, fmt.Errorf("evaluate: %w", err)
	}
	switch value {
	case types.True:
		return posture.Met, nil
	case types.False:
		return posture.Unmet, nil
	default:
		// Fail closed: what is neither true nor false is not met.
		return posture.Unknown, errors.New("the expression is neither true nor false")
	}
}

// nothing knows no variable: each is an error, as an unknown fact is.
type nothing struct{}

// ResolveName implements interpreter.Activation.
func (nothing) ResolveName(string) (any, bool) { return types.NewErr("not known"), true }

// Parent implements interpreter.Activation.
func (nothing) Parent() cel.Activation { return nil }

// constant reports whether the condition is the same whatever the variables are, and what it is.
func (c *Condition) constant() (result posture.Result, constant bool) {
	value, _, err := c.program.Eval(nothing{})
	switch {
	case err == nil && value == types.True:
		return posture.Met, true
	case err == nil && value == types.False:
		return posture.Unmet, true
	}
	return posture.Unknown, len(c.reads) == 0
}

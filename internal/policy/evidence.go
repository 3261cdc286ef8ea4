// Package policy compiles and evaluates policies: rules, conditions and data as expressions of CEL (https://cel.dev),
// and is the only importer of it.
package policy

import (
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"

	"step-posture-connector/internal/posture"
)

// referenceVariable is a variable of data alone: a rule that reads the random reference of its own decision would be met by chance.
const referenceVariable = "reference"

// evidence hands a posture.Evidence to CEL, as its variables.
type evidence struct{ *posture.Evidence }

// variables hands e to CEL, for several expressions. They have one frame, which must be closed after them: CEL would otherwise
// prepare one for each, a tenth of what an expression costs. The frame may be nil.
func variables(e *posture.Evidence) (vars any, frame *interpreter.ExecutionFrame) {
	frame, err := interpreter.NewExecutionFrame(evidence{e})
	if err != nil {
		return evidence{e}, nil
	}
	return frame, frame
}

// ResolveName implements interpreter.Activation.
func (e evidence) ResolveName(name string) (any, bool) {
	switch name {
	case "device", "user":
		return e.Deciding, true
	case "request":
		return &e.Request, true
	case "records":
		return e.Evidence, true
	case "inventory":
		return e.Inventory, true
	case referenceVariable:
		return e.Reference, e.Reference != ""
	case "now":
		return types.Timestamp{Time: e.Now}, true
	}
	return nil, false
}

// Parent implements interpreter.Activation.
func (evidence) Parent() cel.Activation { return nil }

// unknownError is why an expression has no value: a fact that it reads is unknown.
type unknownError struct{ fact string }

func (u *unknownError) Error() string { return fmt.Sprintf("%s is unknown", u.fact) }

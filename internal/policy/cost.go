package policy

import (
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
)

// The bounds of a record that the worst cost of an expression is estimated with, and that cost itself, in CEL's units.
const (
	sizeOfList = 1000 // groups
	sizeOfText = 256  // characters
	maxCost    = 500_000
)

// sizes gives CEL the largest sizes of a record's values.
type sizes struct{}

// EstimateSize implements cost.Estimator.
func (sizes) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	switch kind := node.Type().Kind(); kind {
	case types.ListKind, types.MapKind:
		return &cost.SizeEstimate{Max: sizeOfList}
	case types.StringKind, types.OpaqueKind:
		return &cost.SizeEstimate{Max: sizeOfText}
	default:
		return nil
	}
}

// EstimateCallCost implements cost.Estimator.
func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}

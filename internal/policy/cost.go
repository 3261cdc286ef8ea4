package policy

import (
	"regexp/syntax"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// The bounds of a record that the worst cost of an expression is estimated with, and that cost itself, in CEL's units.
const (
	sizeOfList = 1000 // groups
	sizeOfText = 256  // characters
	maxCost    = 500_000

	// maxSteps is how many steps a pattern may have: a longer one could take a second for one text of the longest.
	maxSteps = 2000
	// costOfZone is the cost of a time zone that an expression does not name, which is read from the compiled database.
	costOfZone = 1000
)

// sizes gives CEL the largest sizes of a record's values.
type sizes struct{}

// EstimateSize implements cost.Estimator.
func (sizes) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	// A datum is computed, and may be longer than a fact. All elements of one together are not, so that theirs are as those of facts.
	if path := node.Path(); len(path) > 0 && path[0] == dataVariable && !strings.HasPrefix(path[len(path)-1], "@") && node.Type().Kind() == types.StringKind {
		return &cost.SizeEstimate{Max: MaxData}
	}
	switch kind := node.Type().Kind(); kind {
	case types.ListKind, types.MapKind:
		return &cost.SizeEstimate{Max: sizeOfList}
	case types.StringKind, types.OpaqueKind:
		return &cost.SizeEstimate{Max: sizeOfText}
	default:
		return nil
	}
}

// EstimateCallCost implements cost.Estimator. CEL's own estimates are right where there is none here.
func (s sizes) EstimateCallCost(function, _ string, target *cost.AstNode, args []cost.AstNode) *cost.CallEstimate {
	all := args
	if target != nil {
		all = append([]cost.AstNode{*target}, args...)
	}
	_, isZoned := zoned()[function]
	switch {
	case function == overloads.Matches && len(all) == 2:
		return s.ofMatches(all[0], all[1].Expr())
	case isZoned && len(all) == 2 && all[1].Expr().Kind() != ast.LiteralKind:
		return &cost.CallEstimate{CostEstimate: cost.FixedCostEstimate(costOfZone)}
	}
	return nil
}

// ofMatches is CEL's own estimate with the steps of the pattern in place of its characters: "a{1000}" has 1,000 steps.
func (s sizes) ofMatches(text cost.AstNode, pattern ast.Expr) *cost.CallEstimate {
	size := text.ComputedSize()
	if size == nil {
		size = s.EstimateSize(text)
	}
	source, ok := literal(pattern)
	steps := stepsOf(source)
	if size == nil || !ok || steps == 0 {
		return nil // the walk has refused it
	}
	perCharacter := cost.SafeMultiplyByFactor(uint64(max(steps, len(source))), cost.RegexStringLengthCostFactor)
	most := cost.SafeMultiply(cost.SafeMultiplyByFactor(cost.SafeAdd(size.Max, 1), cost.StringTraversalCostFactor), perCharacter)
	return &cost.CallEstimate{CostEstimate: cost.RangedCostEstimate(1, most)}
}

// stepsOf is how many steps a regular expression has; 0 where it is none. Each may be tried at each character of a text.
func stepsOf(pattern string) int {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0
	}
	return len(program.Inst)
}

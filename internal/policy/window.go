package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"step-posture-connector/internal/document"
)

// Window says that an expression needs a device that was seen at most Within before the request.
type Window struct {
	// Read is device.last_seen of the record that decides, or of a named one.
	Read   Read
	Within time.Duration
}

// windows finds comparisons such as device.last_seen > now - days(7), however their sides are arranged. What is needed of
// an expression under a negation is the opposite.
func (w *walk) windows(e ast.Expr) (found []Window) {
	var visit func(e ast.Expr, negated bool)
	visit = func(e ast.Expr, negated bool) {
		if e.Kind() != ast.CallKind {
			return
		}
		call := e.AsCall()
		switch call.FunctionName() {
		case operators.LogicalNot:
			visit(call.Args()[0], !negated)
		case operators.LogicalAnd, operators.LogicalOr, operators.Conditional:
			for _, arg := range call.Args() {
				visit(arg, negated)
			}
		case operators.Greater, operators.GreaterEquals:
			found = append(found, w.window(call.Args()[0], call.Args()[1], negated)...)
		case operators.Less, operators.LessEquals:
			found = append(found, w.window(call.Args()[1], call.Args()[0], negated)...)
		}
	}
	visit(e, false)
	return found
}

// window returns the window of a comparison, which says that one side is later, or longer.
func (w *walk) window(later, earlier ast.Expr, negated bool) []Window {
	if negated {
		later, earlier = earlier, later
	}
	a, ok := w.sum(later)
	b, okEarlier := w.sum(earlier)
	difference, okBoth := a.plus(b, -1)
	// seen - now + window > 0
	if !ok || !okEarlier || !okBoth || difference.seen != 1 || difference.now != -1 || difference.constant < 0 {
		return nil
	}
	return []Window{{difference.read, difference.constant}}
}

// sum is a sum of now, of one last_seen, and of a duration.
type sum struct {
	now, seen int
	read      Read
	constant  time.Duration
}

// plus adds another sum, or with sign -1 subtracts it. It returns false where both have another last_seen.
func (s sum) plus(other sum, sign int) (sum, bool) {
	if s.seen != 0 && other.seen != 0 && s.read.Path != other.read.Path {
		return sum{}, false
	}
	if s.seen == 0 {
		s.read = other.read
	}
	s.now, s.seen, s.constant = s.now+sign*other.now, s.seen+sign*other.seen, s.constant+time.Duration(sign)*other.constant
	return s, true
}

// sum reads an expression as a sum; it returns false for anything else.
func (w *walk) sum(e ast.Expr) (sum, bool) {
	if e.Kind() != ast.CallKind {
		r, ok := w.resolve(e)
		switch {
		case !ok || r.wrong != nil:
		case r.read.Path == "now":
			return sum{now: 1}, true
		case r.read.Fact != nil && r.read.Fact.Name == "device.last_seen":
			return sum{seen: 1, read: r.read}, true
		}
		return sum{}, false
	}
	args, sign := e.AsCall().Args(), 1
	switch e.AsCall().FunctionName() {
	case "days":
		if n, ok := args[0].AsLiteral().Value().(int64); ok && len(args) == 1 {
			return sum{constant: time.Duration(n) * 24 * time.Hour}, true
		}
	case "duration":
		text, ok := literal(args...)
		d, err := time.ParseDuration(text)
		return sum{constant: d}, ok && err == nil
	case operators.Subtract:
		sign = -1
		fallthrough
	case operators.Add:
		a, ok := w.sum(args[0])
		b, okSecond := w.sum(args[1])
		both, okBoth := a.plus(b, sign)
		return both, ok && okSecond && okBoth
	}
	return sum{}, false
}

// warnWindow warns where a rule needs a device that was seen later than a snapshot may be old: in an outage it would refuse
// all devices at once, and not when the snapshot is too old.
func (c *compiler) warnWindow(v document.Value, rule *Rule) {
	if rule.Require == nil || c.maxAge == nil {
		return
	}
	var reported []string
	for _, window := range rule.Require.windows {
		of := c.scope.inventories
		if window.Read.Record != "" {
			of = []string{window.Read.Record}
		}
		for _, name := range of {
			text := ""
			if age := c.maxAge(name); window.Within < age {
				text = fmt.Sprintf("it needs a device that was seen within %s, and a snapshot of the inventory %s may be %s old: in an outage of the inventory, its devices are allowed for %s at most",
					shortDuration(window.Within), name, shortDuration(age), shortDuration(window.Within))
			}
			if text != "" && !slices.Contains(reported, text) {
				reported = append(reported, text)
				v.Warn("%s", text)
			}
		}
	}
}

// shortDuration is a duration as people write it: 7d, 1d12h, 90m.
func shortDuration(d time.Duration) string {
	if d < time.Minute {
		return d.String()
	}
	day := 24 * time.Hour
	text := ""
	if d >= day {
		text = fmt.Sprintf("%dd", d/day)
		if d %= day; d == 0 {
			return text
		}
	}
	rest := d.String()
	for _, zero := range [...]string{"m0s", "h0m"} {
		if cut, is := strings.CutSuffix(rest, zero); is {
			rest = cut + zero[:1]
		}
	}
	return text + rest
}

package expression

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common/types"

	"step-posture-connector/internal/document"
)

// Fault is one mistake in an expression. Line and Column count from 1, in characters.
type Fault struct {
	Line, Column   int
	Text, Accepted string
}

// Kind is what the result of an expression has to be, as far as it is known before an answer is there.
type Kind int

// The kinds.
const (
	AnyKind Kind = iota
	BoolKind
	TextKind
	TimeKind
	ListKind
	NumberKind
	AddressKind // text, or null
)

func (k Kind) accepted() string {
	switch k {
	case BoolKind:
		return "an expression that is true or false"
	case TextKind, AddressKind:
		return "an expression that is text; string() makes it of a number"
	case TimeKind:
		return "an expression that is a time, or text of RFC 3339; parseTime() and epoch() make one"
	case ListKind:
		return "an expression that is a list"
	case NumberKind:
		return "an expression that is a whole number"
	case AnyKind:
	}
	return "an expression"
}

// takes reports whether a result may be of the kind. What is known only with an answer may be.
func (k Kind) takes(t *types.Type) bool {
	is := inside(t).Kind()
	if is == types.DynKind || is == types.AnyKind || is == types.NullTypeKind || is == types.TypeParamKind {
		return true
	}
	switch k {
	case BoolKind:
		return is == types.BoolKind
	case TextKind, AddressKind:
		return is == types.StringKind
	case TimeKind:
		return is == types.StringKind || is == types.TimestampKind
	case ListKind:
		return is == types.ListKind
	case NumberKind:
		return is == types.IntKind || is == types.UintKind
	case AnyKind:
	}
	return slices.Contains([]types.Kind{types.BoolKind, types.StringKind, types.IntKind, types.UintKind, types.DoubleKind, types.ListKind, types.MapKind, types.TimestampKind}, is)
}

// inside is the type of an optional's value; any other type itself.
func inside(t *types.Type) *types.Type {
	if t.Kind() == types.OpaqueKind && t.TypeName() == "optional_type" && len(t.Parameters()) == 1 {
		return t.Parameters()[0]
	}
	return t
}

// plain is a type of CEL as a user knows it.
func plain(t *types.Type) string {
	t = inside(t)
	switch t.Kind() {
	case types.StringKind:
		return "text"
	case types.BoolKind:
		return "true or false"
	case types.IntKind, types.UintKind, types.DoubleKind:
		return "a number"
	case types.TimestampKind:
		return "a time"
	case types.ListKind:
		return "a list"
	case types.MapKind:
		return "a map"
	default:
		return checker.FormatCELType(t)
	}
}

// faults says what CEL found wrong, in plain words. CEL has no codes for it, so its texts are matched; the tests compare
// the results, so that a new version of CEL cannot change them without notice.
func (s *Scope) faults(source string, found []*cel.Error) (faults []Fault) {
	undeclared := regexp.MustCompile(`^undeclared reference to '([^']*)'`)
	overload := regexp.MustCompile(`^found no matching overload for '(.*?)'`)
	input := regexp.MustCompile(`^Syntax error: (?:mismatched|extraneous) input '(.*?)' expecting`)
	token := regexp.MustCompile(`^Syntax error: token recognition error at: '(.*)'$`)
	for _, e := range found {
		f := Fault{Line: max(e.Location.Line(), 1), Column: max(e.Location.Column(), 0) + 1, Accepted: "an expression of CEL"}
		switch m := undeclared.FindStringSubmatch(e.Message); {
		case m != nil && isCall(source, f, m[1]):
			f = beforeBracket(source, f)
			f.Text, f.Accepted = fmt.Sprintf("unknown function %q", m[1]), "a function of CEL, of its strings and lists extensions, unescapeHTML, parseTime, epoch, epochMillis, flag or words"
		case m != nil:
			f = s.unknownName(f, m[1])
		case overload.MatchString(e.Message):
			f.Text, f.Accepted = "the types do not fit", "values of types that the function or operator takes"
			f = beforeBracket(source, f)
		case input.MatchString(e.Message):
			f.Text = fmt.Sprintf("%q does not belong here", input.FindStringSubmatch(e.Message)[1])
			if strings.Contains(f.Text, "<EOF>") {
				f.Text = "the expression ends too early"
			}
		case token.MatchString(e.Message):
			f.Text = "a character that does not belong here, or a text without its second quotation mark"
		case strings.Contains(e.Message, "expression code point size exceeds limit"):
			f.Text, f.Accepted = "the expression is too long", fmt.Sprintf("at most %d characters", maxExpression)
		case strings.Contains(e.Message, "recursion"):
			f.Text, f.Accepted = "the expression is nested too deeply", "fewer brackets in each other"
		default:
			f.Text = strings.TrimPrefix(e.Message, "Syntax error: ")
		}
		faults = append(faults, f)
	}
	return faults
}

func (s *Scope) unknownName(f Fault, name string) Fault {
	f.Text, f.Accepted = fmt.Sprintf("unknown name %q", name), strings.Join(s.names, ", ")
	if near := document.Nearest(name, s.names); near != "" {
		f.Text += "; did you mean " + near + "?"
	}
	return f
}

// lineOf is a line of the source.
func lineOf(source string, line int) []rune {
	lines := strings.Split(source, "\n")
	return []rune(lines[min(line, len(lines))-1])
}

// isCall reports whether CEL has found a function at a place, which is its bracket, and not a variable.
func isCall(source string, f Fault, name string) bool {
	row := lineOf(source, f.Line)
	return f.Column <= len(row) && row[f.Column-1] == '(' || strings.HasPrefix(string(row[min(f.Column-1, len(row)):]), name+"(")
}

// beforeBracket is the place of a function's name: CEL has its bracket.
func beforeBracket(source string, f Fault) Fault {
	row := lineOf(source, f.Line)
	if f.Column > len(row) || row[f.Column-1] != '(' {
		return f
	}
	for f.Column > 1 && regexp.MustCompile(`\w`).MatchString(string(row[f.Column-2])) {
		f.Column--
	}
	return f
}

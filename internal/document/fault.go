package document

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/agnivade/levenshtein"
)

// Fault is one mistake in a document. It never holds a value of the document: that could be a secret.
type Fault struct {
	File         string
	Line, Column int    // from 1, in characters; 0 without a place
	Path         string // "policies.staff.rules[0].require"
	Text         string // what is wrong
	Accepted     string // what would be right; may be empty

	// excerpt is the line of an expression in which the place is, at excerptColumn. It is the value's own text, never the
	// line of the file: that may hold a secret beside it.
	excerpt       string
	excerptColumn int
}

// Underline is the line of the expression with a mark below the place, indented, for people; it is empty for other faults.
func (f Fault) Underline() string {
	const before, width, indent = 60, 120, "    "
	line := []rune(f.excerpt)
	at := min(f.excerptColumn-1, len(line))
	if at < 0 {
		return ""
	}
	end := endOfToken(line, at)
	from := max(0, at-before)
	line = line[from:min(len(line), from+width)]
	for i, c := range line {
		if !unicode.IsPrint(c) {
			line[i] = ' ' // a tab would move the mark
		}
	}
	return indent + string(line) + "\n" + indent + strings.Repeat(" ", at-from) + strings.Repeat("^", max(1, min(end-at, from+len(line)-at)))
}

func (f Fault) Error() string {
	text := f.File
	if f.Line > 0 {
		text += fmt.Sprintf(":%d:%d", f.Line, f.Column)
	}
	if f.Path != "" {
		text += ": " + f.Path
	}
	text += ": " + f.Text
	if f.Accepted != "" {
		text += "; accepted: " + f.Accepted
	}
	return text
}

// endOfToken is where a name, a quoted text or an operator ends that begins at a place.
func endOfToken(line []rune, at int) int {
	isName := func(c rune) bool { return c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c) }
	isOperator := func(c rune) bool { return strings.ContainsRune("=!<>&|+-*/%", c) }
	is := isName
	switch {
	case at == len(line):
		return at
	case line[at] == '"' || line[at] == '\'':
		if n := slices.Index(line[at+1:], line[at]); n >= 0 {
			return at + n + len(`""`)
		}
	case isOperator(line[at]):
		is = isOperator
	}
	end := at
	for end < len(line) && is(line[end]) {
		end++
	}
	return end
}

// Faults are all mistakes in a document, in the order of their places.
type Faults []Fault

// maxFaults is how many faults are printed.
const maxFaults = 100

func (fs Faults) Error() string {
	lines := make([]string, 0, len(fs))
	for i, f := range fs {
		if i == maxFaults {
			lines = append(lines, fmt.Sprintf("and %d more", len(fs)-maxFaults))
			break
		}
		lines = append(lines, f.Error())
	}
	return strings.Join(lines, "\n")
}

func (fs Faults) sorted() Faults {
	slices.SortStableFunc(fs, func(a, b Fault) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	return slices.Compact(fs)
}

// Nearest is the name that was probably meant by a misspelled one, or empty.
func Nearest(name string, names []string) string {
	const most = 3 // letters that may differ
	best, distance := "", most+1
	for _, candidate := range names {
		d := levenshtein.ComputeDistance(name, candidate)
		if strings.EqualFold(name, candidate) {
			d = 0
		}
		if d < distance && 2*d <= len(candidate) { // half of the letters: "foo" is not "now"
			best, distance = candidate, d
		}
	}
	return best
}

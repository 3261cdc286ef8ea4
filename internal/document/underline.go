package document

import (
	"slices"
	"strings"
	"unicode"
)

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

package export

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escape begins a cell that is not the value itself: a spreadsheet shows what follows as text, and the provider file takes
// it away.
const escape = "'"

// groupSeparator is between the groups of a device.
const groupSeparator = ";"

// cell returns the cell of a known text. A text that begins with a character with which formulas begin gets one escape, so
// that no spreadsheet runs it, and so does one that is empty or has blanks at its ends, because an empty cell is unknown
// and blanks get lost. Control characters, and what begins a formula behind a semicolon, which separates cells where
// decimals have a comma, become an escape and a JSON string. Because the reader takes a JSON string behind an escape for
// one, so does a text that looks like one itself.
func cell(text string) string {
	switch {
	case strings.ContainsFunc(text, unsafeRune), formulaBehindSeparator(text):
		return escape + string(guard(quoted(text)))
	case text == "", isAwkward(text):
		if looksQuoted(text) {
			return escape + string(guard(quoted(text)))
		}
		return escape + text
	}
	return text
}

// isAwkward reports whether a text begins as a formula or an escape does, or has blanks at its ends. Some spreadsheets take
// the full-width characters of East Asian keyboards for the others.
func isAwkward(text string) bool {
	first, _ := utf8.DecodeRuneInString(text)
	return strings.ContainsRune(`'"=+-@＝＋－＠`, first) || strings.TrimSpace(text) != text
}

// behindSeparator finds what a spreadsheet would run that separates cells by semicolons.
func formulaBehindSeparator(text string) bool {
	_, behind, several := strings.Cut(text, groupSeparator)
	if !several {
		return false
	}
	for part := range strings.SplitSeq(behind, groupSeparator) {
		if part = strings.TrimLeftFunc(part, unicode.IsSpace); part != "" && isAwkward(part) {
			return true
		}
	}
	return false
}

// unsafeRune reports whether a character does not belong in a cell: a control character, or one that ends lines.
func unsafeRune(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }

// looksQuoted reports whether a text could be a JSON string. Whether it is one could be read in several ways: blanks around
// it, half a surrogate pair.
func looksQuoted(text string) bool {
	text = strings.TrimSpace(text)
	return len(text) > 1 && text[0] == '"' && text[len(text)-1] == '"'
}

// groups returns the cell of known groups: names with semicolons between them, or a JSON array where the reader or a
// spreadsheet would take that for something else, and where there are none.
func groups(names []string) string {
	if len(names) > 0 && !slices.ContainsFunc(names, isAwkwardGroup) {
		return strings.Join(names, groupSeparator)
	}
	return string(guard(list(nil, names)))
}

func isAwkwardGroup(name string) bool {
	return name == "" || name[0] == '[' || isAwkward(name) || strings.Contains(name, groupSeparator) || strings.ContainsFunc(name, unsafeRune)
}

// guard escapes in a JSON text what a cell must not have. In JSON, such characters are in strings only.
func guard(text []byte) []byte {
	if !unguarded.Match(text) {
		return text
	}
	return unguarded.ReplaceAllFunc(text, func(character []byte) []byte {
		r, _ := utf8.DecodeRune(character)
		return fmt.Appendf(nil, `\u%04x`, r)
	})
}

// unguarded are control characters that JSON does not escape, line separators, and the semicolon.
var unguarded = regexp.MustCompile("[\u007f-\u009f\u2028\u2029;]")

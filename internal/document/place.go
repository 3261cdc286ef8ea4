package document

import (
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// placeIn finds a place of the value's text in the file. What YAML does to a text between the two (quotation marks,
// escapes, indentation, folded lines) changes no printable character that is not escaped, so that the text's
// characters are found in the file one after the other.
func (v Value) placeIn(line, column int) (int, int) {
	n := v.node
	index, at := 0, struct{ line, column int }{1, 1}
	text := []rune(n.Value)
	for index < len(text) && (at.line < line || at.line == line && at.column < column) {
		if text[index] == '\n' {
			at.line, at.column = at.line+1, 1
		} else {
			at.column++
		}
		index++
	}
	l, c := n.Line, n.Column // of the source, from 1
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		l, c = l+1, 1
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		c++
	}
	for i, want := range text[:min(index+1, len(text))] {
		if unicode.IsSpace(want) || unicode.IsControl(want) {
			continue
		}
		found, fc, width := l, c, 1
		for found <= len(v.document.source) {
			row := v.document.source[found-1]
			for fc <= len(row) {
				var is rune
				if is, width = character(n.Style, row[fc-1:]); is == want {
					break
				}
				fc += width
			}
			if fc <= len(row) {
				break
			}
			found, fc = found+1, 1
		}
		if found > len(v.document.source) {
			return n.Line, n.Column
		}
		if i == index {
			return found, fc
		}
		l, c = found, fc+width
	}
	return l, min(c, len(v.document.source[l-1])+1)
}

// character is the character of a text that a row of the file begins with, and how many characters of the row it takes.
func character(style yaml.Style, row []rune) (is rune, width int) {
	const ofX, ofU, ofLongU = 4, 6, 10
	double := style&yaml.DoubleQuotedStyle != 0 && row[0] == '\\'
	switch {
	case len(row) < 2, !double && (style&yaml.SingleQuotedStyle == 0 || row[0] != '\'' || row[1] != '\''):
		return row[0], 1
	case !double:
		return row[0], 2 // an apostrophe is written twice
	case row[1] == 'x', row[1] == 'u', row[1] == 'U':
		width = min(map[rune]int{'x': ofX, 'u': ofU, 'U': ofLongU}[row[1]], len(row))
		is, _, _, _ = strconv.UnquoteChar(string(row[:width]), '"') // Go has the same three
		return is, width
	case strings.ContainsRune(`"\/`, row[1]):
		return row[1], 2
	}
	return 0, 2 // white space and control characters, which are not searched for
}

package document

import "go.yaml.in/yaml/v4"

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
		if want == ' ' || want == '\n' {
			continue
		}
		found, fc := l, c
		for found <= len(v.document.source) {
			row := v.document.source[found-1]
			for fc <= len(row) && row[fc-1] != want {
				fc++
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
		l, c = found, fc+1
	}
	return l, c
}

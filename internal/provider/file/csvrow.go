package file

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"step-posture-connector/internal/compact"
)

// csvRow is a row of a CSV file: either a line without quotation marks, or its fields.
type csvRow struct {
	plain  []byte
	fields [][]byte
}

func (r csvRow) count() int {
	if r.plain != nil {
		return bytes.Count(r.plain, []byte{','}) + 1
	}
	return len(r.fields)
}

// isWhitespace reports whether the row is a line of spaces and tabs. (rows skips empty lines.) A row with quotation
// marks is not: it has an empty identifier.
func (r csvRow) isWhitespace() bool { return r.plain != nil && len(bytes.TrimSpace(r.plain)) == 0 }

func (r csvRow) isUTF8() bool {
	for _, field := range r.fields {
		if !utf8.Valid(field) {
			return false
		}
	}
	return utf8.Valid(r.plain)
}

// isEmpty reports whether the row has several fields, all empty.
func (r csvRow) isEmpty() bool {
	if r.plain != nil {
		return len(bytes.Trim(r.plain, ", \t")) == 0 && r.count() > 1
	}
	for _, field := range r.fields {
		if len(bytes.TrimSpace(field)) > 0 {
			return false
		}
	}
	return len(r.fields) > 1
}

func (r csvRow) strings() []string {
	if r.plain != nil {
		return strings.Split(string(r.plain), ",")
	}
	all := make([]string, len(r.fields))
	for i, field := range r.fields {
		all[i] = string(field)
	}
	return all
}

// isEscaped reports whether the identifier is escaped.
func (r csvRow) isEscaped() bool {
	return bytes.HasPrefix(bytes.TrimSpace(r.identifier()), []byte(escape))
}

func (r csvRow) identifier() []byte {
	if r.plain != nil {
		identifier, _ := compact.CutField(r.plain)
		return identifier
	}
	return r.fields[0]
}

// appendUnescaped is appendRow, with the identifier as its cell means it. Spaces inside an escape are part of it, and no
// identifier has them at its ends. The other cells stay as they are: they are read when they are asked for.
func (r csvRow) appendUnescaped(to []byte) []byte {
	if r.plain != nil {
		r.fields = bytes.Split(r.plain, []byte{','})
	}
	identifier, _ := unescape(string(bytes.TrimSpace(r.fields[0])))
	to = compact.AppendField(to, []byte(identifier))
	for _, value := range r.fields[1:] {
		to = compact.AppendField(to, value)
	}
	return to
}

// appendRow appends the row in its form for memory. The row must be UTF-8.
func (r csvRow) appendRow(to []byte) []byte {
	if r.plain != nil {
		identifier, _ := compact.CutField(r.plain)
		to = append(to, bytes.TrimSpace(identifier)...)
		return append(to, r.plain[len(identifier):]...)
	}
	to = compact.AppendField(to, bytes.TrimSpace(r.fields[0]))
	for _, value := range r.fields[1:] {
		to = compact.AppendField(to, value)
	}
	return to
}

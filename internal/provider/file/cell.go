package file

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// escape is before the text of a cell that a spreadsheet would take for a formula, or would change. Only files with
// columns of facts have escapes: in others, an apostrophe is part of the value, as it always was.
const escape = "'"

// unescape returns the text of a cell, and whether it was escaped. One apostrophe is removed. If the rest is a JSON
// string as a whole, the text is what that string says: so a cell can have control characters, which the reader of the
// file would refuse or change. A writer escapes every text that begins with an apostrophe, and writes a text that is
// a JSON string itself as the JSON string of it; then each text is read back as it was.
func unescape(cell string) (text string, escaped bool) {
	text, escaped = strings.CutPrefix(cell, escape)
	if escaped && isJSONString(text) {
		return unquote(jsontext.Value(text)), true
	}
	return text, escaped
}

// isJSONString reports whether a text is a JSON string and nothing else, without white space around it. It refuses what
// parsers read differently: invalid UTF-8, and escapes of half a surrogate pair.
func isJSONString(text string) bool {
	quoted := len(text) >= len(`""`) && text[0] == '"' && text[len(text)-1] == '"'
	return quoted && jsontext.Value(text).IsValid()
}

// isList and isObject report whether a text is a JSON list or object without duplicate members.
func isList(text string) bool { return text[0] == '[' && jsontext.Value(text).IsValid() }

func isObject(text string) bool {
	value := jsontext.Value(text)
	return value.Kind() == '{' && value.IsValid()
}

package policy

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// bracketOrSkipped is a bracket, or what may hold brackets that are none: a text, a pattern, a comment.
var bracketOrSkipped = regexp.MustCompile(`(?s)[rR]""".*?"""|[rR]'''.*?'''|[rR]"[^"\n]*"|[rR]'[^'\n]*'|` +
	`"""(?:\\.|[^\\])*?"""|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|//[^\n]*|[(\[{}\])]`)

// tooDeep is the first bracket that is nested too deeply. The tree of an expression does not have brackets that only group,
// but an administrator who reads the expression has to count them.
func tooDeep(text string) (at place, is bool) {
	depth := 0
	for _, found := range bracketOrSkipped.FindAllStringIndex(text, -1) {
		switch text[found[0]:found[1]] {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			depth--
		}
		if depth > maxDepth {
			before := text[:found[0]]
			line := strings.Count(before, "\n")
			return place{line + 1, utf8.RuneCountInString(before[strings.LastIndex(before, "\n")+1:]) + 1}, true
		}
	}
	return place{}, false
}

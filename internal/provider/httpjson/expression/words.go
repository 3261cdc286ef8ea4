package expression

import "slices"

// IsWord reports whether CEL's grammar has a meaning for a name, so that no variable can have it.
// https://github.com/cel-expr/cel-spec/blob/master/doc/langdef.md#syntax
func IsWord(name string) bool {
	return slices.Contains([]string{
		"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop",
		"package", "namespace", "return", "var", "void", "while",
	}, name)
}

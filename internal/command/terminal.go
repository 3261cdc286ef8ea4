package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// visible makes text from inventories and servers fit for a terminal. Control characters, and characters that hide text or
// change its order, become \uXXXX, as in JSON, so that JSON stays JSON.
func visible(text string) string { return escape(text, hidden) }

// visibleLines is visible for a text with several lines, which may be indented.
func visibleLines(text string) string {
	return escape(text, func(r rune) bool { return hidden(r) && r != '\n' && r != '\t' })
}

func hidden(r rune) bool { return !unicode.IsPrint(r) }

func escape(text string, escaped func(rune) bool) string {
	if strings.IndexFunc(text, escaped) < 0 {
		return text
	}
	var shown strings.Builder
	for _, r := range strings.ToValidUTF8(text, string(unicode.ReplacementChar)) {
		if !escaped(r) {
			shown.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			_, _ = fmt.Fprintf(&shown, `\u%04x`, unit)
		}
	}
	return shown.String()
}

// quoted lists names in quotes, with characters that are not printable escaped.
func quoted(names []string) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = strconv.Quote(name)
	}
	return strings.Join(list, ", ")
}

// encode writes a value as one JSON object, for programs.
func encode(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// oneLine joins the lines of an error, for JSON. The headline begins the first of them.
func oneLine(err error) string {
	text := err.Error()
	if wrong := (*configError)(nil); errors.As(err, &wrong) {
		text = headline + " " + wrong.err.Error()
	}
	return strings.ReplaceAll(text, "\n", "; ")
}

package export_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/export"
)

func TestCell(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain":       "plain",
		"a, b; c":     "a, b; c",
		"":            "'",
		"=1+1":        "'=1+1",
		"+49 30":      "'+49 30",
		"-":           "'-",
		"@SUM(A1)":    "'@SUM(A1)",
		"＝1":          "'＝1",
		"'quoted'":    "''quoted'",
		`"`:           `'"`,
		`"a`:          `'"a`,
		`"a"`:         `'"\"a\""`,
		`"a" b`:       `'"a" b`,
		`"a" "b"`:     `'"\"a\" \"b\""`,
		" a":          "' a",
		"a\u00a0":     "'a\u00a0",
		"a\tb":        `'"a\tb"`,
		"a\r\nb":      `'"a\r\nb"`,
		"\x00":        `'"\u0000"`,
		"a\u0085\x7f": `'"a\u0085\u007f"`,
		"a\u2028b":    `'"a\u2028b"`,
		"x;=1":        `'"x\u003b=1"`,
		"x; +1":       `'"x\u003b +1"`,
		"[a]":         "[a]",
		"1-2=3;a=b":   "1-2=3;a=b",
		"\"a\"\n":     `'"\"a\"\n"`,
		`"\ud800"`:    `'"\"\\ud800\""`,
		`"\u0041"`:    `'"\"\\u0041\""`,
		` "a"`:        `'" \"a\""`,
		`"a" `:        `'"\"a\" "`,
		"２+2, 日本 👩‍💻": "２+2, 日本 👩‍💻",
	} {
		if got := export.Cell(text); got != want {
			t.Errorf("Cell(%q) = %q, want %q", text, got, want)
		}
		if got := uncell(export.Cell(text)); got != text {
			t.Errorf("%q is read as %q", text, got)
		}
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	for want, names := range map[string][]string{
		"[]":                {},
		"Staff":             {"Staff"},
		"Staff;Design, a b": {"Staff", "Design, a b"},
		`["a\u003bb","c"]`:  {"a;b", "c"},
		`["a","=b"]`:        {"a", "=b"},
		`["a"," b"]`:        {"a", " b"},
		`["a","[b"]`:        {"a", "[b"},
		`["","a"]`:          {"", "a"},
		`["\ta\u0085"]`:     {"\ta\u0085"},
		`["\"a\""]`:         {`"a"`},
		`["'a"]`:            {"'a"},
	} {
		if got := export.Groups(names); got != want {
			t.Errorf("Groups(%q) = %s, want %s", names, got, want)
		}
	}
}

// uncell reads a cell as the contract says, and shares no code with what writes it.
func uncell(cell string) string {
	rest, escaped := strings.CutPrefix(cell, "'")
	if !escaped {
		return cell
	}
	if value := jsontext.Value(rest); strings.TrimSpace(rest) == rest && value.IsValid() && value.Kind() == '"' {
		text, _ := jsontext.AppendUnquote(nil, rest)
		return string(text)
	}
	return rest
}

// Every text is read back, no cell begins as a formula does, none has blanks at its ends or control characters.
func FuzzCell(f *testing.F) {
	for _, seed := range []string{"", "=a", "'", `"x"`, "a\nb", "x;=y", " ; -"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "?")
		cell := export.Cell(text)
		switch {
		case uncell(cell) != text:
			t.Errorf("%q is read as %q", text, uncell(cell))
		case cell == "" || strings.ContainsAny(cell[:1], "=+-@\""):
			t.Errorf("the cell of %q is %q", text, cell)
		case strings.ContainsFunc(cell, unicode.IsControl):
			t.Errorf("the cell of %q has control characters: %q", text, cell)
		}
		for _, part := range strings.Split(cell, ";") {
			if part = strings.TrimSpace(part); part != "" && strings.ContainsAny(part[:1], "=+-@") {
				t.Errorf("the cell of %q is a formula behind a semicolon: %q", text, cell)
			}
		}
	})
}

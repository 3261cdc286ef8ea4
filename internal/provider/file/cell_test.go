package file

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// TestUnescape: one apostrophe is removed, and only a whole JSON string behind it is read as one.
func TestUnescape(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]struct {
		text    string
		escaped bool
	}{
		"":                {"", false},
		"x":               {"x", false},
		"=1+1":            {"=1+1", false},
		`"x"`:             {`"x"`, false},
		"'":               {"", true},
		"''":              {"'", true},
		"'=1+1":           {"=1+1", true},
		"' x ":            {" x ", true},
		`'"`:              {`"`, true},
		`'""`:             {"", true},
		`'"a`:             {`"a`, true},
		`'"a\nb\u0000"`:   {"a\nb\x00", true},
		`'"\"x\""`:        {`"x"`, true},
		`'"a" `:           {`"a" `, true},
		`' "a"`:           {` "a"`, true},
		`'"a","b"`:        {`"a","b"`, true},
		`'"a"b"`:          {`"a"b"`, true},
		`'"\ud83d\ude00"`: {"😀", true},
		`'"\ud83d"`:       {`"\ud83d"`, true}, // half a character: parsers differ, so it is text
		"'\"a\tb\"":       {"\"a\tb\"", true}, // JSON has no tab in a string
		`'"\x"`:           {`"\x"`, true},
		`'["a"]`:          {`["a"]`, true},
		"'null":           {"null", true},
	} {
		if text, escaped := unescape(cell); text != want.text || escaped != want.escaped {
			t.Errorf("unescape(%q) = %q, %v, want %q, %v", cell, text, escaped, want.text, want.escaped)
		}
	}
}

// escaped writes a text as a writer has to: see unescape.
func escaped(t *testing.T, text string) string {
	t.Helper()
	control := strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
	if !control && !isJSONString(text) {
		return escape + text
	}
	quoted, err := jsontext.AppendQuote([]byte(escape), text)
	if err != nil {
		t.Fatal(err)
	}
	return string(quoted)
}

// FuzzCell: no cell is refused with a panic, and each text is read back as it was, also where it looks like an escape.
func FuzzCell(f *testing.F) {
	for _, seed := range []string{"", "'", "''", `"`, `""`, `"a"`, `'"a"`, `"\ud800"`, "=1", " a ", "a\nb", "\x00", "[", "[]", `["a"]`, "{}", `{"a":1,"a":2}`, "\xff", "é"} {
		f.Add(seed)
	}
	v := newVocabulary()
	f.Fuzz(func(t *testing.T, text string) {
		plain, was := unescape(text)
		if was != strings.HasPrefix(text, escape) || !was && plain != text {
			t.Errorf("unescape(%q) = %q, %v", text, plain, was)
		}
		for _, d := range v.byName {
			if read, err := readCell(d, text); err != nil && (read.value != nil || err.Error() == "") {
				t.Errorf("%s: %q is read as %v, with the error %v", d.Name, text, read.value, err)
			}
		}
		if strings.ToValidUTF8(text, "") != text {
			return // the reader of rows refuses it
		}
		cell := escaped(t, text)
		if got, was := unescape(cell); got != text || !was {
			t.Errorf("%q is written as %q, and read as %q", text, cell, got)
		}
	})
}

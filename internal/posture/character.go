package posture

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// describeCharacter names the character that a text begins with. Many of those that get into an inventory by accident
// cannot be seen, or look like others.
func describeCharacter[T string | []byte](text T) string {
	r, size := utf8.DecodeRuneInString(string(text[:min(len(text), utf8.UTFMax)]))
	if r == utf8.RuneError && size <= 1 {
		return fmt.Sprintf("the byte 0x%02X", text[0])
	}
	name := characters[r]
	switch {
	case name != "":
	case r < ' ' || r == 0x7F:
		name = "a control character"
	case unicode.IsSpace(r):
		name = "a blank"
	case r >= 0xFF01 && r <= 0xFF5E:
		name = fmt.Sprintf("full-width %c", r-0xFF01+'!')
	case unicode.In(r, unicode.Cyrillic):
		name = "a Cyrillic letter"
	case unicode.In(r, unicode.Greek):
		name = "a Greek letter"
	case unicode.IsLetter(r), unicode.IsSymbol(r), unicode.IsPunct(r), unicode.IsNumber(r):
		name = string(r)
	default:
		return fmt.Sprintf("U+%04X", r)
	}
	return fmt.Sprintf("U+%04X (%s)", r, name)
}

// characters are those that spreadsheets, web pages and PDF files put in place of others.
var characters = map[rune]string{
	0x0000: "NUL",
	'\t':   "tab",
	'\n':   "line feed",
	'\r':   "carriage return",
	0x00A0: "no-break space",
	0x00AD: "soft hyphen",
	0x200B: "zero-width space",
	0x200C: "zero-width non-joiner",
	0x200D: "zero-width joiner",
	0x200E: "left-to-right mark",
	0x200F: "right-to-left mark",
	0x2010: "hyphen",
	0x2011: "non-breaking hyphen",
	0x2012: "figure dash",
	0x2013: "en dash",
	0x2014: "em dash",
	0x2018: "typographic quotation mark",
	0x2019: "typographic quotation mark",
	0x201C: "typographic quotation mark",
	0x201D: "typographic quotation mark",
	0x2060: "word joiner",
	0x212A: "Kelvin sign",
	0x2212: "minus sign",
	0xFEFF: "byte-order mark",
	0xFFFD: "replacement character",
}

package posture

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// describeCharacter names the first character of a text. Many characters that get into an inventory by accident are
// invisible, or look like others.
func describeCharacter[T string | []byte](text T) string {
	r, size := utf8.DecodeRuneInString(string(text[:min(len(text), utf8.UTFMax)]))
	if r == utf8.RuneError && size <= 1 {
		return fmt.Sprintf("the byte 0x%02X", text[0])
	}
	name := nameOf(r)
	switch {
	case name != "":
	case r < ' ' || r == 0x7F:
		name = "a control character"
	case unicode.IsSpace(r):
		name = "white space"
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

// nameOf names the characters that spreadsheets, web pages and PDF files insert, or put in place of others.
func nameOf(r rune) string {
	switch r {
	case 0x0000:
		return "NUL"
	case '\t':
		return "tab"
	case '\n':
		return "line feed"
	case '\r':
		return "carriage return"
	case 0x00A0:
		return "no-break space"
	case 0x00AD:
		return "soft hyphen"
	case 0x200B:
		return "zero-width space"
	case 0x200C:
		return "zero-width non-joiner"
	case 0x200D:
		return "zero-width joiner"
	case 0x200E:
		return "left-to-right mark"
	case 0x200F:
		return "right-to-left mark"
	case 0x2010:
		return "hyphen"
	case 0x2011:
		return "non-breaking hyphen"
	case 0x2012:
		return "figure dash"
	case 0x2013:
		return "en dash"
	case 0x2014:
		return "em dash"
	case 0x2018, 0x2019, 0x201C, 0x201D:
		return "typographic quotation mark"
	case 0x2060:
		return "word joiner"
	case 0x212A:
		return "Kelvin sign"
	case 0x2212:
		return "minus sign"
	case 0xFEFF:
		return "byte-order mark"
	case utf8.RuneError:
		return "replacement character"
	}
	return ""
}

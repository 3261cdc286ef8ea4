package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// shape finds what cannot be meant in a value or around it, and is hard to see: the line end of `echo`, or quotation
// marks that a tool passed on. Without this check the value would be refused for another reason, or match nothing.
// Lists are judged by their entries; white space around those is ignored.
func shape(value string, of reflect.Type) string {
	list := of == reflect.TypeFor[UUIDs]() || of == reflect.TypeFor[Secrets]() || of == reflect.TypeFor[Words]()
	secret := of == reflect.TypeFor[Secret]() || of == reflect.TypeFor[Secrets]()
	bare := strings.TrimRight(value, "\r\n")
	switch {
	case value == "", of == reflect.TypeFor[Lines](): // line breaks are part of it, and so may be quotation marks at its ends
		return ""
	case strings.HasPrefix(value, byteOrderMark):
		return "the value begins with a byte-order mark, which is invisible; remove it"
	case isQuoted(bare):
		return inQuotationMarks
	case of != reflect.TypeFor[string]() && of != reflect.TypeFor[Secret]() && hasComment(value):
		return commentAfter
	case secret && regexp.MustCompile(`^[A-Z]+(_[A-Z]+)+=.`).MatchString(value):
		return "the value begins with the name of a variable and =; only the part after it belongs here"
	case secret && !list && filepath.IsAbs(bare) && exists(bare):
		return pathOfSecret
	case list:
		return ""
	case of == reflect.TypeFor[Path]() && isContents(bare):
		return "" // UnmarshalText of Path reports it
	case of == reflect.TypeFor[Path]() && strings.HasPrefix(value, "~") && !exists(value) && !inFolder(value):
		return "the path begins with ~, which only a shell replaces; write the whole path"
	case of == reflect.TypeFor[Path]() && reference.MatchString(value) && !exists(value):
		return "the path has a reference to another variable, which nothing has replaced; write the whole path"
	case of == reflect.TypeFor[Path]() && strings.HasPrefix(value, "file:"):
		return "the value is a URL; write the path alone"
	case strings.HasSuffix(value, "\r"):
		return "the value ends with a carriage return: the file it comes from has the line ends of Windows; save it with those of Unix (LF)"
	case bare != value:
		return endsInLineBreak
	case strings.ContainsFunc(value, unicode.IsControl):
		return "the value has a line break or another control character in it"
	case !utf8.ValidString(value):
		return "the value is not UTF-8"
	case strings.TrimSpace(value) == "":
		return "the value has only spaces"
	case of != reflect.TypeFor[string]() && strings.TrimSpace(value) != value:
		return spaceAtEnd
	case of != reflect.TypeFor[string]() && of != reflect.TypeFor[Secret]() && of != reflect.TypeFor[Path]():
		if r, is := hidden(value); is {
			return fmt.Sprintf("the value has a character that is invisible or looks like a space (%U); remove it", r)
		}
		return ""
	default:
		return ""
	}
}

const (
	pathOfSecret     = "the value is the path of a file, which belongs in the variable with " + fileSuffix
	inQuotationMarks = "the value is in quotation marks, and they are part of it; docker run --env-file, for example, passes them on: remove them"
	endsInLineBreak  = "the value ends with a line break, which echo adds; printf does not"
	spaceAtEnd       = "the value begins or ends with a space"
	commentAfter     = "the value has a comment after it, which is part of it for docker run --env-file and systemd; put it on a line of its own"
)

// inFile rewords a text about a value for a secret that was read from a file.
func inFile(text string) string {
	switch text {
	case inQuotationMarks:
		return "the secret in the file is in quotation marks, and they are part of it: remove them"
	case endsInLineBreak:
		return "the file ends with more than one line break; leave one at most"
	default:
		return text
	}
}

func hasComment(value string) bool { return strings.Contains(value+" ", " # ") }

// isQuoted reports whether a value begins and ends with quotation marks, including those of word processors.
func isQuoted(value string) bool {
	first, size := utf8.DecodeRuneInString(value)
	last, _ := utf8.DecodeLastRuneInString(value)
	closing := map[rune]string{'"': `"`, '\'': `'`, '“': "”“", '„': "“”", '‘': "’‘", '‚': "‘’", '«': "»", '»': "«"}
	return len(value) > size && strings.ContainsRune(closing[first], last)
}

// reference finds ${NAME} and $(NAME).
var reference = regexp.MustCompile(`\$(\{[A-Za-z_][A-Za-z0-9_]*\}|\([A-Za-z_][A-Za-z0-9_]*\))`)

// Doubts warns of values that are accepted but probably not meant. Names are compared byte for byte, so the name of the
// group in the inventory must have the same oddity.
func Doubts[T any](environ map[string]string) []string {
	var warnings []string
	for _, f := range fieldsOf[T]() {
		value, odd := environ[f.variable], ""
		r, isHidden := hidden(value)
		switch {
		case f.typ != reflect.TypeFor[string]():
		case strings.TrimSpace(value) != value:
			odd = "begins or ends with a space"
		case isHidden:
			odd = fmt.Sprintf("has a character that is invisible or looks like a space (%U)", r)
		case hasComment(value):
			odd = hashBetweenSpaces
		case reference.MatchString(value):
			odd = "has a reference to another variable, which nothing has replaced"
		}
		if odd != "" {
			warnings = append(warnings, fmt.Sprintf("%s: the value %s; remove that, unless it is meant", f.variable, odd))
		}
	}
	return warnings
}

const hashBetweenSpaces = "has a # between spaces, which begins no comment for docker run --env-file and systemd"

// Meant reports whether a warning of Doubts is about a value that the env file has on purpose: there, a # between spaces
// is part of a value only inside quotation marks.
func (e Environment) Meant(doubt string) bool {
	name, about, _ := strings.Cut(doubt, ": ")
	return strings.Contains(about, hashBetweenSpaces) && e.process[name] == "" && e.line(name) > 0
}

// hidden finds the first rune of a text that isHidden reports.
func hidden(text string) (r rune, is bool) {
	at := strings.IndexFunc(text, isHidden)
	if at < 0 {
		return 0, false
	}
	r, _ = utf8.DecodeRuneInString(text[at:])
	return r, true
}

// isHidden reports whether a rune is invisible, or looks like a space and is none. The joiner of the parts of an emoji is
// allowed.
func isHidden(r rune) bool {
	const zeroWidthJoiner = '\u200d'
	return unicode.Is(unicode.Cf, r) && r != zeroWidthJoiner || unicode.Is(unicode.Zs, r) && r != ' '
}

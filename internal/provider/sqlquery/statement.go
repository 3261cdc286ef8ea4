package sqlquery

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// statement is one SELECT statement, without the semicolon at its end.
type statement struct {
	text string
	// places is how often the parameter stands in it.
	places int
}

func (s statement) isSet() bool { return s.text != "" }

// syntax says where the lexical structures of databases differ. A database that read the text otherwise would refuse a second
// statement itself, except SQLite: its syntax is the simplest.
type syntax struct {
	backslash bool // in '…' and "…" it escapes, and "…" is text
	backtick  bool // `…` is a name
	bracket   bool // […] is a name
	hash      bool // # begins a comment
	nested    bool // comments of /* */ nest
	dollar    bool // $tag$…$tag$ is text, and $1 the parameter
	question  bool // ? is the parameter
	// numbered also takes $1 and ?1, and all are written as ?1.
	numbered bool
}

var (
	errSecond      = errors.New("it has a second statement after the semicolon")
	errUnfinished  = errors.New("a text, a quoted name or a comment in it does not end")
	errParameter   = errors.New("it has another parameter than the identifier")
	errExecutable  = errors.New("it has /*!, a comment that is executed")
	errNoSelect    = errors.New("it does not begin with SELECT or WITH")
	errInto        = errors.New("it has INTO, which writes")
	errNoParameter = errors.New("it has no parameter for the identifier")
	errSurplus     = errors.New("it has a parameter, and a list has none")
)

// parse reads a statement. Exactly one is accepted: what is behind a semicolon would be another one.
func (x syntax) parse(text string) (statement, error) {
	switch {
	case len(text) > maxQuery:
		return statement{}, fmt.Errorf("it is longer than %d bytes", maxQuery)
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		// A database that is written in C stops at the zero byte.
		return statement{}, errors.New("it is not text in UTF-8")
	}
	s := scanner{syntax: x, rest: text}
	for s.rest != "" && s.err == nil {
		s.step()
	}
	switch {
	case s.err != nil:
		return statement{}, s.err
	case s.first != "SELECT" && s.first != "WITH":
		return statement{}, errNoSelect
	}
	return statement{strings.TrimSpace(s.out.String()), s.places}, nil
}

type scanner struct {
	syntax
	rest   string
	out    strings.Builder
	first  string // the first word
	places int
	ended  bool // behind the semicolon
	err    error
}

// take moves n bytes to the output.
func (s *scanner) take(n int) {
	if !s.ended {
		s.out.WriteString(s.rest[:n])
	}
	s.rest = s.rest[n:]
}

// step reads one token.
func (s *scanner) step() {
	c := s.rest[0]
	if strings.IndexByte(" \t\r\n\f\v", c) >= 0 {
		s.take(1)
		return
	}
	if n := s.comment(); n > 0 {
		if s.err == nil {
			s.take(n)
		}
		return
	}
	if s.ended {
		if s.err == nil {
			s.err = errSecond
		}
		return
	}
	switch {
	case s.err != nil:
	case c == ';':
		s.ended = true
		s.rest = s.rest[1:]
	case c == '\'', c == '"', c == '`' && s.backtick:
		s.quoted(c, s.backslash && c != '`')
	case c == '[' && s.bracket:
		s.until("]")
	case isWord(c):
		s.word()
	case c == '$':
		s.dollarSign()
	case c == '?' && s.question:
		s.questionMark()
	case s.numbered && (c == ':' || c == '@'):
		s.err = errParameter
	default:
		s.take(1)
	}
}

// comment returns how long the comment is that begins here; 0 where none does.
func (s *scanner) comment() int {
	switch {
	case strings.HasPrefix(s.rest, "--") && (!s.hash || len(s.rest) == 2 || s.rest[2] <= ' '), s.hash && s.rest[0] == '#':
		if end := strings.IndexByte(s.rest, '\n'); end >= 0 {
			return end + 1
		}
		return len(s.rest)
	case !strings.HasPrefix(s.rest, "/*"):
		return 0
	case s.hash && (strings.HasPrefix(s.rest, "/*!") || strings.HasPrefix(s.rest, "/*M!") || strings.HasPrefix(s.rest, "/*+")):
		s.err = errExecutable
		return 0
	}
	depth := 0
	for i := 0; i+1 < len(s.rest); i++ {
		switch pair := s.rest[i : i+2]; {
		case pair == "/*" && (depth == 0 || s.nested):
			depth++
			i++
		case pair == "*/":
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	s.err = errUnfinished
	return 0
}

// quoted reads a text or a name. Two quotation marks in it are one.
func (s *scanner) quoted(mark byte, backslash bool) {
	for i := 1; i < len(s.rest); i++ {
		switch {
		case s.rest[i] == '\\' && backslash:
			i++
		case s.rest[i] != mark:
		case i+1 < len(s.rest) && s.rest[i+1] == mark:
			i++
		default:
			s.take(i + 1)
			return
		}
	}
	s.err = errUnfinished
}

func (s *scanner) until(end string) {
	at := strings.Index(s.rest[1:], end)
	if at < 0 {
		s.err = errUnfinished
		return
	}
	s.take(1 + at + len(end))
}

func isWord(c byte) bool {
	return c == '_' || c >= utf8.RuneSelf || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// word reads a keyword, a name or a number. A dollar sign may be part of it, but not its beginning.
func (s *scanner) word() {
	n := 1
	for n < len(s.rest) && (isWord(s.rest[n]) || s.rest[n] == '$') {
		n++
	}
	word := strings.ToUpper(s.rest[:n])
	switch {
	case s.first == "":
		s.first = word
	case word == "INTO":
		s.err = errInto
		return
	}
	s.take(n)
	if s.dollar && word == "E" && strings.HasPrefix(s.rest, "'") {
		s.quoted('\'', true) // PostgreSQL's E'…'
	}
}

// dollarSign reads a parameter, or a text of PostgreSQL between $tag$ and $tag$.
func (s *scanner) dollarSign() {
	n := 1
	for n < len(s.rest) && isWord(s.rest[n]) {
		n++
	}
	switch {
	case s.dollar && n < len(s.rest) && s.rest[n] == '$' && (n == 1 || s.rest[1] < '0' || s.rest[1] > '9'):
		tag := s.rest[:n+1]
		end := strings.Index(s.rest[len(tag):], tag)
		if end < 0 {
			s.err = errUnfinished
			return
		}
		s.take(len(tag) + end + len(tag))
	case (s.dollar || s.numbered) && s.rest[:n] == "$1":
		s.parameter(n)
	case s.dollar || s.numbered:
		s.err = errParameter
	default:
		s.take(1)
	}
}

func (s *scanner) questionMark() {
	n := 1
	for n < len(s.rest) && '0' <= s.rest[n] && s.rest[n] <= '9' {
		n++
	}
	if n > 1 && (!s.numbered || s.rest[:n] != "?1") {
		s.err = errParameter
		return
	}
	s.parameter(n)
}

// parameter reads a placeholder of n bytes.
func (s *scanner) parameter(n int) {
	s.places++
	if s.numbered {
		s.out.WriteString("?1")
		s.rest = s.rest[n:]
		return
	}
	s.take(n)
}

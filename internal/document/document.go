// Package document reads YAML strictly: every mistake in one go, each with its place and its path. The reader of a
// document walks its nodes; to decode into structs would hide mistakes, such as a second one in the same mapping.
package document

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Document is a YAML document that is being read. It collects what is wrong with it.
type Document struct {
	file     string
	source   [][]rune // lines, to find places inside of a text
	root     Value
	faults   Faults
	warnings Faults

	// What the reader has asked for: the mappings whose keys it knows, and members and items. A fault names no key beside
	// these, for it could be a secret at the wrong place.
	read, expected map[*yaml.Node]bool
	// removals are the nulls that are accepted.
	removals map[*yaml.Node]bool
}

// Parse parses a document, whose root may be what shape says. The root is valid only if err is nil; Faults has what is
// wrong nevertheless, after the root was read. The error is the first syntax error: what a parser reports after it is
// guessed.
func Parse(file string, content []byte, shape *Shape) (*Document, Value, error) {
	d := &Document{file: file, read: map[*yaml.Node]bool{}, expected: map[*yaml.Node]bool{}, removals: map[*yaml.Node]bool{}}
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	for line := range strings.SplitSeq(lineBreaks(string(content)), "\n") {
		d.source = append(d.source, []rune(line))
	}
	switch at := firstInvalid(content); {
	case len(content) > MaxBytes:
		return nil, Value{}, d.whole(1, 1, fmt.Sprintf("it has more than %d bytes", MaxBytes), fmt.Sprintf("at most %d", MaxBytes))
	case at < len(content):
		before := string(content[:at])
		line := before[strings.LastIndexByte(before, '\n')+1:]
		return nil, Value{}, d.whole(1+strings.Count(before, "\n"), 1+utf8.RuneCountInString(line), "it is not UTF-8", "UTF-8")
	}
	loader, err := yaml.NewLoader(bytes.NewReader(content))
	if err != nil {
		return nil, Value{}, fmt.Errorf("%s: %w", file, err)
	}
	var root, second yaml.Node
	if err := loader.Load(&root); err != nil {
		return nil, Value{}, d.syntax(err)
	}
	// A second document would be ignored without a word.
	if err := loader.Load(&second); err == nil {
		return nil, Value{}, d.whole(second.Line, second.Column, "a second document begins here", "one document")
	} else if !errors.Is(err, io.EOF) {
		return nil, Value{}, d.syntax(err)
	}
	d.root = Value{document: d, node: root.Content[0], shape: shape}
	e := expansion{left: maxNodes, above: map[*yaml.Node]bool{}}
	if wrong, accepted := e.count(d.root.node); wrong != "" {
		return nil, Value{}, d.whole(e.at.Line, e.at.Column, wrong, accepted)
	}
	return d, d.root, nil
}

// lineBreaks replaces what YAML takes for the end of a line by a line feed.
func lineBreaks(text string) string {
	return strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").Replace(text)
}

// whole makes a fault of the whole document. The place is inside: an editor has no line behind the last.
func (d *Document) whole(line, column int, text, accepted string) Faults {
	line = min(max(line, 1), len(d.source))
	column = min(max(column, 1), len(d.source[line-1])+1)
	return Faults{{File: d.file, Line: line, Column: column, Text: text, Accepted: accepted}}
}

// firstInvalid is where the content is not UTF-8; its length if it is.
func firstInvalid(content []byte) int {
	for i := 0; i < len(content); {
		r, size := utf8.DecodeRune(content[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(content)
}

// syntax puts an error of the library into a fault. Its texts are constant, except for those with a name or a character
// of the file.
func (d *Document) syntax(err error) error {
	var syntax *yaml.LoadError
	switch {
	case errors.Is(err, io.EOF):
		return d.whole(1, 1, "the file is empty", "a YAML document")
	case !errors.As(err, &syntax):
		return d.whole(1, 1, "this is not YAML", acceptedYAML)
	}
	line, column, text := syntax.Mark.Line, syntax.Mark.Column, "this is not YAML: "+syntax.Message
	switch {
	case strings.HasPrefix(syntax.Message, "unknown anchor"):
		text = "unknown anchor"
	case strings.Contains(syntax.Message, "(value:"):
		line, column = d.control()
		text = "a control character, which YAML does not accept"
	case strings.Contains(syntax.Message, "found character '"):
		text = "this is not YAML"
	}
	if at, r := d.likeSpace(line); r != 0 {
		return d.whole(at, 1+slices.Index(d.source[at-1], r),
			fmt.Sprintf("this is not YAML: a character that looks like a space and is none (%U) before the first word", r), "spaces")
	}
	f := d.whole(line, column, text, acceptedYAML)
	switch {
	case strings.Contains(text, "escape character"):
		f[0].Accepted = `\\ for \, or single quotation marks around the text`
	case strings.Contains(text, "control character"):
		f[0].Accepted = "text without it"
	default:
		f[0].Accepted = cmp.Or(d.hint(f[0]), acceptedYAML)
	}
	return f
}

// likeSpace is the last line, up to where the parser gave up, that is indented with a character that only looks like a
// space, as text from a web page is. The parser takes it for the beginning of a word, and fails lines later.
func (d *Document) likeSpace(line int) (at int, r rune) {
	for at = min(line, len(d.source)); at > 0; at-- {
		row := d.source[at-1]
		if i := slices.IndexFunc(row, func(r rune) bool { return r != ' ' }); i >= 0 && row[i] > unicode.MaxASCII && unicode.IsSpace(row[i]) {
			return at, row[i]
		}
	}
	return 0, 0
}

var control = regexp.MustCompile(`[^\t\x20-\x7e\x{a0}-\x{d7ff}\x{e000}-\x{fefe}\x{ff00}-\x{fffd}\x{10000}-\x{10ffff}]`)

// control is the place of the first character that YAML does not accept.
func (d *Document) control() (line, column int) {
	for i, row := range d.source {
		if at := control.FindStringIndex(string(row)); at != nil {
			return i + 1, 1 + utf8.RuneCountInString(string(row)[:at[0]])
		}
	}
	return 1, 1
}

// What is right in place of a mistake in YAML; the hints are for an expression that needs quotation marks, because YAML
// takes it for something else.
const (
	acceptedYAML = "YAML, indented by spaces, with each bracket and quotation mark closed"

	hintColon  = `an expression or other text that holds ": " in quotation marks`
	hintQuote  = "an expression that begins with a quotation mark in quotation marks of the other kind"
	hintColumn = "the keys of a mapping in one column, and so the items of a list"
)

// aKey is a line up to its first colon.
var aKey = regexp.MustCompile(`^\s*(?:- +)?\w+:$`)

// begins is the last value that begins on a line, up to where the parser gave up.
var begins = regexp.MustCompile(`^(?:.*[:,{\[-] +|\s*)([^\s:,]+: +)(.)`)

// closed is a value in brackets with something behind it.
var closed = regexp.MustCompile(`^\s*(?:- +)?[^\s:]+: +([\[{]).*[\]}] *[^\s#]$`)

// hint says what was probably meant at a syntax error. It reads the line up to the place.
func (d *Document) hint(f Fault) string {
	row := d.source[f.Line-1]
	before := string(row[:min(f.Column, len(row))])
	m := begins.FindStringSubmatch(before)
	first := ""
	if m != nil {
		first = m[2]
	}
	if m := closed.FindStringSubmatch(before); m != nil {
		first = m[1]
	}
	switch {
	case strings.HasPrefix(string(row[f.Column-1:]), "\t"):
		return "spaces in place of tabs"
	case strings.Contains(f.Text, "mapping values are not allowed") && aKey.MatchString(before):
		return hintColumn
	case strings.Contains(f.Text, "mapping values are not allowed"):
		return hintColon
	case first == `"` || first == "'":
		return hintQuote
	case first != "" && strings.ContainsAny(first, "!&*|>%@`[{"):
		return "an expression that begins with " + first + " in quotation marks"
	case strings.HasPrefix(string(row[f.Column-1:]), ":"):
		return hintColon
	case !strings.Contains(f.Text, "did not find expected"):
	case strings.TrimLeft(string(row[:f.Column-1]), " ") == "" && f.Column <= len(row):
		return hintColumn
	case strings.HasSuffix(string(row[:f.Column-1]), `"`) || strings.HasSuffix(string(row[:f.Column-1]), "'"):
		return "quotation marks in pairs"
	}
	return ""
}

// Faults are what is wrong with the document, as far as it was read.
func (d *Document) Faults() Faults {
	s := strictness{Document: d, seen: map[*yaml.Node]bool{}, reported: map[spot]bool{}}
	for _, f := range d.faults {
		s.reported[spot{f.Line, f.Column, f.Path}] = true
	}
	s.check(d.root)
	return append(s.found, d.faults...).sorted()
}

// Warnings are what is accepted and probably not meant.
func (d *Document) Warnings() Faults { return d.warnings.sorted() }

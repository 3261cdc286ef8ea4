// Package document reads YAML strictly: every mistake in one go, each with its place and its path. The reader of a
// document walks its nodes; to decode into structs would hide mistakes, such as a second one in the same mapping.
package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// The bounds of a document.
const (
	MaxBytes = 1 << 20
	maxNodes = 100_000 // after aliases were followed
)

// Document is a YAML document that is being read. It collects what is wrong with it.
type Document struct {
	file     string
	source   [][]rune // lines, to find places inside of a text
	faults   Faults
	warnings Faults
}

// Parse parses a document. The root is valid only if err is nil; then Faults has what is wrong nevertheless, and more
// while the root is walked. The error is the first syntax error: what a parser reports after it is guessed.
func Parse(file string, content []byte) (*Document, Value, error) {
	d := &Document{file: file}
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	switch {
	case len(content) > MaxBytes:
		return nil, Value{}, Faults{{File: file, Text: fmt.Sprintf("it has %d bytes", len(content)), Accepted: fmt.Sprintf("at most %d bytes", MaxBytes)}}
	case !utf8.Valid(content):
		line := 1 + bytes.Count(content[:firstInvalid(content)], []byte("\n"))
		return nil, Value{}, Faults{{File: file, Line: line, Column: 1, Text: "the line is not UTF-8", Accepted: "UTF-8"}}
	}
	for line := range bytes.Lines(content) {
		d.source = append(d.source, []rune(strings.TrimRight(string(line), "\r\n")))
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
		return nil, Value{}, Faults{{File: file, Line: second.Line, Column: second.Column, Text: "a second document begins here", Accepted: "one document"}}
	} else if !errors.Is(err, io.EOF) {
		return nil, Value{}, d.syntax(err)
	}
	v := Value{document: d, node: root.Content[0]}
	budget := maxNodes
	if !d.count(v.node, &budget, nil) {
		return nil, Value{}, Faults{{File: file, Line: 1, Column: 1, Text: fmt.Sprintf("its aliases stand for more than %d values", maxNodes), Accepted: "fewer aliases"}}
	}
	d.strict(v, map[*yaml.Node]bool{})
	return d, v, nil
}

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

// syntax puts an error of the library into a fault. Its texts are constant, except for the name of an anchor.
func (d *Document) syntax(err error) error {
	var syntax *yaml.LoadError
	if !errors.As(err, &syntax) {
		if errors.Is(err, io.EOF) {
			return Faults{{File: d.file, Text: "the file is empty", Accepted: "a YAML document"}}
		}
		return Faults{{File: d.file, Text: "this is not YAML"}}
	}
	f := Fault{File: d.file, Line: syntax.Mark.Line, Column: syntax.Mark.Column, Text: "this is not YAML: " + syntax.Message}
	if strings.HasPrefix(syntax.Message, "unknown anchor") {
		f.Text = "unknown anchor"
	}
	if strings.Contains(syntax.Message, "mapping values are not allowed") {
		f.Accepted = "an expression that holds \": \" in quotation marks"
	}
	if strings.Contains(syntax.Message, "did not find expected comment or line break") || strings.Contains(syntax.Message, "did not find expected key") || strings.Contains(syntax.Message, "did not find expected ','") {
		f.Accepted = "an expression that begins with a quotation mark in quotation marks of the other kind"
	}
	return Faults{f}
}

// count takes the nodes below n from budget, with those that aliases stand for, and reports whether it was enough.
func (d *Document) count(n *yaml.Node, budget *int, above []*yaml.Node) bool {
	if *budget--; *budget < 0 {
		return false
	}
	if n.Kind == yaml.AliasNode {
		for _, a := range above {
			if a == n.Alias {
				return false // it stands for itself
			}
		}
		return d.count(n.Alias, budget, append(above, n.Alias))
	}
	for _, c := range n.Content {
		if !d.count(c, budget, append(above, n)) {
			return false
		}
	}
	return true
}

// strict reports what is wrong wherever it stands. seen are the nodes that aliases stand for.
func (d *Document) strict(v Value, seen map[*yaml.Node]bool) {
	n := v.node
	if n.Kind == yaml.AliasNode {
		if n = n.Alias; seen[n] {
			return
		}
		seen[n] = true
		v.node = n
	}
	switch {
	case n.Style&yaml.TaggedStyle != 0:
		v.Fault("no tags; an expression that begins with ! in quotation marks", "it begins with a tag")
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		v.Fault("a value, or no such key", "it has no value")
	case n.Kind == yaml.SequenceNode:
		for _, item := range v.items() {
			d.strict(item, seen)
		}
	case n.Kind == yaml.MappingNode:
		first := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := Value{document: d, node: n.Content[i], path: v.path}
			switch {
			case key.node.ShortTag() == "!!merge":
				key.Fault("each key written out", "merge keys are not supported")
			case key.node.Kind != yaml.ScalarNode:
				key.Fault("text", "a key is no text")
			case first[key.node.Value]:
				key.Fault("each key once", "duplicate key %s", printableKey(key.node.Value))
			case n.Style&yaml.FlowStyle != 0 && n.Content[i+1].ShortTag() == "!!null" && n.Content[i+1].Value == "":
				// The key of {SECRET} is the secret: neither the text nor the path shows it.
				first[key.node.Value] = true
				key.Fault("KEY: VALUE", "a key has no value")
			default:
				first[key.node.Value] = true
				d.strict(v.member(key.node, n.Content[i+1]), seen)
			}
		}
	}
}

// printableKey is a key for a message: it is the user's, and short, if it is a name at all.
func printableKey(key string) string {
	const most = 64
	if characters := []rune(key); len(characters) > most {
		key = string(characters[:most]) + "..."
	}
	return fmt.Sprintf("%q", key)
}

// Faults are what is wrong with the document, as far as it was read.
func (d *Document) Faults() Faults { return d.faults.sorted() }

// Warnings are what is accepted and probably not meant.
func (d *Document) Warnings() Faults { return d.warnings.sorted() }

package document

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Value is a node of a document, with its path. A Value whose node is missing is false in IsSet; to read it gives
// nothing and is no fault.
type Value struct {
	document *Document
	node     *yaml.Node
	key      *yaml.Node // nil for the root and for items
	path     string
	shape    *Shape // what it may be; nil means anything
}

// IsSet reports whether the value exists.
func (v Value) IsSet() bool { return v.node != nil }

// IsEmpty reports whether the value does not exist, or is a list or a mapping with nothing in it.
func (v Value) IsEmpty() bool {
	r := v.resolved()
	return r.node == nil || (r.IsList() || r.IsMapping()) && len(r.node.Content) == 0
}

// Has reports whether the value is a mapping with this key.
func (v Value) Has(key string) bool {
	return v.IsMapping() && v.resolved().hasKey(key)
}

// Path is where the value is in the document, such as policies.staff.rules[0].
func (v Value) Path() string { return v.path }

func (v Value) resolved() Value {
	if v.node != nil && v.node.Kind == yaml.AliasNode {
		v.node = v.node.Alias
	}
	return v
}

// As gives the value a shape, to which the methods that read it then hold it.
func (v Value) As(s *Shape) Value {
	v.shape = s
	return v
}

func (v Value) member(key, value *yaml.Node, s *Shape) Value {
	v.document.expected[value] = true
	return Value{document: v.document, node: value, key: key, path: v.under(key.Value), shape: s}
}

// under is the path of a member.
func (v Value) under(name string) string {
	if !plainKey.MatchString(name) {
		name = "…"
	}
	if v.path != "" {
		return v.path + "." + name
	}
	return name
}

// plainKey is a key that a message may show. Anything else, and a longer one, could be a secret at a wrong place.
var plainKey = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_ .-]{0,39}$`)

// Key is the key of a member, to report what is wrong with the name. Other values return themselves.
func (v Value) Key() Value {
	if v.key != nil {
		v.node, v.key = v.key, nil
	}
	return v
}

func (v Value) items() []Value {
	v = v.resolved()
	items := make([]Value, len(v.node.Content))
	for i, n := range v.node.Content {
		v.document.expected[n] = true
		items[i] = Value{document: v.document, node: n, path: v.path + "[" + strconv.Itoa(i) + "]", shape: v.shape.as(List).Items}
	}
	return items
}

// Fault reports what is wrong with the value, and what is accepted.
func (v Value) Fault(accepted, format string, args ...any) {
	v.document.faults = append(v.document.faults, v.fault(v.node.Line, v.node.Column, accepted, fmt.Sprintf(format, args...)))
}

// FaultAt reports a fault of the value at the place of another one, with the path of the value.
func (v Value) FaultAt(place Value, accepted, format string, args ...any) {
	v.document.faults = append(v.document.faults, v.fault(place.node.Line, place.node.Column, accepted, fmt.Sprintf(format, args...)))
}

// AsFault makes a fault of the value that is found after the document was read.
func (v Value) AsFault(text string) Fault { return v.fault(v.node.Line, v.node.Column, "", text) }

// Warn reports what is accepted and probably not meant.
func (v Value) Warn(format string, args ...any) {
	v.document.warnings = append(v.document.warnings, v.fault(v.node.Line, v.node.Column, "", fmt.Sprintf(format, args...)))
}

// FaultIn reports a fault at a place in the value's text, which is counted from 1 in characters.
func (v Value) FaultIn(line, column int, accepted, format string, args ...any) {
	l, c := v.resolved().placeIn(line, column)
	f := v.fault(l, c, accepted, fmt.Sprintf(format, args...))
	if lines := strings.Split(v.resolved().node.Value, "\n"); line <= len(lines) {
		f.excerpt, f.excerptColumn = lines[line-1], column
	}
	v.document.faults = append(v.document.faults, f)
}

func (v Value) fault(line, column int, accepted, text string) Fault {
	return Fault{File: v.document.file, Line: line, Column: column, Path: v.path, Text: text, Accepted: accepted}
}

// kind names what a node is.
func kind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return "text"
	}
	switch n.ShortTag() {
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	case "!!timestamp":
		return "a day or a time"
	}
	return "text"
}

// isFaulty reports whether strict reports the value, so that its type says nothing.
func isFaulty(v Value) bool { return v.IsTagged() || v.IsNull() }

// IsNull reports whether a value is set to null, which is a fault everywhere.
func (v Value) IsNull() bool {
	r := v.resolved()
	return r.node != nil && r.node.Kind == yaml.ScalarNode && r.node.ShortTag() == "!!null"
}

// Removes reports whether a value is null where that is accepted: it says that a member of what the mapping changes is not
// taken. Without a call of it, null is a fault.
func (v Value) Removes() bool {
	if !v.IsNull() {
		return false
	}
	v.document.removals[v.resolved().node] = true
	return true
}

// Text returns the value's text. Texts that YAML makes something else of, such as 15.10, yes and 2026-01-01, are a
// fault: it is not known what was meant.
func (v Value) Text() (text string, ok bool) {
	r := v.resolved()
	if r.node == nil || isFaulty(r) {
		return "", false
	}
	s := v.shape.as(Text)
	switch is := kind(r.node); {
	case s.Expression && is == "a mapping":
		v.Fault(s.accepted()+"; one that holds \": \" or begins with { in quotation marks", "it is a mapping")
		return "", false
	case s.Expression && is == "a list":
		v.Fault(s.accepted()+"; one that begins with [ in quotation marks", "it is a list")
		return "", false
	case r.node.Kind != yaml.ScalarNode:
		v.Fault(s.accepted(), "it is %s", is)
		return "", false
	case is != "text":
		v.Fault(s.accepted()+"; put it in quotation marks", "it is %s", is)
		return "", false
	case ambiguous(r.node):
		v.Fault(s.accepted()+"; put it in quotation marks", "in other versions of YAML it is true or false")
		return "", false
	}
	return r.node.Value, v.checkText(s, r.node.Value)
}

// ambiguous reports whether other versions of YAML read true or false. The letters y and n alone are text to all parsers
// in use, and short names, such as those of a test, are made of such letters.
func ambiguous(n *yaml.Node) bool {
	return kind(n) == "text" && n.Style&^yaml.TaggedStyle == 0 && slices.Contains([]string{"yes", "no", "on", "off"}, strings.ToLower(n.Value))
}

// List returns the items of a list. Those beyond the most that there may be are not returned.
func (v Value) List() (items []Value, ok bool) {
	r := v.resolved()
	if r.node == nil || isFaulty(r) {
		return nil, false
	}
	s := v.shape.as(List)
	if r.node.Kind != yaml.SequenceNode {
		v.Fault(s.accepted(), "it is %s", kind(r.node))
		return nil, false
	}
	items = r.items()
	switch {
	case len(items) == 0 && s.Least > 0:
		v.Fault(s.accepted(), "the list is empty")
		return nil, false
	case s.Most > 0 && len(items) > s.Most:
		items[s.Most].Fault(fmt.Sprintf("at most %d", s.Most), "the list has %d items", len(items))
		return items[:s.Most], true
	}
	return items, true
}

// IsList reports whether the value is a list.
func (v Value) IsList() bool { return v.is(yaml.SequenceNode) }

// IsMapping reports whether the value is a mapping.
func (v Value) IsMapping() bool { return v.is(yaml.MappingNode) }

func (v Value) is(k yaml.Kind) bool {
	r := v.resolved()
	return r.node != nil && r.node.Kind == k
}

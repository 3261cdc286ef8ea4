package document

import (
	"fmt"
	"iter"
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
	if v.IsMapping() {
		for name := range v.Names() {
			if name == key {
				return true
			}
		}
	}
	return false
}

// Path is where the value is in the document, such as policies.staff.rules[0].
func (v Value) Path() string { return v.path }

func (v Value) resolved() Value {
	if v.node != nil && v.node.Kind == yaml.AliasNode {
		v.node = v.node.Alias
	}
	return v
}

func (v Value) member(key, value *yaml.Node) Value {
	path := key.Value
	if v.path != "" {
		path = v.path + "." + path
	}
	return Value{document: v.document, node: value, key: key, path: path}
}

// Key is the key of a member, to report what is wrong with the name. Other values return themselves.
func (v Value) Key() Value {
	if v.key != nil {
		v.node, v.key = v.key, nil
	}
	return v
}

func (v Value) items() []Value {
	items := make([]Value, len(v.node.Content))
	for i, n := range v.node.Content {
		items[i] = Value{document: v.document, node: n, path: v.path + "[" + strconv.Itoa(i) + "]"}
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

// isFaulty reports whether strict has reported the value already, so that its type says nothing.
func isFaulty(n *yaml.Node) bool {
	return n.Style&yaml.TaggedStyle != 0 || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// Text returns the value's text. Texts that YAML makes something else of, such as 15.10, yes and 2026-01-01, are a
// fault: it is not known what was meant.
func (v Value) Text() (text string, ok bool) {
	r := v.resolved()
	if r.node == nil || isFaulty(r.node) {
		return "", false
	}
	if is := kind(r.node); is != "text" {
		accepted := "text"
		if r.node.Kind == yaml.ScalarNode {
			accepted = "text; put it in quotation marks"
		}
		v.Fault(accepted, "it is %s", is)
		return "", false
	}
	if r.node.Style == 0 && slices.Contains([]string{"y", "yes", "n", "no", "on", "off"}, strings.ToLower(r.node.Value)) {
		v.Fault("text; put it in quotation marks", "in other versions of YAML it is true or false")
		return "", false
	}
	return r.node.Value, true
}

// Bool returns true or false.
func (v Value) Bool() (value, ok bool) { return v.BoolOr("true or false") }

// List returns the items of a list.
func (v Value) List() (items []Value, ok bool) {
	r := v.resolved()
	if r.node == nil || isFaulty(r.node) {
		return nil, false
	}
	if r.node.Kind != yaml.SequenceNode {
		v.Fault("a list", "it is %s", kind(r.node))
		return nil, false
	}
	return r.items(), true
}

// IsList reports whether the value is a list.
func (v Value) IsList() bool { return v.is(yaml.SequenceNode) }

// IsMapping reports whether the value is a mapping.
func (v Value) IsMapping() bool { return v.is(yaml.MappingNode) }

func (v Value) is(k yaml.Kind) bool {
	r := v.resolved()
	return r.node != nil && r.node.Kind == k
}

// Names returns the members of a mapping whose keys are names that the user chooses.
func (v Value) Names() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		r := v.resolved()
		if r.node == nil || isFaulty(r.node) {
			return
		}
		if r.node.Kind != yaml.MappingNode {
			v.Fault("a mapping", "it is %s", kind(r.node))
			return
		}
		seen := map[string]bool{}
		for i := 0; i+1 < len(r.node.Content); i += 2 {
			key := r.node.Content[i]
			if key.Kind != yaml.ScalarNode || seen[key.Value] || key.ShortTag() == "!!merge" {
				continue // reported
			}
			seen[key.Value] = true
			if !yield(key.Value, r.member(key, r.node.Content[i+1])) {
				return
			}
		}
	}
}

// Mapping is a mapping whose keys are known.
type Mapping struct {
	Value

	members map[string]Value
}

// Mapping returns the members of a mapping with these keys; any other key is a fault. A mapping that is none has no
// members.
func (v Value) Mapping(keys ...string) Mapping {
	m := Mapping{Value: v, members: map[string]Value{}}
	for name, member := range v.Names() {
		if !slices.Contains(keys, name) {
			v.unknownKey(name, keys)
			continue
		}
		m.members[name] = member
	}
	return m
}

func (v Value) unknownKey(name string, keys []string) {
	r := v.resolved()
	for i := 0; i+1 < len(r.node.Content); i += 2 {
		if key := r.node.Content[i]; key.Value == name {
			text := "unknown key " + printableKey(name)
			if near := Nearest(name, keys); near != "" {
				text += "; did you mean " + near + "?"
			}
			v.document.faults = append(v.document.faults, v.fault(key.Line, key.Column, strings.Join(keys, ", "), text))
			return
		}
	}
}

// Get returns a member, which may not be set.
func (m Mapping) Get(key string) Value { return m.members[key] }

// Require returns a member; that it is missing is a fault.
func (m Mapping) Require(key, accepted string) (Value, bool) {
	if v, ok := m.members[key]; ok {
		return v, true
	}
	m.Missing(key, accepted)
	return Value{}, false
}

// Missing reports that a mapping lacks a key, at its first key. A value that is no mapping was reported already.
func (v Value) Missing(key, accepted string) {
	r := v.resolved()
	if r.node == nil || r.node.Kind != yaml.MappingNode {
		return
	}
	at := r.node
	if len(at.Content) > 0 {
		at = at.Content[0]
	}
	v.document.faults = append(v.document.faults, v.fault(at.Line, at.Column, accepted, key+" is missing"))
}

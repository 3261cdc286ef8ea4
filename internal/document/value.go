package document

import (
	"fmt"
	"iter"
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

// Keys are the names in a mapping, all of them, also those that are reported and beyond the most that there may be.
func (v Value) Keys() (names []string) {
	if v.IsMapping() {
		for i := 0; i+1 < len(v.resolved().node.Content); i += 2 {
			names = append(names, v.resolved().node.Content[i].Value)
		}
	}
	return names
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

// Stray returns the first key of a mapping that is none of these names, not even a misspelled one. To look for it shows
// no key in other faults.
func (v Value) Stray(names ...string) (key Value, found bool) {
	r := v.resolved()
	if r.node == nil || r.node.Kind != yaml.MappingNode {
		return Value{}, false
	}
	for i := 0; i+1 < len(r.node.Content); i += 2 {
		if key := r.node.Content[i]; key.Kind != yaml.ScalarNode || Nearest(key.Value, names) == "" {
			r.node = key
			return r, true
		}
	}
	return Value{}, false
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
	v.document.faults = append(v.document.faults, v.fault(l, c, accepted, fmt.Sprintf(format, args...)))
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
func isFaulty(v Value) bool {
	return v.isTagged() || v.node.Kind == yaml.ScalarNode && v.node.ShortTag() == "!!null"
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

// ambiguous reports whether other versions of YAML read true or false.
func ambiguous(n *yaml.Node) bool {
	return kind(n) == "text" && n.Style&^yaml.TaggedStyle == 0 && slices.Contains([]string{"y", "yes", "n", "no", "on", "off"}, strings.ToLower(n.Value))
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

// Names returns the members of a mapping whose keys are names that the user chooses, and of a mapping whose keys are
// known. Whether a name is accepted is for the caller to say; those beyond the most that there may be are not returned.
func (v Value) Names() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		r := v.resolved()
		if r.node == nil || isFaulty(r) {
			return
		}
		s := v.shape.as(Map)
		if r.node.Kind != yaml.MappingNode {
			v.Fault(s.accepted(), "it is %s", kind(r.node))
			return
		}
		r.document.read[r.node] = true
		n := 0
		for key, value := range r.pairs() {
			if n++; s.Most > 0 && n > s.Most {
				v.FaultAt(Value{node: key}, fmt.Sprintf("at most %d", s.Most), "it has more than %d members", s.Most)
				return
			}
			if !yield(key.Value, r.member(key, value, s.of(key.Value))) {
				return
			}
		}
	}
}

// of is the shape of a member.
func (s *Shape) of(name string) *Shape {
	for _, k := range s.Keys {
		if k.Name == name {
			return k.Shape
		}
	}
	return s.Members
}

// pairs are the members of a mapping, without those whose keys strict reports.
func (v Value) pairs() iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(*yaml.Node, *yaml.Node) bool) {
		seen := map[string]bool{}
		for i := 0; i+1 < len(v.node.Content); i += 2 {
			key, value := v.node.Content[i], v.node.Content[i+1]
			if seen[key.Value] || wrongKey(key) != "" || isBare(v.node, value) {
				continue
			}
			seen[key.Value] = true
			if !yield(key, value) {
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

// Mapping returns the members of a mapping with the keys of its shape; any other key is a fault, and so is one that is
// required and missing. A mapping that is none has no members.
func (v Value) Mapping() Mapping {
	m := Mapping{Value: v, members: map[string]Value{}}
	s := v.shape.as(Map)
	for name, member := range v.Names() {
		if member.shape == nil {
			member.Key().Fault(strings.Join(s.names(), ", "), "unknown key%s", didYouMean(name, s.names()))
			continue
		}
		m.members[name] = member
	}
	if r := v.resolved(); r.node != nil && r.node.Kind == yaml.MappingNode && !isFaulty(r) {
		for _, k := range s.Keys {
			if _, set := m.members[k.Name]; k.Required && !set && !r.hasKey(k.Name) {
				v.Missing(k.Name, k.Shape.accepted())
			}
		}
	}
	return m
}

// hasKey reports whether a mapping has a key, also one that strict reports.
func (v Value) hasKey(name string) bool {
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		if v.node.Content[i].Value == name {
			return true
		}
	}
	return false
}

// Get returns a member, which may not be set.
func (m Mapping) Get(key string) Value { return m.members[key] }

// Missing reports that a mapping lacks a key, at its first key. A value that is no mapping was reported already.
func (v Value) Missing(key, accepted string) {
	r := v.resolved()
	if r.node == nil || r.node.Kind != yaml.MappingNode {
		return
	}
	at := r
	if len(r.node.Content) > 0 {
		at.node = r.node.Content[0]
	}
	at.path = v.under(key)
	at.Fault(accepted, "it is missing")
}

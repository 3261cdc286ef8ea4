package document

import (
	"fmt"
	"iter"
	"strings"

	"go.yaml.in/yaml/v4"
)

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
		if reason := s.Refused[name]; reason != "" && member.shape == nil {
			member.Key().Fault("no key "+name, "%s", reason)
			continue
		}
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

// Member returns a member of a mapping without judging the mapping, which somebody else reads.
func (v Value) Member(key string) Value {
	if r := v.resolved(); r.node != nil && r.node.Kind == yaml.MappingNode && !isFaulty(r) {
		for k, value := range r.pairs() {
			if k.Value == key {
				return r.member(k, value, v.shape.as(Map).of(key))
			}
		}
	}
	return Value{}
}

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

// Keys are the names in a mapping, all of them, also those that are reported and beyond the most that there may be.
func (v Value) Keys() (names []string) {
	if v.IsMapping() {
		for i := 0; i+1 < len(v.resolved().node.Content); i += 2 {
			names = append(names, v.resolved().node.Content[i].Value)
		}
	}
	return names
}

// Texts are the texts that the items of a list have as a member with this key, each a text or a list of texts. What is wrong
// with them is no fault yet.
func (v Value) Texts(key string) (texts []string) {
	for _, item := range v.resolved().node.Content {
		r := Value{document: v.document, node: item}.resolved()
		if r.node.Kind != yaml.MappingNode {
			continue
		}
		for i := 0; i+1 < len(r.node.Content); i += 2 {
			if r.node.Content[i].Value != key {
				continue
			}
			value := Value{document: v.document, node: r.node.Content[i+1]}.resolved().node
			for _, text := range append([]*yaml.Node{value}, value.Content...) {
				if text.Kind == yaml.ScalarNode {
					texts = append(texts, text.Value)
				}
			}
		}
	}
	return texts
}

// Rows are the texts of several members of the items of a list, for each item; one that is no text is empty. What is wrong with
// them is no fault yet.
func (v Value) Rows(keys ...string) (rows [][]string) {
	if !v.IsList() {
		return nil
	}
	for _, item := range v.resolved().node.Content {
		one := Value{document: v.document, node: &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{item}}}
		row := make([]string, len(keys))
		for i, key := range keys {
			if texts := one.Texts(key); len(texts) == 1 {
				row[i] = texts[0]
			}
		}
		rows = append(rows, row)
	}
	return rows
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

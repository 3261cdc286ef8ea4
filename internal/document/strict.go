package document

import (
	"fmt"
	"regexp"

	"go.yaml.in/yaml/v4"
)

// expansion counts the values of a document with those that aliases stand for: a few lines can stand for billions.
type expansion struct {
	left  int
	above map[*yaml.Node]bool // the nodes that n is in, where an alias may not lead to
	alias *yaml.Node          // the alias that is followed; the outermost
	at    *yaml.Node          // where it ended
}

// count says what is wrong and what is accepted, or returns empty texts.
func (e *expansion) count(n *yaml.Node) (wrong, accepted string) {
	e.at = n
	if e.alias != nil {
		e.at = e.alias
	}
	if e.left--; e.left < 0 {
		return fmt.Sprintf("the file has more than %d values", maxNodes), fmt.Sprintf("at most %d, with those that aliases stand for", maxNodes)
	}
	if n.Kind == yaml.AliasNode {
		if e.above[n.Alias] {
			return "an alias stands for a value that it is in itself", "an alias of another value"
		}
		if e.alias == nil {
			e.alias = n
			defer func() { e.alias = nil }()
		}
		return e.count(n.Alias)
	}
	e.above[n] = true
	defer delete(e.above, n)
	for _, c := range n.Content {
		if wrong, accepted = e.count(c); wrong != "" {
			return wrong, accepted
		}
	}
	return "", ""
}

// strictness reports what is wrong wherever it is in a document: tags, values that are missing, keys that are no text or
// duplicates.
type strictness struct {
	*Document
	seen     map[*yaml.Node]bool // what aliases stand for
	reported map[spot]bool       // by the reader
	found    Faults
}

const acceptedTag = "no tags; an expression that begins with ! in quotation marks"

func (s *strictness) check(v Value) {
	if v.node.Kind == yaml.AliasNode {
		if v = v.resolved(); s.seen[v.node] {
			return
		}
	}
	s.seen[v.node] = true
	switch n := v.node; {
	case v.IsTagged():
		s.fault(v, n, acceptedTag, "it begins with a tag")
	case s.removals[n]:
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		s.fault(v, n, "a value, or no such key", "it has no value")
	case n.Kind == yaml.SequenceNode:
		for i, item := range n.Content {
			if s.expected[item] {
				s.check(Value{document: s.Document, node: item, path: fmt.Sprintf("%s[%d]", v.path, i)})
			} else {
				s.check(Value{document: s.Document, node: item, path: v.path})
			}
		}
	case n.Kind == yaml.MappingNode:
		s.members(v)
	}
}

func (s *strictness) members(v Value) {
	first := map[string]bool{}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key, value := v.node.Content[i], v.node.Content[i+1]
		path, v := v, v
		if s.expected[value] || s.read[v.node] && first[key.Value] {
			path.path = v.under(key.Value)
		}
		switch wrong := wrongKey(key); {
		case wrong != "":
			if s.read[v.node] && acceptedKey(key) != acceptedMerge && key.Kind == yaml.ScalarNode && key.ShortTag() != "!!null" {
				v.path = v.under(key.Value)
			}
			s.fault(v, key, acceptedKey(key), wrong)
		case first[key.Value]:
			s.fault(path, key, "each key once", "duplicate key")
		case isBare(v.node, value):
			s.fault(v, key, "KEY: VALUE", "a key has no value")
		default:
			path.node = value
			s.check(path)
		}
		first[key.Value] = true
	}
}

// fault adds a fault unless the reader has found one at the same place in the same value.
func (s *strictness) fault(v Value, at *yaml.Node, accepted, text string) {
	f := v.fault(at.Line, at.Column, accepted, text)
	if !s.reported[spot{f.Line, f.Column, f.Path}] {
		s.found = append(s.found, f)
	}
}

// spot is where a fault is.
type spot struct {
	line, column int
	path         string
}

// wrongKey says why a key is none.
func wrongKey(key *yaml.Node) string {
	switch {
	case key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge":
		return "merge keys are not supported"
	case key.Kind != yaml.ScalarNode:
		return "a key is no text"
	case key.Style&yaml.TaggedStyle != 0:
		return "a key begins with a tag"
	case key.ShortTag() == "!!null":
		return "a key is missing"
	case isStatus(key):
	case kind(key) != "text":
		return "a key is " + kind(key)
	case ambiguous(key):
		return "in other versions of YAML a key is true or false"
	}
	return ""
}

const acceptedMerge = "each key written out"

func acceptedKey(key *yaml.Node) string {
	switch {
	case key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge":
		return acceptedMerge
	case key.Kind == yaml.ScalarNode && key.Style&yaml.TaggedStyle == 0 && key.ShortTag() != "!!null":
		return "text; put it in quotation marks"
	}
	return "text"
}

// isStatus reports whether a key is a status of HTTP: written without quotation marks it is read in one way only.
func isStatus(key *yaml.Node) bool {
	return key.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.TaggedStyle) == 0 && regexp.MustCompile(`^[1-5][0-9][0-9]$`).MatchString(key.Value)
}

// isBare reports whether a member of a mapping in braces has no value: the key of {SECRET} is the secret, so that neither
// a text nor a path may show it.
func isBare(mapping, value *yaml.Node) bool {
	return mapping.Style&yaml.FlowStyle != 0 && value.Kind == yaml.ScalarNode && value.ShortTag() == "!!null" && value.Value == "" && value.Style == 0
}

// IsTagged reports whether a value begins with a tag. The library drops the tag "!" alone, so that ! device.managed would
// be the opposite of what it says.
func (v Value) IsTagged() bool {
	n := v.node
	if n.Style&yaml.TaggedStyle != 0 {
		return true
	}
	if n.Kind == yaml.AliasNode || n.Line < 1 || n.Line > len(v.document.source) {
		return false
	}
	row := v.document.source[n.Line-1]
	at := n.Column - 1
	if n.Anchor != "" && at < len(row) && row[at] == '&' {
		for at < len(row) && row[at] != ' ' {
			at++
		}
		for at < len(row) && row[at] == ' ' {
			at++
		}
	}
	return at >= 0 && at < len(row) && row[at] == '!'
}

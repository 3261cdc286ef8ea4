package document

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Type is a kind of value.
type Type int

// The types of values. A Time is text, and YAML's own form of it is accepted too.
const (
	Any Type = iota
	Text
	Bool
	Whole
	Time
	Day
	List
	Map
)

// Shape declares what a value may be. The reader of a document takes keys, words and bounds from it, and its JSON Schema
// is made of it, so that the two say the same.
type Shape struct {
	Type Type
	// Name is that of a definition in the schema; empty for a part of another one.
	Name string
	// About says what the value means, to a person who writes it.
	About string
	// Accepted is what a fault says; empty where the rest says it.
	Accepted string
	// Default is what a value means that is not set.
	Default any

	// Words and Pattern are what a Text may be; without them any text.
	Words   []string
	Pattern string
	// Except are texts that Pattern fits and that are not accepted; ExceptText says why.
	Except     []string
	ExceptText string
	// Expression means that a Text is one: YAML takes some for something else unless they are in quotation marks.
	Expression bool
	// Least and Most are bounds: of a Whole, of the characters of a Text, of the items of a List, of the members of a Map.
	// Most is none where it is 0.
	Least, Most int

	// Items is what is in a List.
	Items *Shape
	// Keys are those of a Map, in the order in which a fault lists them. OnlyOne means that exactly one of them is set.
	Keys    []Key
	OnlyOne bool
	// Refused are keys that people expect of a Map and that it does not have, each with the reason, which a fault gives.
	Refused map[string]string
	// Members is what the other members of a Map are, whose names the user chooses: each as Names says. Without it there
	// are none.
	Members, Names *Shape
	// By is the key of a Map by whose value one of Cases is what the Map may be.
	By    string
	Cases []Case
	// Removable means that null is accepted: Value.Removes.
	Removable bool
	// Or is what the value may be in place of this.
	Or *Shape
}

// Key declares one member of a Map.
type Key struct {
	Name     string
	Shape    *Shape
	Required bool
}

// Case is one of several shapes of a Map.
type Case struct {
	Word  string
	Shape *Shape
}

// Required declares a member that must be set.
func Required(name string, of *Shape) Key { return Key{Name: name, Shape: of, Required: true} }

// Optional declares a member that need not be set.
func Optional(name string, of *Shape) Key { return Key{Name: name, Shape: of} }

// ListOf declares a list.
func ListOf(items *Shape) *Shape { return &Shape{Type: List, Items: items} }

// MapOf declares a mapping with these keys.
func MapOf(keys ...Key) *Shape { return &Shape{Type: Map, Keys: keys} }

// Case returns which of the cases of its shape a mapping is, and the mapping in the shape of that. It reports a fault where
// it is none.
func (v Value) Case() (word string, of Value, ok bool) {
	s := v.shape.as(Map)
	by := s.Cases[0].Shape.of(s.By)
	r := v.resolved()
	switch {
	case r.node == nil || isFaulty(r) || r.node.Kind != yaml.MappingNode:
		v.As(MapOf()).Mapping() // reports it
		return "", v, false
	case !r.hasKey(s.By):
		v.Missing(s.By, by.accepted())
		return "", v, false
	}
	for key, value := range r.pairs() {
		if key.Value != s.By {
			continue
		}
		if word, ok = r.member(key, value, by).Text(); !ok {
			break
		}
		for _, c := range s.Cases {
			if c.Word == word {
				return word, v.As(c.Shape), true
			}
		}
	}
	return "", v, false
}

// as is the alternative of a type; a shape that accepts anything where there is none.
func (s *Shape) as(t Type) *Shape {
	for ; s != nil; s = s.Or {
		if s.Type == t {
			return s
		}
	}
	return &Shape{Type: t}
}

// names are the declared keys.
func (s *Shape) names() []string {
	names := make([]string, len(s.Keys))
	for i, k := range s.Keys {
		names[i] = k.Name
	}
	return names
}

// accepted is what a fault about a value says would be right.
func (s *Shape) accepted() string {
	switch {
	case s.Accepted != "":
		return s.Accepted
	case len(s.Words) > 0:
		return strings.Join(s.Words, ", ")
	case s.Type == Whole && s.Most > 0:
		return fmt.Sprintf("a whole number from %d to %d", s.Least, s.Most)
	case s.Type == Text:
		return "text"
	case s.Type == Bool:
		return "true or false"
	case s.Type == Whole:
		return "a whole number"
	case s.Type == List:
		return "a list"
	case s.Type == Map:
		return "a mapping"
	}
	return "a value"
}

// Check holds a name that is the key of a value to a shape, and reports a fault at the key.
func (v Value) Check(name string, s *Shape) bool { return v.Key().checkText(s, name) }

// checkText holds a text to its shape. It does not show the text: that could be a secret in the wrong place.
func (v Value) checkText(s *Shape, text string) bool {
	n := len([]rune(text))
	switch {
	case len(s.Words) > 0 && !slices.Contains(s.Words, text):
		v.Unknown(v.noun(), text, s.Words, s.accepted())
	case text == "" && s.Least > 0:
		v.Fault(s.accepted(), "it is empty")
	case !s.Expression && (n < s.Least || s.Most > 0 && n > s.Most): // the reader of an expression counts itself
		v.Fault(s.accepted(), "it has %d characters", n)
	case slices.Contains(s.Except, text):
		v.Fault("another name", "%s", s.ExceptText)
	case s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(text):
		v.Fault(s.accepted(), "it is not accepted")
	default:
		return true
	}
	return false
}

// noun is what a value is called: its key, if it has one.
func (v Value) noun() string {
	name := v.path[strings.LastIndexByte(v.path, '.')+1:]
	if name == "" || strings.ContainsAny(name, "[…") {
		return "word"
	}
	return name
}

// Unknown reports a text that is none of these names, with the one that was probably meant.
func (v Value) Unknown(what, text string, names []string, accepted string) {
	v.Fault(accepted, "unknown %s%s", what, didYouMean(text, names))
}

func didYouMean(text string, names []string) string {
	if near := Nearest(text, names); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

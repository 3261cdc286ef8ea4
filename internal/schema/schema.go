// Package schema makes a JSON Schema of the policy file from the declarations that its parser uses, so that editors
// complete and check it. It has the structure of the file: names that refer to others, expressions and places of files are
// for the parser.
package schema

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/google/jsonschema-go/jsonschema"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policyfile"
)

const dialect = "https://json-schema.org/draft/2020-12/schema"

// JSON returns the schema, indented, with a line end.
func JSON() ([]byte, error) {
	m := maker{defs: map[string]*jsonschema.Schema{}}
	root := m.schema(policyfile.Shape())
	root.Schema, root.Title, root.Defs = dialect, "Policy file of Step Posture Connector", m.defs
	// A file with neither does nothing.
	root.AnyOf = []*jsonschema.Schema{
		{Required: []string{"policies"}, Properties: map[string]*jsonschema.Schema{"policies": {MinProperties: new(1)}}},
		{Required: []string{"webhooks"}, Properties: map[string]*jsonschema.Schema{"webhooks": {MinItems: new(1)}}},
	}
	if _, err := root.Resolve(nil); err != nil {
		return nil, fmt.Errorf("schema of the policy file: %w", err)
	}
	compact, err := json.Marshal(root)
	if err != nil {
		return nil, fmt.Errorf("schema of the policy file: %w", err)
	}
	var text bytes.Buffer
	if err := json.Indent(&text, compact, "", "  "); err != nil {
		return nil, fmt.Errorf("schema of the policy file: %w", err)
	}
	text.WriteByte('\n')
	return text.Bytes(), nil
}

// maker makes schemas of shapes. Those of a shape with a name are definitions.
type maker struct{ defs map[string]*jsonschema.Schema }

func (m maker) schema(s *document.Shape) *jsonschema.Schema {
	if s.Removable {
		other := *s
		other.Removable, other.About, other.Default = false, "", nil
		return about(&jsonschema.Schema{AnyOf: []*jsonschema.Schema{m.schema(&other), {Type: "null"}}}, s)
	}
	if s.Or != nil {
		first, other := *s, *s.Or
		first.Or, first.About, first.Default = nil, "", nil
		either := &jsonschema.Schema{AnyOf: []*jsonschema.Schema{m.schema(&first), m.schema(&other)}}
		return about(either, s)
	}
	if s.Name == "" {
		return about(m.inline(s), s)
	}
	if m.defs[s.Name] == nil {
		m.defs[s.Name] = &jsonschema.Schema{} // it may be part of itself
		*m.defs[s.Name] = *m.inline(s)
	}
	return about(&jsonschema.Schema{Ref: "#/$defs/" + s.Name}, s)
}

// about adds what is for people.
func about(to *jsonschema.Schema, s *document.Shape) *jsonschema.Schema {
	to.Description = s.About
	if s.Default != nil {
		to.Default, _ = json.Marshal(s.Default) // a bool, a number or a text
	}
	return to
}

func (m maker) inline(s *document.Shape) *jsonschema.Schema {
	switch s.Type {
	case document.Text:
		return text(s)
	case document.Bool:
		return &jsonschema.Schema{Type: "boolean"}
	case document.Whole:
		return whole(s)
	case document.Time:
		return &jsonschema.Schema{Type: "string", MinLength: new(1)}
	case document.Day:
		return &jsonschema.Schema{Type: "string", Pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
	case document.List:
		list := &jsonschema.Schema{Type: "array", Items: m.schema(s.Items)}
		list.MinItems, list.MaxItems = bounds(s)
		return list
	case document.Map:
		return m.object(s)
	case document.Any:
	}
	// Any value, but never null.
	return &jsonschema.Schema{
		Types:                []string{"boolean", "number", "string", "array", "object"},
		Items:                &jsonschema.Schema{Not: &jsonschema.Schema{Type: "null"}},
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{Type: "null"}},
	}
}

func bounds(s *document.Shape) (least, most *int) {
	if s.Least > 0 {
		least = new(s.Least)
	}
	if s.Most > 0 {
		most = new(s.Most)
	}
	return least, most
}

func text(s *document.Shape) *jsonschema.Schema {
	to := &jsonschema.Schema{Type: "string", Pattern: s.Pattern}
	to.MinLength, to.MaxLength = bounds(s)
	if len(s.Words) > 0 {
		return &jsonschema.Schema{Enum: values(s.Words)}
	}
	if len(s.Except) > 0 {
		to.Not = &jsonschema.Schema{Enum: values(s.Except)}
	}
	return to
}

func values(words []string) []any {
	all := make([]any, len(words))
	for i, word := range words {
		all[i] = word
	}
	return all
}

func whole(s *document.Shape) *jsonschema.Schema {
	to := &jsonschema.Schema{Type: "integer", Minimum: new(float64(s.Least))}
	if s.Most > 0 {
		to.Maximum = new(float64(s.Most))
	}
	return to
}

func (m maker) object(s *document.Shape) *jsonschema.Schema {
	if s.By != "" {
		return m.cases(s)
	}
	to := &jsonschema.Schema{Type: "object", AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}}}
	to.MinProperties, to.MaxProperties = bounds(s)
	if s.OnlyOne {
		to.MinProperties, to.MaxProperties = new(1), new(1)
	}
	for _, k := range s.Keys {
		if to.Properties == nil {
			to.Properties = map[string]*jsonschema.Schema{}
		}
		to.Properties[k.Name] = m.schema(k.Shape)
		to.PropertyOrder = append(to.PropertyOrder, k.Name)
		if k.Required {
			to.Required = append(to.Required, k.Name)
		}
	}
	if s.Members != nil {
		to.AdditionalProperties = m.schema(s.Members)
	}
	if s.Names != nil {
		to.PropertyNames = m.schema(s.Names)
	}
	return to
}

// cases makes a schema of a mapping whose keys depend on one of them. To compare that one first lets an editor say what is
// wrong in the case that was meant.
func (m maker) cases(s *document.Shape) *jsonschema.Schema {
	to := &jsonschema.Schema{Type: "object", Required: []string{s.By}}
	words := make([]string, len(s.Cases))
	for i, c := range s.Cases {
		words[i] = c.Word
		var word any = c.Word
		to.AllOf = append(to.AllOf, &jsonschema.Schema{
			If:   &jsonschema.Schema{Properties: map[string]*jsonschema.Schema{s.By: {Const: &word}}},
			Then: m.schema(c.Shape),
		})
	}
	to.Properties = map[string]*jsonschema.Schema{s.By: {Enum: values(words)}}
	return to
}

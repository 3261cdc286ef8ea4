package file

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/compact"
	"step-posture-connector/internal/posture"
)

// checkCells checks the facts of a row of CSV.
func (s *store) checkCells(row, identifier []byte, now time.Time) (found notes, err error) {
	var faults refusals
	for d, cell := range s.factCells(row) {
		read, err := readCell(d, string(cell))
		if err == nil {
			err = agrees(d, read, identifier)
		}
		if err == nil && d.Name == attributesFact {
			err = s.distinct(d, string(cell))
		}
		if err != nil {
			faults = append(faults, err)
		}
		found |= read.notes | odd(read, now)
	}
	return found, faults.orNil()
}

// distinct refuses an attribute that is a column too: one of the two would be ignored.
func (s *store) distinct(d *posture.Definition, cell string) error {
	text, _ := unescape(cell)
	if text == "" {
		return nil
	}
	return eachMember(jsontext.Value(text), func(name string, _ jsontext.Value) error {
		if i := slices.Index(s.attributes, name); i >= 0 && s.facts[i] == nil {
			return wrong(d, fmt.Sprintf("%.40q is a column too", name), "each attribute in one of them")
		}
		return nil
	})
}

// factCells yields the cells of a row that are facts.
func (s *store) factCells(row []byte) iter.Seq2[*posture.Definition, []byte] {
	return func(yield func(*posture.Definition, []byte) bool) {
		_, rest := compact.CutField(row)
		for _, d := range s.facts {
			var cell []byte
			cell, rest = compact.CutNext(row, rest)
			if d != nil && !yield(d, cell) {
				return
			}
		}
	}
}

// addCells adds what a row of CSV says, as far as it is asked for: facts, and every other column as an attribute.
func (s *store) addCells(to *posture.Device, row []byte, asked posture.FactSet, now time.Time) error {
	if s.columns == nil {
		return nil
	}
	var attributes map[string]string
	if asked.Has(s.vocabulary.attributes) {
		attributes = map[string]string{}
		to.Facts.Attributes = posture.Known(attributes)
	}
	said := false       // a cell says something of attributes
	text := string(row) // one copy; each value is a part of it
	_, rest := compact.CutField(row)
	for i, definition := range s.facts {
		begin := len(row) - len(rest)
		var cell []byte
		cell, rest = compact.CutNext(row, rest)
		switch value := text[begin : begin+len(cell)]; {
		case definition == nil && attributes != nil && value != "":
			said = true
			if text := s.text(value); text != "" {
				attributes[s.attributes[i]] = text
			}
		case definition != nil && asked.Has(definition.Set()):
			read, err := readCell(definition, value)
			if err != nil {
				return err
			}
			switch more, given := read.value.(map[string]string); {
			case given:
				said = true
				maps.Copy(attributes, more)
			case read.value == nil && definition.Type != posture.AttributesFact: // other columns are attributes too
				forget(to, definition)
			default:
				put(to, definition, read.value, now)
			}
		}
	}
	if !said && s.givesAttributes {
		to.Facts.Attributes = posture.Fact[map[string]string]{}
	}
	return nil
}

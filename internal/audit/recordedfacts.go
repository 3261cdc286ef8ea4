package audit

import (
	"errors"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
)

// recordedPart is the part of a record that one object of a line has.
type recordedPart struct {
	record posture.Device
	asked  posture.FactSet
}

// devicePart and userPart are two types, because the names in them are others.
type (
	devicePart recordedPart
	userPart   recordedPart
)

// factError is a fact that cannot be read.
type factError struct{ name string }

func (f *factError) Error() string { return "the fact " + f.name + " of the line cannot be read" }

// quoted are the facts of the part by their names in quotation marks, as JSON has them.
func (p part) quoted() map[string]*posture.Definition {
	facts := map[string]*posture.Definition{}
	for name, d := range p.all() {
		facts[strconv.Quote(name)] = d
	}
	return facts
}

// read reads the object. A name that is not in the vocabulary is one of a later version, which no policy of this one reads.
func (p *recordedPart) read(from *jsontext.Decoder, facts map[string]*posture.Definition) error {
	return members(from, func(name []byte) error {
		d := facts[string(name)]
		if d == nil {
			return from.SkipValue()
		}
		p.asked |= d.Set()
		if from.PeekKind() == 'n' {
			return from.SkipValue()
		}
		value, err := readFact(d.Type, from)
		if err != nil {
			return &factError{d.Name}
		}
		d.Put(&p.record, value)
		return nil
	})
}

var errKind = errors.New("another kind of value")

// members calls each for the members of an object, with the name as it is quoted; each reads the value.
func members(from *jsontext.Decoder, each func(name []byte) error) error {
	if from.PeekKind() != '{' {
		return errKind
	}
	if _, err := from.ReadToken(); err != nil {
		return err
	}
	for from.PeekKind() == '"' {
		name, err := from.ReadValue()
		if err != nil {
			return err
		}
		if err := each(name); err != nil {
			return err
		}
	}
	_, err := from.ReadToken()
	return err
}

// readFact reads the value of a fact as factsWriter.fact writes it.
func readFact(t posture.FactType, from *jsontext.Decoder) (any, error) {
	switch t {
	case posture.TextFact:
		return readText(from)
	case posture.BoolFact:
		if kind := from.PeekKind(); kind != 't' && kind != 'f' {
			return nil, errKind
		}
		token, err := from.ReadToken()
		if err != nil {
			return nil, err
		}
		return token.Bool(), nil
	case posture.VersionFact:
		text, err := readText(from)
		if err != nil {
			return nil, err
		}
		return posture.ParseVersion(text)
	case posture.TimeFact:
		text, err := readText(from)
		if err != nil {
			return nil, err
		}
		return time.Parse(time.RFC3339, text)
	case posture.ListFact:
		return readTexts(from)
	case posture.AttributesFact:
		all := map[string]string{}
		return all, members(from, func(quoted []byte) error {
			name, err := jsontext.AppendUnquote(nil, quoted)
			if err != nil {
				return err
			}
			all[string(name)], err = readText(from)
			return err
		})
	}
	return nil, errKind
}

func readText(from *jsontext.Decoder) (string, error) {
	if from.PeekKind() != '"' {
		return "", errKind
	}
	token, err := from.ReadToken()
	if err != nil {
		return "", err
	}
	return token.String(), nil
}

func readTexts(from *jsontext.Decoder) ([]string, error) {
	if from.PeekKind() != '[' {
		return nil, errKind
	}
	if _, err := from.ReadToken(); err != nil {
		return nil, err
	}
	all := []string{}
	for from.PeekKind() == '"' {
		text, err := readText(from)
		if err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	if from.PeekKind() != ']' {
		return nil, errKind
	}
	_, err := from.ReadToken()
	return all, err
}

package export

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
)

// newJSON returns the form {"devices":[{"identifier":…,"data":…,"facts":{"device":{…},"user":{…}}}]}, a device a line.
func newJSON(facts posture.FactSet, now time.Time) form {
	j := &jsonRows{now: now, attributes: posture.MustFacts("device.attributes"), facts: facts}
	for _, d := range posture.Vocabulary() {
		// The identifier stands above the facts. About attributes something must be said: data counts as them.
		if d.Name != "device.identifier" && (facts | j.attributes).Has(d.Set()) {
			j.definitions = append(j.definitions, d)
		}
	}
	return form{begin: "{\"devices\":[\n", between: ",\n", end: "\n]}\n", row: j.row}
}

// jsonRows writes devices as JSON.
type jsonRows struct {
	definitions []*posture.Definition
	facts       posture.FactSet
	attributes  posture.FactSet
	now         time.Time
	scratch     []byte // reused
}

func (j *jsonRows) row(to []byte, d *posture.Device) ([]byte, error) {
	if err := checkText(d, j.definitions); err != nil {
		return to, err
	}
	to = appendString(append(to, `{"identifier":`...), d.Identifier)
	var members []string
	if j.facts.Has(posture.Document) && len(d.Data) > 0 {
		data := jsontext.Value(slices.Clone(d.Data))
		if err := data.Compact(); err != nil || data.Kind() != '{' {
			return to, errors.New("its data is no JSON object")
		}
		to = append(append(to, `,"data":`...), data...)
		var err error
		if members, err = names(data); err != nil {
			return to, err
		}
	}
	to = append(to, `,"facts":{`...)
	about, separator := "", ""
	for _, definition := range j.definitions {
		value := j.value(j.scratch[:0], definition, d, members)
		if value == nil {
			continue
		}
		j.scratch = value
		of, name, _ := strings.Cut(definition.Name, ".")
		if of != about {
			if about != "" {
				to = append(to, "},"...)
			}
			to = append(appendString(to, of), ":{"...)
			about, separator = of, ""
		}
		to = append(appendString(append(to, separator...), name), ':')
		to, separator = append(to, value...), ","
	}
	return append(to, "}}}"...), nil // device.managed is always there
}

// value appends the value of a fact, and returns nil where it is unknown and that need not be said. It must be said of
// managed and of attributes: without a word about them, a device in a file is managed, and has its data as attributes. to is
// empty.
func (j *jsonRows) value(to []byte, definition *posture.Definition, d *posture.Device, members []string) []byte {
	switch definition.Type {
	case posture.BoolFact:
		text, known := plain(definition, d, j.now)
		switch {
		case known:
			return append(to, text...)
		case definition.Name == "device.managed":
			return append(to, "null"...)
		}
		return nil
	case posture.ListFact:
		if texts, known := groupsOf(d); known {
			return list(to, texts)
		}
		return nil
	case posture.AttributesFact:
		// The reader takes members of the data for attributes, unless the attributes say otherwise.
		attributes, known := d.Facts.Attributes.Get()
		if !known {
			return append(to, "null"...)
		}
		return object(to, attributes, slices.DeleteFunc(members, func(name string) bool { _, has := attributes[name]; return has }))
	default:
		if text, known := plain(definition, d, j.now); known {
			return appendString(to, text)
		}
		return nil
	}
}

// names are those of the members of an object.
func names(object jsontext.Value) (names []string, err error) {
	decoder := jsontext.NewDecoder(strings.NewReader(string(object)))
	if _, err = decoder.ReadToken(); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	for decoder.PeekKind() != '}' {
		name, err := decoder.ReadToken()
		if err == nil {
			names = append(names, name.String())
			err = decoder.SkipValue()
		}
		if err != nil {
			return nil, fmt.Errorf("decode: %w", err)
		}
	}
	return names, nil
}

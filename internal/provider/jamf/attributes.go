package jamf

import (
	"fmt"
	"maps"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
)

// attributes are the extension attributes that one section of a record holds. They are not given where the section is
// missing, or has something else than a list in their place.
type attributes struct {
	all   []attribute
	given bool
}

// attribute is an extension attribute as each of the endpoints writes it.
type attribute struct {
	Name text `json:"name"`
	// Values is the member of computers, Value that of mobile devices and of the Classic API.
	Values jsontext.Value `json:"values"`
	Value  jsontext.Value `json:"value"`
}

// UnmarshalJSON implements json.Unmarshaler. An element that cannot be read costs that attribute only, which is unknown; the
// Classic API writes a single element for a list with one, and "" or {} for an empty one.
func (a *attributes) UnmarshalJSON(value []byte) error {
	var elements []maybe[attribute]
	kind := jsontext.Value(value).Kind()
	given := kind == '[' || isEmpty(value) && kind != 'n'
	switch {
	case kind == '[':
		if err := json.Unmarshal(value, &elements); err != nil {
			return fmt.Errorf("decode extension attributes: %w", err)
		}
	case kind == '{' && !given:
		elements, given = make([]maybe[attribute], 1), true
		if err := json.Unmarshal(value, &elements[0]); err != nil {
			return fmt.Errorf("decode extension attribute: %w", err)
		}
	}
	*a = attributes{given: given}
	for _, e := range elements {
		a.all = append(a.all, e.Value)
	}
	return nil
}

// merge joins the extension attributes of all sections. A name that stands for two different values is unknown.
func merge(converted bool, sections ...attributes) posture.Fact[map[string]string] {
	all, unclear := map[string]string{}, map[string]bool{}
	given := false
	for _, section := range sections {
		given = given || section.given
		for _, a := range section.all {
			name := a.Name.Said()
			if converted {
				name = a.Name.Any
			}
			value, known := valueOf(a.Values)
			if !known {
				value, known = valueOf(a.Value)
			}
			before, twice := all[name]
			if name == "" || !known || twice && before != value {
				unclear[name] = true
				continue
			}
			all[name] = value
		}
	}
	maps.DeleteFunc(all, func(name, _ string) bool { return unclear[name] })
	if !given {
		return posture.Fact[map[string]string]{}
	}
	return posture.Known(all)
}

// valueOf is the value of an extension attribute: the text, number or truth value, also where it is the only one of a list;
// several are compact JSON. One that has no value is unknown.
func valueOf(value jsontext.Value) (string, bool) {
	if len(value) == 0 || isEmpty(value) {
		return "", false
	}
	if value.Kind() == '[' {
		var elements []jsontext.Value
		if json.Unmarshal(value, &elements) != nil {
			return "", false
		}
		if len(elements) == 1 {
			return valueOf(elements[0])
		}
	}
	if kind := value.Kind(); kind == '[' || kind == '{' {
		compact := value.Clone()
		err := compact.Compact()
		return string(compact), err == nil
	}
	var t text
	err := t.UnmarshalJSON(value)
	return t.Any, err == nil && t.Any != ""
}

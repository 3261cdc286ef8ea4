package file

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
)

// What the values of facts are, for messages.
const (
	acceptedBool    = "true or false"
	acceptedVersion = `one to four numbers, such as "15.4.1"`
	acceptedTime    = "a time of RFC 3339, such as 2026-01-31T15:04:05Z"
	acceptedText    = "text, or null where it is unknown"
	acceptedList    = "a list of texts, or null where it is unknown"
	acceptedObject  = "an object, or null where nothing is known"

	acceptedGroups     = `names with semicolons between them, or a JSON list of names, such as ["Staff"], [] for none`
	acceptedAttributes = `a JSON object, such as {"asset": "A-17"}`
)

// groupSeparator is between the groups of a device in a cell.
const groupSeparator = ";"

// reading is one value of a file for a fact.
type reading struct {
	value any // of the fact's type; nil is unknown
	notes notes
}

// readCell reads the value of a fact in a CSV file. Empty is unknown. An escape without a text is empty text, as "" is in
// JSON: unknown for a fact that is text, and no value of any other type.
func readCell(d *posture.Definition, cell string) (reading, error) {
	if cell == "" {
		return reading{}, nil
	}
	text, _ := unescape(cell)
	switch d.Type {
	case posture.BoolFact:
		if text != "true" && text != "false" {
			return reading{}, wrong(d, fmt.Sprintf("%.40q is not a boolean", text), acceptedBool)
		}
		return reading{value: text == "true"}, nil
	case posture.ListFact:
		return readGroups(d, text)
	case posture.AttributesFact:
		if !isObject(text) {
			return reading{}, wrong(d, fmt.Sprintf("%.40q is not a JSON object", text), acceptedAttributes)
		}
		return readMember(d, compacted(text))
	default:
		return readText(d, text)
	}
}

// readGroups reads the groups of a cell. One that begins with a bracket is a JSON list: so a name can have a semicolon.
func readGroups(d *posture.Definition, text string) (reading, error) {
	switch {
	case text == "":
		return reading{}, wrong(d, "the text is empty", acceptedGroups)
	case text[0] != '[':
		return splitGroups(text), nil
	case !isList(text):
		return reading{}, wrong(d, fmt.Sprintf("%.40q begins with [ and is not valid JSON", text), acceptedGroups)
	}
	list, err := readList(d, jsontext.Value(text))
	return reading{value: list}, err
}

// compacted is valid JSON without white space.
func compacted(text string) jsontext.Value {
	value := jsontext.Value(text)
	_ = value.Compact() // it is valid
	return value
}

// splitGroups splits a cell. A cell with a separator and no name says that there are no groups; without that, a file
// could not tell it from unknown. Spaces are part of a name: names of groups are compared byte for byte everywhere.
func splitGroups(cell string) reading {
	names, found := make([]string, 0, strings.Count(cell, groupSeparator)+1), notes(0)
	for name := range strings.SplitSeq(cell, groupSeparator) {
		if name == "" {
			continue
		}
		if strings.TrimSpace(name) != name {
			found = spacedGroup
		}
		names = append(names, name)
	}
	return reading{names, found}
}

// readMember reads the value of a fact in a JSON file. null is unknown.
func readMember(d *posture.Definition, value jsontext.Value) (reading, error) {
	kind := value.Kind()
	switch {
	case kind == 'n':
		return reading{}, nil
	case d.Type == posture.BoolFact:
		if kind != 't' && kind != 'f' {
			return reading{}, wrong(d, shown(value)+" is not a boolean", acceptedBool)
		}
		return reading{value: kind == 't'}, nil
	case d.Type == posture.ListFact:
		list, err := readList(d, value)
		return reading{value: list}, err
	case d.Type == posture.AttributesFact:
		if kind != '{' {
			return reading{}, wrong(d, shown(value)+" is not an object", acceptedObject)
		}
		attributes := map[string]string{}
		return reading{value: attributes}, addAttributes(attributes, value)
	case kind != '"':
		return reading{}, wrong(d, shown(value)+" is not text", acceptedFor(d))
	default:
		return readText(d, unquote(value))
	}
}

// readText reads the text of a fact, which is the same in CSV and JSON.
func readText(d *posture.Definition, text string) (reading, error) {
	if text == "" {
		return reading{}, nil
	}
	switch d.Type {
	case posture.VersionFact:
		// Not an error: one device with "13.4.1 (a)" would keep the whole export of an MDM from loading.
		if version, ok := valid(posture.ParseVersion(text)); ok {
			return reading{value: version}, nil
		}
		return reading{notes: oddVersion}, nil
	case posture.TimeFact:
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return reading{}, wrong(d, fmt.Sprintf("%.40q is not a time", text), acceptedFor(d))
		}
		return reading{value: t.UTC()}, nil
	default:
		if d.Words == nil {
			return reading{value: text}, nil
		}
		if word, known := posture.Word(text, d.Words).Get(); known {
			return reading{value: word}, nil
		}
		return reading{}, wrong(d, fmt.Sprintf("%.40q is none of its words", text)+didYouMean(text, d.Words), acceptedFor(d))
	}
}

func valid[T any](value T, err error) (T, bool) { return value, err == nil }

// readList reads a list of texts. An empty one is not dropped: a list that only had it would say that there are none.
func readList(d *posture.Definition, value jsontext.Value) ([]string, error) {
	if value.Kind() != '[' {
		return nil, wrong(d, shown(value)+" is not a list", acceptedList)
	}
	list := []string{}
	err := eachElement(value, func(element jsontext.Value) error {
		if element.Kind() != '"' {
			return wrong(d, shown(element)+" in the list is not text", acceptedList)
		}
		name := unquote(element)
		if name == "" {
			return wrong(d, "a text in the list is empty", acceptedList)
		}
		list = append(list, name)
		return nil
	})
	return list, err
}

// acceptedFor says what text a fact may have.
func acceptedFor(d *posture.Definition) string {
	switch {
	case d.Type == posture.VersionFact:
		return acceptedVersion
	case d.Type == posture.TimeFact:
		return acceptedTime
	case d.Words != nil:
		return strings.Join(d.Words, ", ")
	}
	return acceptedText
}

func wrong(d *posture.Definition, fault, accepted string) error {
	return &refusal{d.Name + ": " + fault, accepted}
}

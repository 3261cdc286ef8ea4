package file

import (
	"bytes"
	"fmt"
	"iter"
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
)

// groupSeparator is between the groups of a device in a cell.
const groupSeparator = ";"

// reading is one value of a file for a fact.
type reading struct {
	value any // of the fact's type; nil is unknown
	notes notes
}

// readCell reads the value of a fact in a CSV file. Empty is unknown.
func readCell(d *posture.Definition, cell string) (reading, error) {
	switch {
	case cell == "":
		return reading{}, nil
	case d.Type == posture.BoolFact:
		if cell != "true" && cell != "false" {
			return reading{}, wrong(d, fmt.Sprintf("%.40q is not a boolean", cell), acceptedBool)
		}
		return reading{value: cell == "true"}, nil
	case d.Type == posture.ListFact:
		return splitGroups(cell), nil
	default:
		return readText(d, cell)
	}
}

// splitGroups splits a cell. A cell with a separator and no name says that there are no groups; without that, a file
// could not tell it from unknown. Spaces are part of a name: names of groups are compared byte for byte everywhere.
func splitGroups(cell string) reading {
	names, found := []string{}, notes(0)
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
		addAttributes(attributes, value)
		return reading{value: attributes}, nil
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
	for _, element := range elements(value) {
		if element.Kind() != '"' {
			return nil, wrong(d, shown(element)+" in the list is not text", acceptedList)
		}
		name := unquote(element)
		if name == "" {
			return nil, wrong(d, "a text in the list is empty", acceptedList)
		}
		list = append(list, name)
	}
	return list, nil
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

// shown is a value in a message.
func shown(value jsontext.Value) string {
	switch value.Kind() {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return fmt.Sprintf("%.40q", unquote(value))
	}
	return fmt.Sprintf("%.40s", value)
}

// unquote returns the text of a string, which must be valid.
func unquote(value jsontext.Value) string {
	unquoted, _ := jsontext.AppendUnquote(nil, value) // the decoder of the file has checked it
	return string(unquoted)
}

// addAttributes adds the members of an object, which are compact: texts without quotation marks, and everything else
// as JSON has it. One that is null or empty is unknown, whatever was said about it before.
func addAttributes(to map[string]string, object jsontext.Value) {
	for name, value := range members(object) {
		switch {
		case value.Kind() == 'n', value.Kind() == '"' && len(value) == len(`""`):
			delete(to, name)
		case value.Kind() == '"':
			to[name] = unquote(value)
		default:
			to[name] = string(value)
		}
	}
}

// members yields the members of an object in their order. The object is valid JSON: the decoder of the file has
// checked it. A value is valid until the next one.
func members(object jsontext.Value) iter.Seq2[string, jsontext.Value] {
	return func(yield func(string, jsontext.Value) bool) {
		decoder := jsontext.NewDecoder(bytes.NewBuffer(object))
		_, err := decoder.ReadToken()
		for err == nil && decoder.PeekKind() == '"' {
			var token jsontext.Token
			if token, err = decoder.ReadToken(); err != nil {
				return
			}
			name := token.String()
			var value jsontext.Value
			if value, err = decoder.ReadValue(); err != nil || !yield(name, value) {
				return
			}
		}
	}
}

// elements yields the elements of a list, as members does.
func elements(list jsontext.Value) iter.Seq2[int, jsontext.Value] {
	return func(yield func(int, jsontext.Value) bool) {
		decoder := jsontext.NewDecoder(bytes.NewBuffer(list))
		_, err := decoder.ReadToken()
		for i := 0; err == nil && decoder.PeekKind() != ']'; i++ {
			var value jsontext.Value
			if value, err = decoder.ReadValue(); err != nil || !yield(i, value) {
				return
			}
		}
	}
}

package export

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
)

// errNotText means that a file cannot say what a device has: it is text.
var errNotText = errors.New("a text that is not UTF-8")

// plain returns the text of a fact that is one text in both formats, and whether it is known. Times are in whole seconds.
func plain(d *posture.Definition, device *posture.Device, now time.Time) (text string, known bool) {
	value, known := d.Get(device)
	if !known {
		return "", false
	}
	switch v := value.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case posture.Version:
		return v.String(), v.String() != "" // the zero Version was not parsed from a text
	case time.Time:
		// A placeholder is unknown, and the reader would refuse the year 10000.
		moment, known := posture.Moment(v, now).Get()
		return moment.UTC().Format(time.RFC3339), known
	}
	return "", false
}

// checkText refuses a device with a text that is not UTF-8: with another character in its place, a rule about it could be
// met.
func checkText(device *posture.Device, definitions []*posture.Definition) error {
	for _, d := range definitions {
		value, _ := d.Get(device)
		valid := true
		switch v := value.(type) {
		case string:
			valid = utf8.ValidString(v)
		case []string:
			valid = !slices.ContainsFunc(v, func(name string) bool { return !utf8.ValidString(name) })
		case map[string]string:
			for name, text := range v {
				valid = valid && utf8.ValidString(name) && utf8.ValidString(text)
			}
		}
		if !valid {
			return fmt.Errorf("%s: %w", d.Name, errNotText)
		}
	}
	return nil
}

// appendString appends a JSON string. The text was checked.
func appendString(to []byte, text string) []byte {
	to, _ = jsontext.AppendQuote(to, text) // its only error is a text that is not UTF-8
	return to
}

func quoted(text string) []byte { return appendString(nil, text) }

// list appends a JSON array of texts.
func list(to []byte, texts []string) []byte {
	to = append(to, '[')
	for i, text := range texts {
		if i > 0 {
			to = append(to, ',')
		}
		to = appendString(to, text)
	}
	return append(to, ']')
}

// groupsOf returns the names of groups, and whether they are known. A group without a name says nothing, and the reader
// refuses one. Where all are such, the inventory did not say that there are none: they are unknown.
func groupsOf(device *posture.Device) (names []string, known bool) {
	given, known := device.Facts.Groups.Get()
	if !slices.Contains(given, "") {
		return given, known
	}
	names = slices.DeleteFunc(slices.Clone(given), func(name string) bool { return name == "" })
	return names, len(names) > 0
}

// object appends attributes as a JSON object, by name. The names of none become null.
func object(to []byte, attributes map[string]string, none []string) []byte {
	to = append(to, '{')
	separator := ""
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		to = append(appendString(append(to, separator...), name), ':')
		to = appendString(to, attributes[name])
		separator = ","
	}
	for _, name := range none {
		to = append(appendString(append(to, separator...), name), ":null"...)
		separator = ","
	}
	return append(to, '}')
}

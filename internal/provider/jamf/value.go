package jamf

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
)

// text is a string that may be missing, null, a number or a truth value.
type text struct {
	any  string // of each of them, because the Classic API converts them from XML; "" where it is something else
	kind jsontext.Kind
}

// UnmarshalJSON implements json.Unmarshaler. Objects and lists are empty.
func (t *text) UnmarshalJSON(value []byte) error {
	*t = text{kind: jsontext.Value(value).Kind()}
	switch {
	case t.kind == '"':
		if err := json.Unmarshal(value, &t.any); err != nil {
			return fmt.Errorf("decode string: %w", err)
		}
	case t.kind == '0' || t.kind == 't' || t.kind == 'f':
		t.any = string(value)
	}
	return nil
}

// missing reports whether the record has no such member, not even null.
func (t text) missing() bool { return t.kind == 0 }

// says reports whether the member is a text, a number, a truth value, or null.
func (t text) says() bool { return t.any != "" || t.kind == '"' || t.kind == 'n' }

// said is the text where it is a string: the Pro API writes nothing else for a text.
func (t text) said() string {
	if t.kind != '"' {
		return ""
	}
	return t.any
}

// fact is the text as a fact; unknown where it is no string, or empty.
func (t text) fact() posture.Fact[string] { return posture.Text(t.said()) }

// version is a text that is a version.
func (t text) version() posture.Fact[posture.Version] { return versionOf(t.said()) }

// convertedVersion is a version of the Classic API. A number with a fraction is unknown: 15.1 may have been 15.10 before it was
// converted.
func (t text) convertedVersion() posture.Fact[posture.Version] {
	if t.kind == '0' && strings.ContainsAny(t.any, ".eE") {
		return posture.Fact[posture.Version]{}
	}
	return versionOf(t.any)
}

func versionOf(text string) posture.Fact[posture.Version] {
	v, err := posture.ParseVersion(text)
	if err != nil {
		return posture.Fact[posture.Version]{}
	}
	return posture.Known(v)
}

// moment is a text that is a time. Jamf writes UTC, with fractions of any length; the Classic API writes an offset without a
// colon.
func (t text) moment(now time.Time) posture.Fact[time.Time] {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05-0700"} {
		if at, err := time.Parse(layout, t.said()); err == nil {
			return posture.Moment(at.UTC(), now)
		}
	}
	return posture.Fact[time.Time]{}
}

// milliseconds is a time of the Classic API, in milliseconds since 1970; 0 stands for none.
func (t text) milliseconds(now time.Time) posture.Fact[time.Time] {
	n, err := strconv.ParseInt(t.any, 10, 64)
	if err != nil {
		return posture.Fact[time.Time]{}
	}
	return posture.Moment(time.UnixMilli(n).UTC(), now)
}

// truth is a truth value that may be missing or anything else.
type truth struct {
	any  posture.Fact[bool] // also of a string, as the Classic API writes it
	kind jsontext.Kind
}

// UnmarshalJSON implements json.Unmarshaler. Fail closed: what is neither true nor false is unknown.
func (t *truth) UnmarshalJSON(value []byte) error {
	*t = truth{kind: jsontext.Value(value).Kind()}
	switch strings.Trim(string(value), `"`) {
	case "true":
		t.any = posture.Known(true)
	case "false":
		t.any = posture.Known(false)
	}
	return nil
}

// fact is a truth value of the Pro API, which writes no strings for them.
func (t truth) fact() posture.Fact[bool] {
	if t.kind == '"' {
		return posture.Fact[bool]{}
	}
	return t.any
}

// maybe is an object, or the zero value where there is something else: an empty container of the Classic API, which was
// converted from XML, is "" or another value.
type maybe[T any] struct{ value T }

// UnmarshalJSON implements json.Unmarshaler.
func (m *maybe[T]) UnmarshalJSON(value []byte) error {
	if jsontext.Value(value).Kind() != '{' {
		return nil
	}
	if err := json.Unmarshal(value, &m.value); err != nil {
		return fmt.Errorf("decode object: %w", err)
	}
	return nil
}

// list is a list of the Classic API: a single element of it may stand for itself, and "" or {} for an empty one. The zero
// list is not given: null, or missing.
type list[T any] struct {
	elements []T
	given    bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (l *list[T]) UnmarshalJSON(value []byte) error {
	*l = list[T]{given: jsontext.Value(value).Kind() != 'n'}
	switch {
	case jsontext.Value(value).Kind() == '[':
		if err := json.Unmarshal(value, &l.elements); err != nil {
			return fmt.Errorf("decode list: %w", err)
		}
	case isEmpty(value):
	default:
		var element T
		if err := json.Unmarshal(value, &element); err != nil {
			return fmt.Errorf("decode element: %w", err)
		}
		l.elements = []T{element}
	}
	return nil
}

func isEmpty(value jsontext.Value) bool {
	compact := value.Clone()
	_ = compact.Compact() // what cannot be compacted does not get here
	switch string(compact) {
	case `null`, `""`, `{}`, `[]`:
		return true
	}
	return false
}

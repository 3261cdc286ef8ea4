// Package vendorjson reads the values of vendors' JSON, in which any member may be missing, null, or of another type than
// the documentation says. None of its types fails for such a value: what it does not say is unknown.
package vendorjson

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
)

// Text is a string that may be missing, null, a number or a truth value.
type Text struct {
	Any  string // of each of them, as it is written; "" where it is something else
	Kind jsontext.Kind
}

// UnmarshalJSON implements json.Unmarshaler. Objects and lists are empty.
func (t *Text) UnmarshalJSON(value []byte) error {
	*t = Text{Kind: jsontext.Value(value).Kind()}
	switch {
	case t.Kind == '"':
		if err := json.Unmarshal(value, &t.Any); err != nil {
			return fmt.Errorf("decode string: %w", err)
		}
	case t.Kind == '0' || t.Kind == 't' || t.Kind == 'f':
		t.Any = string(value)
	}
	return nil
}

// Missing reports whether the record has no such member, not even null.
func (t Text) Missing() bool { return t.Kind == 0 }

// Says reports whether the member is a text, a number, a truth value, or null.
func (t Text) Says() bool { return t.Any != "" || t.Kind == '"' || t.Kind == 'n' }

// Said is the text where it is a string; else "".
func (t Text) Said() string {
	if t.Kind != '"' {
		return ""
	}
	return t.Any
}

// Fact is the text as a fact; unknown where it is no string, or empty.
func (t Text) Fact() posture.Fact[string] { return posture.Text(t.Said()) }

// Version is a text that is a version.
func (t Text) Version() posture.Fact[posture.Version] { return Version(t.Said()) }

// Version is the version that a text is; unknown where it is none.
func Version(text string) posture.Fact[posture.Version] {
	v, err := posture.ParseVersion(text)
	if err != nil {
		return posture.Fact[posture.Version]{}
	}
	return posture.Known(v)
}

// Moment is a text that is a time of RFC 3339, with or without a colon in its offset. Fractions may have any length.
func (t Text) Moment(now time.Time) posture.Fact[time.Time] {
	return t.MomentIn(now, time.RFC3339, "2006-01-02T15:04:05-0700")
}

// MomentIn is a text that is a time in one of the layouts of package time.
func (t Text) MomentIn(now time.Time, layouts ...string) posture.Fact[time.Time] {
	for _, layout := range layouts {
		if at, err := time.Parse(layout, t.Said()); err == nil {
			return posture.Moment(at.UTC(), now)
		}
	}
	return posture.Fact[time.Time]{}
}

// Truth is a truth value that may be missing or anything else.
type Truth struct {
	Any  posture.Fact[bool] // also of a string
	Kind jsontext.Kind
}

// UnmarshalJSON implements json.Unmarshaler. Fail closed: what is neither true nor false is unknown.
func (t *Truth) UnmarshalJSON(value []byte) error {
	*t = Truth{Kind: jsontext.Value(value).Kind()}
	switch strings.Trim(string(value), `"`) {
	case "true":
		t.Any = posture.Known(true)
	case "false":
		t.Any = posture.Known(false)
	}
	return nil
}

// Fact is the truth value; unknown where it is written as a string.
func (t Truth) Fact() posture.Fact[bool] {
	if t.Kind == '"' {
		return posture.Fact[bool]{}
	}
	return t.Any
}

// Maybe is an object, or the zero value where there is something else.
type Maybe[T any] struct {
	Value T
	Kind  jsontext.Kind
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *Maybe[T]) UnmarshalJSON(value []byte) error {
	*m = Maybe[T]{Kind: jsontext.Value(value).Kind()}
	if m.Kind != '{' {
		return nil
	}
	if err := json.Unmarshal(value, &m.Value); err != nil {
		return fmt.Errorf("decode object: %w", err)
	}
	return nil
}

// Record is one record of a list. One of another shape costs only itself, and not the list.
type Record[T any] struct {
	Value T
	// Broken means that it cannot be read whole. Fail closed: not even its serial number is certain.
	Broken bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (r *Record[T]) UnmarshalJSON(value []byte) error {
	*r = Record[T]{}
	if jsontext.Value(value).Kind() != '{' || json.Unmarshal(value, &r.Value) != nil {
		*r = Record[T]{Broken: true}
	}
	return nil
}

// FirstKnown returns the first fact that is known.
func FirstKnown[T any](facts ...posture.Fact[T]) posture.Fact[T] {
	for _, f := range facts {
		if _, known := f.Get(); known {
			return f
		}
	}
	return posture.Fact[T]{}
}

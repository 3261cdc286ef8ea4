package config

import (
	"bytes"
	"fmt"
	"io"
)

// Secret holds bytes that must not be shown. Formatted or encoded it is "(secret)".
//
// It is a struct around a function because every other form leaks: a string type through the fields of a struct that
// is printed with %+v, a struct with a String method through %d and %x, and a pointer in an unexported field through
// verbs of the wrong type. A function has no contents to print.
type Secret struct{ reveal func() []byte }

const redacted = "(secret)"

// NewSecret makes a Secret of a copy of value.
func NewSecret(value []byte) Secret {
	kept := bytes.Clone(value)
	return Secret{func() []byte { return kept }}
}

// Reveal returns the bytes. Call it where they are used, and nowhere else.
func (s Secret) Reveal() []byte {
	if s.reveal == nil {
		return nil
	}
	return s.reveal()
}

// IsSet reports whether the secret has any bytes.
func (s Secret) IsSet() bool { return len(s.Reveal()) > 0 }

// Format implements fmt.Formatter for every verb.
func (Secret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redacted) }

// MarshalText implements encoding.TextMarshaler, which JSON uses too.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText keeps the text unchanged.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(text)
	return nil
}

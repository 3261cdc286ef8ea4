package config

import (
	"fmt"
	"io"
)

// Secret holds bytes that must not be seen. Whatever formats or encodes it shows "(secret)".
//
// It is a struct around a pointer because every other form leaks: a string type through the fields
// of a struct that is printed with %+v, a struct with a String method through %d and %x.
type Secret struct{ value *[]byte }

const redacted = "(secret)"

// NewSecret makes a Secret of a copy of value.
func NewSecret(value []byte) Secret {
	kept := append([]byte(nil), value...)
	return Secret{&kept}
}

// Reveal returns the bytes. Call it where they are used, and nowhere else.
func (s Secret) Reveal() []byte {
	if s.value == nil {
		return nil
	}
	return *s.value
}

// IsSet reports whether there are any bytes.
func (s Secret) IsSet() bool { return len(s.Reveal()) > 0 }

// Format implements fmt.Formatter for every verb.
func (Secret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redacted) }

// MarshalText implements encoding.TextMarshaler, which JSON uses too.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText takes the text as it stands.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(text)
	return nil
}

// Package posture is the domain: what a device is, who knows it, and what is decided about it.
// It knows neither HTTP nor any vendor.
package posture

import (
	"errors"
	"fmt"
	"strings"
)

// maxIdentifier is the length of the longest identifier that is looked up, in bytes. Serial numbers and
// UDIDs are far shorter; the limit keeps hostile ones out of queries, logs and error texts.
const maxIdentifier = 256

// Identifier is a permanent identifier (serial number, UDID) that is fit to be looked up.
// Only ParseIdentifier makes one; the zero value matches no device.
type Identifier struct {
	text string
	key  string
}

// ParseIdentifier checks that text can be a permanent identifier: 1 to 256 bytes of printable ASCII
// without spaces at its ends. Its errors do not repeat text.
func ParseIdentifier(text string) (Identifier, error) {
	if err := checkIdentifier(text); err != nil {
		return Identifier{}, err
	}
	return Identifier{text: text, key: upperASCII(text)}, nil
}

// AppendKey appends the Identifier.Key of text to key, and refuses text as ParseIdentifier does.
// It allocates nothing, for callers that check a million identifiers.
func AppendKey(key, text []byte) ([]byte, error) {
	if err := checkIdentifier(text); err != nil {
		return nil, err
	}
	begin := len(key)
	key = append(key, text...)
	foldASCII(key[begin:])
	return key, nil
}

// SameKey reports whether two texts that are identifiers have the same key.
func SameKey(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if upper(a[i]) != upper(b[i]) {
			return false
		}
	}
	return true
}

func checkIdentifier[T string | []byte](text T) error {
	switch {
	case len(text) == 0:
		return errors.New("identifier is empty")
	case len(text) > maxIdentifier:
		return fmt.Errorf("identifier is longer than %d bytes", maxIdentifier)
	case text[0] == ' ' || text[len(text)-1] == ' ':
		return errors.New("identifier begins or ends with a space")
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return fmt.Errorf("identifier has %s at position %d, want printable ASCII only", describeCharacter(text[i:]), i+1)
		}
	}
	return nil
}

// String returns the identifier as it was given.
func (id Identifier) String() string { return id.text }

// Key returns the form in which identifiers are compared: identifiers that differ only in ASCII
// case have the same key. The zero Identifier has the empty key, which no device has.
func (id Identifier) Key() string { return id.key }

// Matches reports whether d itself has this identifier. Every record that a provider returns is
// checked, because a vendor's search may return another device than the one asked for.
func (id Identifier) Matches(d Device) bool {
	return id.key != "" && id.key == upperASCII(strings.Trim(d.Identifier, " "))
}

// upperASCII folds ASCII letters only: under Unicode folding U+212A (KELVIN SIGN) would equal K,
// and one device could pass for another.
func upperASCII(s string) string {
	for i := range len(s) {
		if c := s[i]; 'a' <= c && c <= 'z' {
			folded := []byte(s)
			foldASCII(folded[i:])
			return string(folded)
		}
	}
	return s
}

func foldASCII(s []byte) {
	for i, c := range s {
		s[i] = upper(c)
	}
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}

package snapshot

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
)

// Names of the vocabulary that the file treats apart.
const (
	aboutUser      = "user"
	aboutDevice    = "device"
	identifierName = "device.identifier"
	managedName    = "device.managed"
)

func cutName(fact string) (about, name string) {
	about, name, _ = strings.Cut(fact, ".")
	return about, name
}

// appendValue appends the value of a fact; it returns false where it would not be read as the same.
func appendValue(to []byte, value any) ([]byte, bool) {
	switch v := value.(type) {
	case bool:
		if v {
			return append(to, "true"...), true
		}
		return append(to, "false"...), true
	case string:
		return quoted(to, v), utf8.ValidString(v)
	case posture.Version:
		return quoted(to, v.String()), v.String() != ""
	case time.Time:
		v = v.UTC()
		return quoted(to, v.Format(time.RFC3339)), v.Year() >= 0 && v.Year() <= lastYear
	case []string:
		to, ok := append(to, '['), true
		for i, text := range v {
			if i > 0 {
				to = append(to, ',')
			}
			to, ok = quoted(to, text), ok && utf8.ValidString(text)
		}
		return append(to, ']'), ok
	case map[string]string:
		to, ok := append(to, '{'), true
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				to = append(to, ',')
			}
			ok = ok && utf8.ValidString(name) && utf8.ValidString(v[name])
			to = quoted(append(quoted(to, name), ':'), v[name])
		}
		return append(to, '}'), ok
	}
	return to, false
}

// lastYear is the last one that RFC 3339 can write.
const lastYear = 9999

var errValue = errors.New("a fact has a value that is not written so")

// readValue reads the value of a fact, exactly as appendValue writes it.
func readValue(decoder *jsontext.Decoder, of posture.FactType) (any, error) {
	switch of {
	case posture.BoolFact:
		token, err := decoder.ReadToken()
		if err != nil || token.Kind() != 't' && token.Kind() != 'f' {
			return nil, errors.Join(errValue, err)
		}
		return token.Bool(), nil
	case posture.ListFact:
		list := []string{}
		err := readContainer(decoder, '[', func() error {
			text, err := readString(decoder)
			list = append(list, text)
			return err
		})
		return list, err
	case posture.AttributesFact:
		attributes := map[string]string{}
		err := readContainer(decoder, '{', func() error {
			name, err := readString(decoder)
			if err != nil {
				return err
			}
			attributes[name], err = readString(decoder)
			return err
		})
		return attributes, err
	default:
		text, err := readString(decoder)
		if err != nil {
			return nil, err
		}
		return parseText(text, of)
	}
}

func parseText(text string, of posture.FactType) (any, error) {
	switch of {
	case posture.VersionFact:
		version, err := posture.ParseVersion(text)
		return version, err
	case posture.TimeFact:
		return readTime(text)
	default:
		if text == "" {
			return nil, errValue
		}
		return text, nil
	}
}

// readTime reads a time as it is written here: whole seconds, UTC.
func readTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.UTC().Format(time.RFC3339) != text {
		return time.Time{}, errors.New("a time is not one of RFC 3339 with whole seconds in UTC")
	}
	return t.UTC(), nil
}

func readString(decoder *jsontext.Decoder) (string, error) {
	token, err := decoder.ReadToken()
	if err != nil {
		return "", err
	}
	if token.Kind() != '"' {
		return "", errors.New("a value is not text")
	}
	return token.String(), nil
}

// readContainer reads an object or a list, whose members next reads.
func readContainer(decoder *jsontext.Decoder, kind jsontext.Kind, next func() error) error {
	token, err := decoder.ReadToken()
	if err != nil {
		return err
	}
	if token.Kind() != kind {
		return errors.New("a value is not of the type that is written there")
	}
	for decoder.PeekKind() != '}' && decoder.PeekKind() != ']' {
		if err := next(); err != nil {
			return err
		}
	}
	_, err = decoder.ReadToken()
	return err
}

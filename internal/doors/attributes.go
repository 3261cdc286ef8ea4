package doors

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/devicecert"
)

// What is wrong with a body. No text repeats a value: it may be a password of another EAP method.
var (
	errAttributes = errors.New("the body is not the JSON of FreeRADIUS' module rest: an object of attributes, each with a list value")
	errValue      = errors.New("the body has an attribute whose value is neither a text nor a number")
)

// usualAttributes is how many attributes a login has, and a few more.
const usualAttributes = 48

// readAttributes decodes a body. With duplicate members or invalid UTF-8 two readers could see two different logins: the decoder
// refuses both.
func readAttributes(body []byte) (devicecert.Attributes, error) {
	in := jsontext.NewDecoder(bytes.NewBuffer(body))
	all := make(devicecert.Attributes, usualAttributes)
	err := readObject(in, func(name string) (err error) {
		var values []string
		if in.PeekKind() == 'n' {
			all[name] = nil
			return in.SkipValue()
		}
		err = readObject(in, func(member string) error {
			if member != "value" {
				return in.SkipValue()
			}
			values, err = readValues(in)
			return err
		})
		all[name] = values
		return err
	})
	if err != nil {
		if errors.Is(err, errValue) {
			return nil, errValue
		}
		return nil, errAttributes
	}
	if _, err := in.ReadToken(); !errors.Is(err, io.EOF) { // something follows
		return nil, errAttributes
	}
	return all, nil
}

// readObject calls member with the name of each member of an object, whose value it has to read.
func readObject(in *jsontext.Decoder, member func(name string) error) error {
	if token, err := in.ReadToken(); err != nil || token.Kind() != '{' {
		return errAttributes
	}
	for in.PeekKind() == '"' {
		name, err := in.ReadToken()
		if err != nil {
			return errAttributes
		}
		if err := member(name.String()); err != nil {
			return err
		}
	}
	_, err := in.ReadToken() // the end, or what is wrong
	return err
}

// readValues reads a list of texts and numbers. Instead of a list there may be null, for none.
func readValues(in *jsontext.Decoder) ([]string, error) {
	switch token, err := in.ReadToken(); {
	case err != nil:
		return nil, errAttributes
	case token.Kind() == 'n':
		return nil, nil
	case token.Kind() != '[':
		return nil, errAttributes
	}
	values := make([]string, 0, 1)
	for {
		token, err := in.ReadToken()
		if err != nil {
			return nil, errAttributes
		}
		switch token.Kind() {
		case ']':
			return values, nil
		case '"', '0', 't', 'f':
			values = append(values, token.String())
		default:
			return nil, errValue
		}
	}
}

package file

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// shown is a value in a message.
func shown(value jsontext.Value) string {
	switch kind := value.Kind(); {
	case kind == '{':
		return "an object"
	case kind == '[':
		return "a list"
	case kind == '"':
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
func addAttributes(to map[string]string, object jsontext.Value) error {
	return eachMember(object, func(name string, value jsontext.Value) error {
		switch {
		case value.Kind() == 'n', value.Kind() == '"' && len(value) == len(`""`):
			delete(to, name)
		case value.Kind() == '"':
			to[name] = unquote(value)
		default:
			to[name] = string(value)
		}
		return nil
	})
}

// eachMember calls visit for the members of an object in their order, until it returns an error. A value is valid until
// visit returns.
func eachMember(object jsontext.Value, visit func(name string, value jsontext.Value) error) error {
	return walk(object, func(decoder *jsontext.Decoder) error {
		token, err := decoder.ReadToken()
		if err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		name := token.String()
		value, err := decoder.ReadValue()
		if err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		return visit(name, value)
	})
}

// eachElement calls visit for the elements of a list, as eachMember does.
func eachElement(list jsontext.Value, visit func(value jsontext.Value) error) error {
	return walk(list, func(decoder *jsontext.Decoder) error {
		value, err := decoder.ReadValue()
		if err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		return visit(value)
	})
}

// walk calls next at each member of an object, or element of a list.
func walk(container jsontext.Value, next func(*jsontext.Decoder) error) error {
	w := walker{next, nil}
	err := json.Unmarshal(container, &w, jsontext.AllowDuplicateNames(true)) // the decoder of the file has refused them
	if w.err != nil {
		return w.err // without the words that the library adds
	}
	return err
}

// walker is decoded into by json.Unmarshal, which reuses its decoders: a new one for every object takes twice the time.
type walker struct {
	next func(*jsontext.Decoder) error
	err  error
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (w *walker) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	if _, err := decoder.ReadToken(); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	for decoder.PeekKind() != '}' && decoder.PeekKind() != ']' {
		if w.err = w.next(decoder); w.err != nil {
			return w.err
		}
	}
	if _, err := decoder.ReadToken(); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	return nil
}

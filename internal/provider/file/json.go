package file

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// readJSON reads {"devices":[{"identifier":"…","data":{…}}]}, one device at a time, so that the file
// never stands in memory as a whole. Unknown members are ignored, duplicate ones refused.
func readJSON(r *bufio.Reader, in *inventory) error {
	decoder := jsontext.NewDecoder(r)
	if decoder.PeekKind() != '{' {
		if _, err := decoder.ReadToken(); err != nil {
			return jsonError("", err)
		}
		return errors.New(`want a JSON object with a member "devices"`)
	}
	if _, err := decoder.ReadToken(); err != nil {
		return jsonError("", err)
	}
	found := false
	for decoder.PeekKind() != '}' {
		name, err := decoder.ReadToken()
		if err != nil {
			return jsonError("", err)
		}
		if name.String() != "devices" {
			if err := decoder.SkipValue(); err != nil {
				return jsonError("", err)
			}
			continue
		}
		found = true
		if err := readDevices(decoder, in); err != nil {
			return err
		}
	}
	if _, err := decoder.ReadToken(); err != nil {
		return jsonError("", err)
	}
	if !found {
		return errors.New(`the member "devices" is missing`)
	}
	_, err := decoder.ReadToken()
	if errors.Is(err, io.EOF) {
		return nil
	}
	after := &syntaxError{decoder.InputOffset(), errors.New("data after the JSON object")}
	if syntax := (*jsontext.SyntacticError)(nil); errors.As(err, &syntax) {
		after.offset = syntax.ByteOffset
	}
	return after
}

func readDevices(decoder *jsontext.Decoder, in *inventory) error {
	if decoder.PeekKind() != '[' {
		if err := decoder.SkipValue(); err != nil {
			return jsonError("", err)
		}
		return errors.New(`the member "devices" is not a list`)
	}
	if _, err := decoder.ReadToken(); err != nil {
		return jsonError("", err)
	}
	in.place = "devices[%d]"
	err := in.load(func(out *feed) error { return readValues(decoder, out) }, in.makeRows)
	if err != nil {
		return err
	}
	if _, err := decoder.ReadToken(); err != nil {
		return jsonError("", err)
	}
	return nil
}

// readValues reads the list's elements, each as it stands. They are valid then, and without members
// of the same name.
func readValues(decoder *jsontext.Decoder, out *feed) error {
	for i := 0; decoder.PeekKind() != ']'; i++ {
		value, err := decoder.ReadValue()
		if err != nil {
			return jsonError(fmt.Sprintf("devices[%d]", i), err)
		}
		out.text = append(out.text, value...)
		out.next(entry{place: i})
	}
	return nil
}

// makeRows makes rows of elements of devices.
func (in *inventory) makeRows(values, rows *batch) {
	for e, value := range values.all() {
		identifier, data, err := readDevice(value)
		if err == nil {
			e.hash, err = in.devices.hash(identifier)
		}
		if err == nil {
			rows.text = appendField(rows.text, identifier)
			rows.text = append(rows.text, fieldMark)
			rows.text = appendCompact(rows.text, data)
		}
		e.fault = err
		rows.end(*e)
	}
}

// readDevice reads one element of devices. That a value is null is as if it were not there.
func readDevice(element jsontext.Value) (identifier, data []byte, err error) {
	if element.Kind() != '{' {
		return nil, nil, errors.New("not an object")
	}
	var bearer, facts jsontext.Value
	for name, value, rest, found := cutMember(element[1:]); found; name, value, rest, found = cutMember(rest) {
		switch {
		case isString(name, "identifier"):
			bearer = value
		case isString(name, "data"):
			facts = value
		}
	}
	switch bearer.Kind() {
	case '"':
	case 'n', jsontext.KindInvalid:
		return nil, nil, errors.New(`the member "identifier" is missing`)
	default:
		return nil, nil, errors.New(`the member "identifier" has the wrong type`)
	}
	switch facts.Kind() {
	case '{':
	case 'n', jsontext.KindInvalid:
		facts = jsontext.Value("{}")
	default:
		return nil, nil, errors.New(`the member "data" is neither an object nor null`)
	}
	identifier, err = unquoted(bearer)
	return bytes.TrimSpace(identifier), facts, err
}

func isString(value []byte, text string) bool {
	unquoted, err := unquoted(value)
	return err == nil && string(unquoted) == text
}

// unquoted returns the text of a JSON string, itself where it can.
func unquoted(value []byte) ([]byte, error) {
	if bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1], nil
	}
	text, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	return text, nil
}

// jsonError tells where a file stops being JSON.
func jsonError(place string, err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New(`the file is empty; want {"devices":[…]}`)
	}
	if syntax := (*jsontext.SyntacticError)(nil); errors.As(err, &syntax) {
		err = fmt.Errorf("not valid JSON at byte %d: %w", syntax.ByteOffset, syntax.Err)
		if place == "" {
			return &syntaxError{syntax.ByteOffset, err}
		}
	}
	if place == "" {
		return err
	}
	return fmt.Errorf("%s: %w", place, err)
}

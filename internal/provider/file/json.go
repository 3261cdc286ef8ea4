package file

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
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
	var read element // used again, so that a million devices leave no garbage
	for e, value := range values.all() {
		begin := len(rows.text)
		rows.text, e.fault = read.appendRow(rows.text, value)
		if e.fault == nil {
			identifier, _ := cutField(rows.text[begin:])
			e.hash, e.fault = in.devices.hash(identifier)
		}
		rows.end(*e)
	}
}

// element is one of devices.
type element struct {
	Identifier jsontext.Value `json:"identifier"`
	Data       jsontext.Value `json:"data"`

	text []byte // of the identifier
}

// appendRow reads an element and appends its row. The data is kept as the file has it, but for blanks.
// That a value is null is as if it were not there.
func (e *element) appendRow(row []byte, value jsontext.Value) ([]byte, error) {
	if value.Kind() != '{' {
		return row, errors.New("not an object")
	}
	e.Identifier, e.Data = e.Identifier[:0], e.Data[:0]
	if err := json.Unmarshal(value, e); err != nil {
		return row, fmt.Errorf("decode: %w", err)
	}
	switch e.Identifier.Kind() {
	case '"':
	case 'n', jsontext.KindInvalid:
		return row, errors.New(`the member "identifier" is missing`)
	default:
		return row, errors.New(`the member "identifier" has the wrong type`)
	}
	switch e.Data.Kind() {
	case '{':
	case 'n', jsontext.KindInvalid:
		e.Data = append(e.Data[:0], "{}"...)
	default:
		return row, errors.New(`the member "data" is neither an object nor null`)
	}
	if err := e.Data.Compact(); err != nil {
		return row, fmt.Errorf("data: %w", err)
	}
	var err error
	if e.text, err = jsontext.AppendUnquote(e.text[:0], e.Identifier); err != nil {
		return row, fmt.Errorf("identifier: %w", err)
	}
	row = append(appendField(row, bytes.TrimSpace(e.text)), fieldMark)
	return append(row, e.Data...), nil
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

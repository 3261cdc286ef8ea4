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
	var d deviceReader
	err := in.load(func(out *feed) error { return readValues(decoder, out) }, func(place int, value []byte) {
		row, err := d.row(value)
		if err != nil {
			in.fault(place, err)
			return
		}
		in.add(place, row)
	})
	if err != nil {
		return err
	}
	if _, err := decoder.ReadToken(); err != nil {
		return jsonError("", err)
	}
	return nil
}

// readValues reads the list's elements, each as it stands. They are JSON without duplicate members then.
func readValues(decoder *jsontext.Decoder, out *feed) error {
	for i := 0; decoder.PeekKind() != ']'; i++ {
		value, err := decoder.ReadValue()
		if err != nil {
			return jsonError(fmt.Sprintf("devices[%d]", i), err)
		}
		out.text = append(out.text, value...)
		out.next(i, nil)
	}
	return nil
}

// deviceReader makes rows of elements of devices, in memory that it uses again and again.
type deviceReader struct {
	text       bytes.Buffer
	decoder    jsontext.Decoder
	identifier []byte
	data       jsontext.Value
	made       []byte
}

// row makes a row of one element. The data is kept as the file has it, but for blanks.
func (d *deviceReader) row(value jsontext.Value) ([]byte, error) {
	if value.Kind() != '{' {
		return nil, errors.New("not an object")
	}
	found, err := d.members(value)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, errors.New(`the member "identifier" is missing`)
	}
	switch kind := d.data.Kind(); {
	case len(d.data) == 0 || kind == 'n':
		d.data = append(d.data[:0], "{}"...)
	case kind != '{':
		return nil, errors.New(`the member "data" is neither an object nor null`)
	}
	if err := d.data.Compact(); err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	d.made = appendBytes(d.made[:0], bytes.TrimSpace(d.identifier))
	d.made = append(d.made, d.data...)
	return d.made, nil
}

// members sets identifier and data to the members of value, and reports whether there is an identifier.
// A member that is null is none.
func (d *deviceReader) members(value []byte) (found bool, err error) {
	d.text = *bytes.NewBuffer(value)
	d.decoder.Reset(&d.text)
	d.data = d.data[:0]
	if _, err := d.decoder.ReadToken(); err != nil {
		return false, fmt.Errorf("decode: %w", err)
	}
	for d.decoder.PeekKind() != '}' {
		name, err := d.decoder.ReadToken()
		if err != nil {
			return false, fmt.Errorf("decode: %w", err)
		}
		member := name.String()
		value, err := d.decoder.ReadValue()
		switch {
		case err != nil:
			return false, fmt.Errorf("decode: %w", err)
		case member == "data":
			d.data = append(d.data, value...)
		case member != "identifier" || value.Kind() == 'n':
		case value.Kind() != '"':
			return false, errors.New(`the member "identifier" has the wrong type`)
		default:
			found = true
			if d.identifier, err = jsontext.AppendUnquote(d.identifier[:0], value); err != nil {
				return false, fmt.Errorf("decode: %w", err)
			}
		}
	}
	return found, nil
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

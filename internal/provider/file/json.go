package file

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// readJSON reads {"devices":[{"identifier":"…","data":{…}}]}, one device at a time, so that the file
// never stands in memory as a whole. Unknown members are ignored, duplicate ones refused.
func readJSON(r io.Reader, in *inventory) error {
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
	for i := 0; decoder.PeekKind() != ']'; i++ {
		place := fmt.Sprintf("devices[%d]", i)
		value, err := decoder.ReadValue()
		if err != nil {
			return jsonError(place, err)
		}
		identifier, data, err := readDevice(value)
		if err != nil {
			in.fault(place, err)
			continue
		}
		in.add(place, identifier, data)
	}
	if _, err := decoder.ReadToken(); err != nil {
		return jsonError("", err)
	}
	return nil
}

// readDevice reads one element of devices. The data is kept as the file has it, but for blanks.
func readDevice(value jsontext.Value) (identifier string, data json.RawMessage, err error) {
	if value.Kind() != '{' {
		return "", nil, errors.New("not an object")
	}
	var entry struct {
		Identifier *string        `json:"identifier"`
		Data       jsontext.Value `json:"data"`
	}
	if err := jsonv2.Unmarshal(value, &entry); err != nil {
		return "", nil, memberError(err)
	}
	if entry.Identifier == nil {
		return "", nil, errors.New(`the member "identifier" is missing`)
	}
	switch kind := entry.Data.Kind(); {
	case len(entry.Data) == 0 || kind == 'n':
		return *entry.Identifier, json.RawMessage("{}"), nil
	case kind != '{':
		return "", nil, errors.New(`the member "data" is neither an object nor null`)
	}
	if err := entry.Data.Compact(); err != nil {
		return "", nil, fmt.Errorf("data: %w", err)
	}
	return *entry.Identifier, json.RawMessage(entry.Data), nil
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

// memberError tells which member of a device has the wrong type, without Go's names for types.
func memberError(err error) error {
	if wrong := (*jsonv2.SemanticError)(nil); errors.As(err, &wrong) {
		return fmt.Errorf("the member %q has the wrong type", wrong.JSONPointer.LastToken())
	}
	return fmt.Errorf("decode: %w", err)
}

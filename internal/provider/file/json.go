package file

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/compact"
)

// readJSON reads {"devices":[{"identifier":"…","data":{…}}]}, one device at a time, so that the file
// is never in memory as a whole. It ignores unknown members and refuses duplicate ones. A file whose first member is
// format is a snapshot, which has the members that snapshot reads, and no other.
func readJSON(r *bufio.Reader, in *inventory) error {
	decoder := jsontext.NewDecoder(r)
	if decoder.PeekKind() != '{' {
		if _, err := decoder.ReadToken(); err != nil {
			return jsonError("", err)
		}
		return errors.New(`want a JSON object with a member "devices": {"devices":[…]}`)
	}
	if _, err := decoder.ReadToken(); err != nil {
		return jsonError("", err)
	}
	var seen []string // the members that are read
	for decoder.PeekKind() != '}' {
		name, err := decoder.ReadToken()
		if err != nil {
			return jsonError("", err)
		}
		if seen, err = in.readMember(decoder, name.String(), seen); err != nil {
			return err
		}
	}
	if _, err := decoder.ReadToken(); err != nil {
		return jsonError("", err)
	}
	if err := in.devices.snapshot.whole(seen); err != nil {
		return err
	}
	if !slices.Contains(seen, "devices") {
		return errors.New(`the member "devices" is missing`)
	}
	end := decoder.InputOffset()
	_, err := decoder.ReadToken()
	switch syntax := (*jsontext.SyntacticError)(nil); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil && !errors.As(err, &syntax):
		return jsonError("", err)
	}
	return &syntaxError{offset: end, behind: true, err: errors.New("data after the JSON object")}
}

// readMember reads a member of the file's object.
func (in *inventory) readMember(decoder *jsontext.Decoder, name string, seen []string) ([]string, error) {
	switch {
	case name == formatMember && len(seen) == 0:
		in.devices.snapshot, in.devices.hasFacts = &snapshot{}, true
	case name == formatMember:
		return seen, fmt.Errorf("the file has the member %q behind others; in a snapshot it is the first", name)
	case name == "devices":
		seen = append(seen, name)
		return seen, readDevices(decoder, in)
	}
	seen = append(seen, name)
	if in.devices.snapshot == nil {
		if err := decoder.SkipValue(); err != nil {
			return seen, jsonError("", err)
		}
		return seen, nil
	}
	value, err := decoder.ReadValue()
	if err != nil {
		return seen, jsonError("", err)
	}
	return seen, in.devices.readSnapshot(name, value)
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

// readValues reads the elements of the list, each as it is in the file. The decoder has checked that they are valid
// JSON without duplicate members.
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

// makeRows converts elements of devices to rows.
func (in *inventory) makeRows(values, rows *batch) {
	var read element // reused, so that a million devices leave no garbage
	now := time.Now()
	for e, value := range values.all() {
		begin := len(rows.text)
		rows.text, e.fault = read.appendRow(rows.text, value)
		if e.fault == nil {
			identifier, _ := compact.CutField(rows.text[begin:])
			if e.hash, e.fault = in.devices.Hash(identifier); e.fault == nil {
				e.notes = notesOf(identifier) | in.devices.keepFacts(rows, &read, e, now)
			}
			if in.devices.snapshot != nil && e.fault == nil {
				e.mark, e.fault = read.mark()
			} else if read.isStray(in.devices.vocabulary != nil) {
				e.notes |= stray
			}
		}
		rows.end(*e)
	}
}

// element is one element of devices.
type element struct {
	Identifier jsontext.Value `json:"identifier"`
	Data       jsontext.Value `json:"data"`
	Facts      jsontext.Value `json:"facts"`
	Others     jsontext.Value `json:",embed"`

	noData bool   // the member data is missing, and not only null
	text   []byte // of the identifier
}

// appendRow reads an element and appends its row. It keeps the data as in the file, without white space. null counts
// as missing.
func (e *element) appendRow(row []byte, value jsontext.Value) ([]byte, error) {
	if value.Kind() != '{' {
		return row, errors.New("not an object")
	}
	e.Identifier, e.Data, e.Facts, e.Others = e.Identifier[:0], e.Data[:0], e.Facts[:0], e.Others[:0]
	if err := json.Unmarshal(value, e); err != nil {
		return row, fmt.Errorf("decode: %w", err)
	}
	switch e.Identifier.Kind() {
	case '"':
	case 'n', jsontext.KindInvalid:
		if bytes.Contains(bytes.ToLower(e.Others), []byte(`"identifier"`)) {
			return row, errors.New(`the member "identifier" is missing; write its name in lower case`)
		}
		return row, errors.New(`the member "identifier" is missing`)
	default:
		return row, errors.New(`the member "identifier" has the wrong type`)
	}
	e.noData = e.Data.Kind() == jsontext.KindInvalid
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
	row = append(compact.AppendField(row, bytes.TrimSpace(e.text)), fieldSeparator)
	return append(row, e.Data...), nil
}

// isStray reports whether the element has other members in place of data. Facts are one only where they are not read.
func (e *element) isStray(readsFacts bool) bool {
	return e.noData && (len(e.Others) > len("{}") || len(e.Facts) > 0 && !readsFacts)
}

// jsonError says where a file stops being JSON.
func jsonError(device string, err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New(`the file is empty; want {"devices":[…]}`)
	}
	if syntax := (*jsontext.SyntacticError)(nil); errors.As(err, &syntax) {
		return &syntaxError{device: device, offset: syntax.ByteOffset, err: fmt.Errorf("not valid JSON: %w", syntax.Err)}
	}
	if device == "" {
		return err
	}
	return fmt.Errorf("%s: %w", device, err)
}

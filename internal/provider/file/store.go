package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/compact"
	"step-posture-connector/internal/posture"
)

// device is one entry of the inventory, as in the file.
type device struct {
	identifier string
	data       json.RawMessage // an object
	facts      []byte          // the member of JSON, or empty
}

// managed returns the device without further facts: every device in the file is managed, unless they say otherwise.
func (d device) managed() posture.Device {
	return posture.Device{Identifier: d.identifier, Facts: posture.Facts{Managed: posture.Known(true)}, Data: d.data}
}

// store is the devices of a file: rows of a compact.Table, and what their fields are.
type store struct {
	// columns are the beginnings of the members that the columns of a CSV file become, nil for JSON. That of a column
	// that is a fact is nil.
	columns [][]byte
	names   []string // of the columns, for the operator

	// vocabulary is nil where no policy reads the inventory: then facts are data, and the three below are nil.
	vocabulary *vocabulary
	facts      []*posture.Definition // of the columns; nil for a column of data
	factNames  []string              // of those columns
	attributes []string              // the names of all columns
	hasFacts   bool                  // a column is a fact, or a device has the member facts

	// givesAttributes says that a column is device.attributes.
	givesAttributes bool

	snapshot *snapshot // nil where the file is none
	// marks are the answers about devices whose records a snapshot does not have, by the keys of their identifiers.
	marks map[string]error

	*compact.Table
}

func newStore() *store { return &store{Table: compact.New()} }

// field matches the names that templates can write after a dot. Others are quoted, as the function index needs them.
var field = regexp.MustCompile(`^[\pL_][\pL_\p{Nd}]{0,63}$`)

// setColumns makes it a store of CSV rows: after the identifier they have a value for each name.
func (s *store) setColumns(names []string) error {
	s.columns = make([][]byte, len(names))
	sign := byte('{')
	if s.vocabulary != nil {
		s.facts, s.attributes = make([]*posture.Definition, len(names)), names
	}
	for i, name := range names {
		if s.vocabulary != nil && s.vocabulary.byName[name] != nil {
			s.facts[i], s.hasFacts = s.vocabulary.byName[name], true
			s.factNames = append(s.factNames, name)
			s.givesAttributes = s.givesAttributes || name == attributesFact
			continue
		}
		member, err := jsontext.AppendQuote([]byte{sign}, name)
		if err != nil {
			return fmt.Errorf("encode column name: %w", err)
		}
		s.columns[i] = append(member, ':')
		sign = ','
		if !field.MatchString(name) {
			name = fmt.Sprintf("%.40q", name)
		}
		s.names = append(s.names, name)
	}
	return nil
}

// identified is the device of a row without its data.
func identified(row []byte) device {
	identifier, _ := compact.CutField(row)
	return device{identifier: string(identifier)}
}

// device makes a device from a row. The row of a CSV file has only the values: with the names of the columns, a
// million rows would be half as large again.
func (s *store) device(row []byte) (device, error) {
	identifier, rest := compact.CutField(row)
	if s.columns == nil {
		data, facts := rest, []byte(nil)
		if s.hasFacts {
			data, facts = compact.CutNext(row, rest)
		}
		return device{string(identifier), data[:len(data):len(data)], facts}, nil
	}
	size := len("{}") + len(rest)
	for _, column := range s.columns {
		size += len(column) + len(`""`)
	}
	data := make([]byte, 0, size)
	for _, column := range s.columns {
		var value []byte
		var err error
		value, rest = compact.CutNext(row, rest)
		if column == nil {
			continue // a fact, and no data
		}
		if s.hasFacts && bytes.HasPrefix(value, []byte(escape)) {
			value = []byte(s.text(string(value)))
		}
		data = append(data, column...)
		if data, err = jsontext.AppendQuote(data, value); err != nil {
			return device{}, fmt.Errorf("encode column %s: %w", column, err)
		}
	}
	if len(data) == 0 {
		data = append(data, '{')
	}
	return device{string(identifier), append(data, '}'), nil}, nil
}

// text is the text of a cell of data.
func (s *store) text(cell string) string {
	if s.hasFacts {
		cell, _ = unescape(cell)
	}
	return cell
}

// sameData compares the data and the facts of two rows by value.
func (s *store) sameData(a, b []byte) (bool, error) {
	if bytes.Equal(a, b) {
		return true, nil
	}
	x, errX := s.device(a)
	y, errY := s.device(b)
	same, err := sameJSON(x.data, y.data), errors.Join(errX, errY)
	if !same || err != nil || !s.hasFacts {
		return same, err
	}
	return s.sameFacts(a, b, x, y)
}

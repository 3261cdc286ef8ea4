package file

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// identifierColumn is the name of the first column; case is ignored.
const identifierColumn = "Identifier"

// readCSV reads a header row and then one device a row (RFC 4180).
func readCSV(r io.Reader, in *inventory) error {
	rows := csv.NewReader(r)
	rows.FieldsPerRecord = -1 // counted here, for a better error
	rows.ReuseRecord = true
	header, err := readHeader(rows)
	if err != nil {
		return err
	}
	for {
		row, err := rows.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return csvError(err) // the rest cannot be told apart into rows
		case isBlank(row):
			continue
		}
		line, _ := rows.FieldPos(0)
		place := fmt.Sprintf("line %d", line)
		switch {
		case len(row) != len(header):
			in.fault(place, fmt.Errorf("%d fields, but the header has %d", len(row), len(header)))
		case !isUTF8(row):
			in.fault(place, errNotUTF8)
		default:
			data, err := encodeRow(header, row)
			if err != nil {
				in.fault(place, err)
				continue
			}
			in.add(place, strings.Clone(row[0]), data)
		}
	}
}

var errNotUTF8 = errors.New("not valid UTF-8; save the file as UTF-8")

func readHeader(rows *csv.Reader) ([]string, error) {
	row, err := rows.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("the file is empty; the first line must be a header whose first column is Identifier")
	case err != nil:
		return nil, csvError(err)
	}
	line, _ := rows.FieldPos(0)
	header := append([]string(nil), row...)
	if !isUTF8(header) {
		return nil, fmt.Errorf("line %d: %w", line, errNotUTF8)
	}
	if !strings.EqualFold(strings.TrimSpace(header[0]), identifierColumn) {
		return nil, fmt.Errorf("line %d: the first column is %.40q, want Identifier; columns are separated by commas", line, header[0])
	}
	seen := map[string]bool{}
	for i, name := range header[1:] {
		switch {
		case strings.TrimSpace(name) == "":
			return nil, fmt.Errorf("line %d: column %d has no name", line, i+2)
		case strings.ContainsAny(name, "\r\n"):
			// Else a file whose line ends are all carriage returns would be one long header.
			return nil, fmt.Errorf("line %d: the name of column %d has a line break in it; lines end with LF or CRLF", line, i+2)
		case seen[name], strings.EqualFold(strings.TrimSpace(name), identifierColumn):
			return nil, fmt.Errorf("line %d: column %d repeats the name %.40q", line, i+2, name)
		}
		seen[name] = true
	}
	return header, nil
}

// encodeRow makes the data object of a row, its members in the order of the columns.
func encodeRow(header, row []string) (json.RawMessage, error) {
	data := []byte{'{'}
	var err error
	for i := 1; i < len(header); i++ {
		if i > 1 {
			data = append(data, ',')
		}
		if data, err = jsontext.AppendQuote(data, header[i]); err != nil {
			return nil, fmt.Errorf("encode column name: %w", err)
		}
		data = append(data, ':')
		if data, err = jsontext.AppendQuote(data, row[i]); err != nil {
			return nil, fmt.Errorf("encode column %q: %w", header[i], err)
		}
	}
	return append(data, '}'), nil
}

// isBlank reports whether a row is a line of blanks. (Lines without any character do not come as rows.)
// A lone pair of quotation marks is not blank: it is an empty identifier.
func isBlank(row []string) bool {
	return len(row) == 1 && row[0] != "" && strings.TrimSpace(row[0]) == ""
}

func isUTF8(fields []string) bool {
	for _, field := range fields {
		if !utf8.ValidString(field) {
			return false
		}
	}
	return true
}

func csvError(err error) error {
	if syntax := (*csv.ParseError)(nil); errors.As(err, &syntax) {
		if syntax.StartLine != syntax.Line {
			// A quotation mark that is never closed runs on; it is the line where it opens that must be mended.
			return fmt.Errorf("line %d: %w (seen at line %d, column %d)", syntax.StartLine, syntax.Err, syntax.Line, syntax.Column)
		}
		return fmt.Errorf("line %d: column %d: %w", syntax.Line, syntax.Column, syntax.Err)
	}
	return fmt.Errorf("read: %w", err)
}

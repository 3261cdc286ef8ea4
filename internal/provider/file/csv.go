package file

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// identifierColumn is the name of the first column; case is ignored.
const identifierColumn = "Identifier"

// readCSV reads a header row and then one device a row (RFC 4180).
func readCSV(r *bufio.Reader, in *inventory) error {
	rows := newRows(r)
	header, err := readHeader(rows)
	if err != nil {
		return err
	}
	if err := in.devices.setColumns(header[1:]); err != nil {
		return err
	}
	in.place = "line %d"
	return in.load(func(out *feed) error { return readRows(rows, in.devices, out) }, nil)
}

// readRows hands every row to out, with the hash by which devices will keep it.
func readRows(rows *rows, devices *store, out *feed) error {
	for {
		read, line, err := rows.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return csvError(err) // the rest cannot be told apart into rows
		}
		e := entry{place: line}
		switch count := read.count(); {
		case read.isBlank():
			continue
		case count != 1+len(devices.columns):
			e.fault = fmt.Errorf("%d fields, but the header has %d", count, 1+len(devices.columns))
		case !read.isUTF8():
			e.fault = errNotUTF8
		default:
			begin := len(out.text)
			out.text = read.appendRow(out.text)
			identifier, _ := cutField(out.text[begin:])
			e.hash, e.fault = devices.hash(identifier)
		}
		out.next(e)
	}
}

var errNotUTF8 = errors.New("not valid UTF-8; save the file as UTF-8")

func readHeader(rows *rows) ([]string, error) {
	read, line, err := rows.next()
	for err == nil && read.isBlank() {
		read, line, err = rows.next()
	}
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("the file is empty; the first line must be a header whose first column is Identifier")
	case err != nil:
		return nil, csvError(err)
	}
	if !read.isUTF8() {
		return nil, fmt.Errorf("line %d: %w", line, errNotUTF8)
	}
	header := read.strings()
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

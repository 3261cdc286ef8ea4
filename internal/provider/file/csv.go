package file

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"time"

	"step-posture-connector/internal/compact"
)

// readCSV reads a header row and then one device a row (RFC 4180).
func readCSV(r *bufio.Reader, in *inventory) error {
	rows := newRows(r)
	names, err := readHeader(rows, in)
	if err != nil {
		return err
	}
	if err := in.devices.setColumns(names); err != nil {
		return err
	}
	in.place = "line %d"
	return in.load(func(out *feed) error { return readRows(rows, in.devices, out) }, nil)
}

// readRows sends every row to out, with the hash of its key.
func readRows(rows *rows, devices *store, out *feed) error {
	now := time.Now()
	for {
		read, line, err := rows.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return csvError(err) // where the next row begins is unknown
		}
		e := entry{place: line}
		switch count := read.count(); {
		case read.isWhitespace():
			continue
		case count != 1+len(devices.columns):
			e.fault = fmt.Errorf("%d fields, but the header has %d", count, 1+len(devices.columns))
		case !read.isUTF8():
			e.fault = errNotUTF8
		default:
			begin := len(out.text)
			escaped := devices.hasFacts && read.isEscaped()
			if escaped {
				out.text = read.appendUnescaped(out.text)
			} else {
				out.text = read.appendRow(out.text)
			}
			identifier, _ := compact.CutField(out.text[begin:])
			e.hash, e.fault = devices.Hash(identifier)
			if e.fault == nil && !escaped {
				e.notes = notesOf(identifier)
			}
			if e.fault == nil && devices.hasFacts {
				var more notes
				more, e.fault = devices.checkCells(out.text[begin:], identifier, now)
				e.notes |= more
			}
		}
		if e.fault != nil && read.isEmpty() {
			e.fault = errEmptyRow
		}
		out.next(e)
	}
}

var (
	errNotUTF8  = errors.New("not valid UTF-8; save the file as UTF-8")
	errNUL      = errors.New("a NUL byte in a value; the file is damaged, or is not text")
	errEmptyRow = errors.New("the row has only commas; delete it (spreadsheets write a row that was cleared, but not deleted)")
)

const hintBareQuote = `; put quotation marks around the whole field, right after the comma (a formula, ="…", comes from a spreadsheet: export the values)`

func csvError(err error) error {
	if syntax := (*csv.ParseError)(nil); errors.As(err, &syntax) {
		if syntax.StartLine != syntax.Line {
			// The quoted field runs on to a later line; the line where it begins is the one to fix.
			return fmt.Errorf("line %d: a quoted field is never closed (noticed at line %d, column %d); it ends with a quotation mark right before the comma", syntax.StartLine, syntax.Line, syntax.Column)
		}
		hint := ""
		if errors.Is(syntax.Err, csv.ErrBareQuote) {
			hint = hintBareQuote
		}
		if errors.Is(syntax.Err, csv.ErrQuote) {
			return fmt.Errorf(`line %d: column %d: a quoted field ends with a quotation mark right before the comma; write a quotation mark that belongs to the value twice, ""`, syntax.Line, syntax.Column)
		}
		return fmt.Errorf("line %d: column %d: %w%s", syntax.Line, syntax.Column, syntax.Err, hint)
	}
	return fmt.Errorf("read: %w", err)
}

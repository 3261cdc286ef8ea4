package file

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// readLines reads a list: one identifier a line, and nothing else. In memory it is a CSV file without other columns, so a
// device that is listed is found and managed as one of those. A list without a line is accepted, as only that says that no
// device may pass; as an error it would leave the last device in effect.
func readLines(r *bufio.Reader, in *inventory) error {
	if err := in.devices.setColumns(nil); err != nil {
		return err
	}
	in.place = "line %d"
	lines := rows{in: r}
	return in.load(func(out *feed) error { return readIdentifiers(&lines, in.devices, out) }, nil)
}

// readIdentifiers sends every identifier to out, with its hash. A line without one is no device: an empty identifier would be
// that of every request that names no device.
func readIdentifiers(lines *rows, devices *store, out *feed) error {
	for {
		read, err := lines.readLine()
		identifier := bytes.TrimSpace(read)
		if len(identifier) > 0 {
			e := entry{place: lines.line}
			if e.fault = columnsIn(identifier); e.fault == nil {
				e.hash, e.fault = devices.Hash(identifier)
			}
			if e.fault == nil {
				e.notes = notesOfLine(identifier)
				out.text = append(out.text, identifier...)
			}
			out.next(e)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read: %w", err)
		}
	}
}

// errColumns is a fault for semicolons and quotation marks too, though an identifier may have them: such a line is far more
// likely of CSV, and its device would be refused without a word.
var errColumns = errors.New("not an identifier alone; write one identifier a line, without commas, semicolons, tabs and quotation marks, or set FILE_TYPE to csv and write a header")

// columnsIn returns what tells a line of CSV from an identifier.
func columnsIn(line []byte) error {
	switch {
	case bytes.ContainsAny(line, ",;\t\""):
		return errColumns
	case !utf8.Valid(line):
		return errNotUTF8
	}
	return nil
}

// notesOfLine examines an identifier of a list.
func notesOfLine(identifier []byte) notes {
	if found := notesOf(identifier); found != 0 || identifier[0] != '#' {
		return found
	}
	return comment
}

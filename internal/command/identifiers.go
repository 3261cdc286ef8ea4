package command

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"
)

// identifiers yields args, and then those of the list at a path; "-" is standard input, and without a path there is no list.
// An error is about the list, and the last that is yielded.
func identifiers(args []string, path string, stdin io.Reader) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, arg := range args {
			if !yield(arg, nil) {
				return
			}
		}
		if path == "" {
			return
		}
		name := path
		if path == "-" {
			name = "standard input"
		} else {
			file, err := os.Open(path) // not only files: the shell makes pipes of commands
			if err != nil {
				yield("", listError(name, cause(err)))
				return
			}
			defer file.Close()
			stdin = file
		}
		for identifier, err := range readList(stdin) {
			if err != nil {
				err = listError(name, err)
			}
			if !yield(identifier, err) || err != nil {
				return
			}
		}
	}
}

func listError(name string, err error) error { return fmt.Errorf("--from %s: %w", name, err) }

// cause is an error about a file without the path, which is named already.
func cause(err error) error {
	if inPath := (*fs.PathError)(nil); errors.As(err, &inPath) {
		return inPath.Err
	}
	return err
}

const acceptedList = "one identifier a line, or CSV with the header Identifier above the first column"

// readList yields the identifiers of a list: one a line, or the first column of CSV with the header Identifier. Empty lines,
// and comments that begin with #, do not count. It holds one entry at a time.
func readList(in io.Reader) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		text := bufio.NewReader(in)
		if begin, _ := text.Peek(len(byteOrderMark)); string(begin) == byteOrderMark {
			_, _ = text.Discard(len(byteOrderMark))
		}
		limit := &entryReader{in: text}
		rows := csv.NewReader(limit)
		rows.Comment, rows.FieldsPerRecord, rows.ReuseRecord = '#', -1, true
		var l list
		for {
			limit.left = maxEntry
			row, err := rows.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				yield("", rowError(err, limit.lines+1))
				return
			}
			line, _ := rows.FieldPos(0)
			identifier, found, err := l.entry(row)
			if err != nil {
				yield("", fmt.Errorf("line %d: %w", line, err))
				return
			}
			if found && !yield(identifier, nil) {
				return
			}
		}
		if !l.found {
			yield("", errors.New("it has no identifier; accepted: "+acceptedList))
		}
	}
}

const byteOrderMark = "\ufeff"

// list is what is known of a list after some entries.
type list struct {
	begun bool // after its first entry
	table bool // it has the header
	found bool // it has an identifier
}

// entry returns the identifier of a row, if it has one.
func (l *list) entry(row []string) (identifier string, found bool, err error) {
	first := strings.TrimSpace(row[0])
	empty := first == "" && len(row) == 1 || strings.HasPrefix(first, "#")
	switch {
	case empty:
		return "", false, nil
	case !l.begun && strings.EqualFold(first, "Identifier"):
		l.begun, l.table = true, true
		return "", false, nil
	case !l.begun && strings.ContainsAny(first, ";\t"):
		return "", false, errors.New("several columns, which commas do not separate; accepted: " + acceptedList)
	case !l.begun && (strings.Contains(first, "\x00") || strings.HasPrefix(first, "\xff\xfe") || strings.HasPrefix(first, "\xfe\xff")):
		return "", false, errors.New("it is UTF-16, or no text; save it as UTF-8")
	case !l.table && len(row) > 1:
		return "", false, fmt.Errorf("%d columns without the header; accepted: %s", len(row), acceptedList)
	case first == "":
		return "", false, errors.New("the first column, with the identifier, is empty")
	}
	l.begun, l.found = true, true
	return first, true, nil
}

// rowError says in which line of a list an error is: in the given one, if the error does not say it itself.
func rowError(err error, line int) error {
	wrong := (*csv.ParseError)(nil)
	switch {
	case !errors.As(err, &wrong):
		return fmt.Errorf("line %d: %w", line, cause(err))
	case errors.Is(wrong.Err, csv.ErrQuote), errors.Is(wrong.Err, csv.ErrBareQuote):
		return fmt.Errorf("line %d: a quotation mark begins or ends in the middle of a value, or has no end", wrong.StartLine)
	}
	return fmt.Errorf("line %d: %w", wrong.Line, wrong.Err)
}

// entryReader limits what is read of one entry, whose end only the reader of it finds.
type entryReader struct {
	in    io.Reader
	left  int // bytes
	lines int // line ends that were read
}

var errLongEntry = errors.New("it is too long for an identifier or a row; accepted: " + acceptedList)

// Read implements io.Reader.
func (r *entryReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errLongEntry
	}
	n, err := r.in.Read(p)
	r.left -= n
	r.lines += bytes.Count(p[:n], []byte{'\n'})
	return n, err
}

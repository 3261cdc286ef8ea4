package file

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// rowsOf returns all rows of a CSV reader with their lines, and the error at the end.
func rowsOf(next func() (fields []string, line int, err error)) (rows []string) {
	for {
		fields, line, err := next()
		if err != nil {
			return append(rows, fmt.Sprintf("%v", err))
		}
		rows = append(rows, fmt.Sprintf("line %d: %q", line, fields))
	}
}

func ours(content io.Reader) []string {
	rows := newRows(bufio.NewReaderSize(content, 16)) // the smallest: most lines are longer
	return rowsOf(func() ([]string, int, error) {
		read, line, err := rows.next()
		if err != nil {
			return nil, 0, err
		}
		fields := read.strings()
		if len(fields) != read.count() {
			return nil, 0, fmt.Errorf("count() of %d fields is %d", len(fields), read.count())
		}
		return fields, line, nil
	})
}

func standard(content io.Reader) []string {
	rows := csv.NewReader(content)
	rows.FieldsPerRecord = -1
	return rowsOf(func() ([]string, int, error) {
		fields, err := rows.Read()
		if err != nil {
			return nil, 0, err
		}
		line, _ := rows.FieldPos(0)
		return fields, line, nil
	})
}

// FuzzRows: rows reads as encoding/csv does, to the column of a fault.
func FuzzRows(f *testing.F) {
	for _, seed := range []string{
		"", "a", "a,b\n", ",\n", "\n\n", "a\r\n\r\nb\r\n", "a\rb\n", "a\r", "a\r\r", "a\r\r\n", "\r", "\r\r\n", " \n",
		"\"a\"\n", "\"a\",\"b\"\r\n", "\"a\",b,\"\"\n", "\"\"\n", "\"\"", "\"a\",", "\"a,b\"\n", "a,\"b\n", "a,\"b\"c\n", "a,b\"\n", "a \"b\"\n",
		"\"a\"\"b\"\n", "x\n\n\"a\nb\",c\n\nd\n", "x\n\"a\r\nb\"\r\n\"c\r\n\n\"\"d\"\r\ne", "x\n\"a\"\"\"\r\ny\n\"\"\"\"\r", "\"a\nb\"\nc\n\"d\n\n\ne", "\"a\nb\"\nc\n\"d\"e\n",
		"\"a\r\n", "\"a\r", "\"a\"\r", "\"a\"\r\r\n", "\xff,\"\xff\"\"\"\n", "long," + strings.Repeat("x", 5000) + ",\"" + strings.Repeat("y\n", 3000) + "\"\nz\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		got, want := ours(bytes.NewReader(content)), standard(bytes.NewReader(content))
		if !slices.Equal(got, want) {
			t.Errorf("%q is read as\n%s\nwant\n%s", content, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		broken := func() io.Reader {
			return io.MultiReader(bytes.NewReader(content), iotest.ErrReader(errors.New("broken")))
		}
		got, want = ours(broken()), standard(broken())
		if !slices.Equal(got, want) {
			t.Errorf("%q and a read error are read as\n%s\nwant\n%s", content, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

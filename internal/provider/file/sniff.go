package file

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var (
	errUTF16 = errors.New("the file is UTF-16; save it as UTF-8")
	errCR    = errors.New("the file has lines that end with a carriage return alone; save it with line ends of LF or CRLF")
	errJSON  = errors.New("the file is JSON; set FILE_TYPE to json")
	errCSV   = errors.New("the file is CSV; set FILE_TYPE to csv")
	errXML   = errors.New("the file is XML or HTML, perhaps an error page that was saved in place of the export; want CSV or JSON")
)

// sniff recognizes, by its beginning, a file that is not an inventory of the given type.
func sniff(r *bufio.Reader, kind string) error {
	start, _ := r.Peek(sniffed) // a read error is reported by the reader that follows
	if err := foreign(start); err != nil {
		return err
	}
	text := bytes.TrimLeft(start, " \t\r\n")
	if len(text) == 0 {
		return nil
	}
	switch isJSON := text[0] == '{' || text[0] == '['; {
	case text[0] == '<':
		return errXML
	case kind != "json" && isJSON:
		return errJSON
	case kind != "json" && endsWithCR(text):
		return errCR
	case kind == "csv":
		if quoted := quotedName.FindSubmatch(text); quoted != nil {
			return fmt.Errorf("the file has columns that are separated by %s, want commas", separator(quoted[1][0]))
		}
	case !isJSON && isHeader(text):
		return errCSV
	}
	return nil
}

// foreign recognizes files that are neither CSV nor JSON, nor a list.
func foreign(start []byte) error {
	starts := func(text string) bool { return bytes.HasPrefix(start, []byte(text)) }
	switch {
	case starts("PK\x03\x04"):
		return errors.New("the file is a spreadsheet (.xlsx, .ods) or a ZIP archive; export it as CSV in UTF-8")
	case starts("\xd0\xcf\x11\xe0"):
		return errors.New("the file is a spreadsheet (.xls); export it as CSV in UTF-8")
	case starts("\x1f\x8b"):
		return errors.New("the file is compressed with gzip; decompress it")
	case starts("bplist"):
		return errors.New("the file is a property list; want CSV or JSON")
	case starts("\x00\x00\x00\x00"):
		return errors.New("the file begins with NUL bytes: it is damaged, write it again")
	case starts("\xff\xfe"), starts("\xfe\xff"),
		// Without a BOM: every other byte of Latin text is zero.
		len(start) >= 4 && (start[0] == 0 && start[2] == 0 || start[1] == 0 && start[3] == 0):
		return errUTF16
	}
	return nil
}

// quotedName matches a quoted name before another separator than a comma: CSV cannot parse such a row.
var quotedName = regexp.MustCompile(`^"[^"\r\n]*"([;\t|])`)

// separator names a separator of columns other than the comma.
func separator(c byte) string {
	switch c {
	case ';':
		return "semicolons"
	case '\t':
		return "tabs"
	default:
		return "vertical bars"
	}
}

// endsWithCR reports whether the first line of a text ends with a carriage return and no line feed.
func endsWithCR(text []byte) bool {
	end := bytes.IndexByte(text, '\r')
	return end >= 0 && end+1 < len(text) && bytes.IndexByte(text, '\n') < 0
}

// isHeader reports whether the first line of a text looks like the header of a CSV file.
func isHeader(text []byte) bool {
	line, _, _ := strings.Cut(string(text), "\n")
	name, _, _ := strings.Cut(line, ",")
	name, _, _ = strings.Cut(name, ";")
	name, _, _ = strings.Cut(name, "\t")
	return isIdentifierColumn(strings.Trim(name, "\" \r"))
}

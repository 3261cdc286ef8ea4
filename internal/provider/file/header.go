package file

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
)

// identifierColumn is the name of the first column; case is ignored.
const identifierColumn = "Identifier"

// shortSerial is the length of the shortest serial number, in bytes.
const shortSerial = 8

func isIdentifierColumn(name string) bool { return strings.EqualFold(trim(name), identifierColumn) }

// readHeader reads the first row and returns the names of the columns after the identifier. It removes spaces around
// a name, with a warning: they are never meant, and a template without them looks right.
func readHeader(rows *rows, in *inventory) ([]string, error) {
	read, line, err := rows.next()
	for err == nil && read.isWhitespace() {
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
	if !isIdentifierColumn(header[0]) {
		return nil, fmt.Errorf("line %d: %s", line, wrongHeader(header))
	}
	names := make([]string, 0, len(header)-1)
	seen := map[string]bool{}
	var trimmed []string
	for i, name := range header[1:] {
		switch shown := trim(name); {
		case shown == "":
			return nil, fmt.Errorf("line %d: column %d has no name; name it, or delete the column", line, i+2)
		case strings.ContainsAny(shown, "\r\n\x00"):
			return nil, fmt.Errorf("line %d: the name of column %d has a line break or a NUL byte in it; lines end with LF or CRLF", line, i+2)
		case seen[shown], isIdentifierColumn(shown):
			return nil, fmt.Errorf("line %d: column %d repeats the name %.40q", line, i+2, shown)
		default:
			if shown != name {
				trimmed = append(trimmed, fmt.Sprintf("%.40q", shown))
			}
			seen[shown] = true
			names = append(names, shown)
		}
	}
	if err := in.checkColumns(line, names); err != nil {
		return nil, err
	}
	if len(trimmed) > 0 {
		in.remarks = append(in.remarks, fmt.Sprintf("line %d: spaces around column names are removed: %s", line, listed(trimmed)))
	}
	return names, nil
}

// checkColumns checks the names that are facts, or should be. Where no policy reads the inventory, they are data.
func (in *inventory) checkColumns(line int, names []string) error {
	facts := in.devices.vocabulary
	if facts == nil {
		if text := unread(line, names); text != "" {
			in.remarks = append(in.remarks, text)
		}
		return nil
	}
	var faults refusals
	for i, name := range names {
		if _, err := facts.column(name); err != nil {
			faults = append(faults, fmt.Errorf("line %d: column %d: %w", line, i+2, err))
		}
	}
	return faults.orNil()
}

// wrongHeader says what is wrong with a first line whose first column is not Identifier.
func wrongHeader(header []string) string {
	first := header[0]
	wrong := fmt.Sprintf("the first column is %.40q, want Identifier", trim(first))
	if strings.HasPrefix(strings.ToLower(trim(first)), "sep=") {
		return wrong + "; remove the line, which only Excel understands"
	}
	if strings.HasPrefix(trim(first), "#") {
		return wrong + "; if the line is a comment, remove it: CSV has no comments"
	}
	if at := strings.IndexAny(first, ";\t|"); at >= 0 && (len(header) == 1 || isIdentifierColumn(first[:at])) {
		return wrong + "; columns are separated by commas, and not by " + separator(first[at])
	}
	for i, name := range header[1:] {
		if isIdentifierColumn(name) {
			return fmt.Sprintf("%s; make column %d, %.40q, the first", wrong, i+2, trim(name))
		}
	}
	for i, name := range header {
		switch {
		case !serialColumn.MatchString(trim(name)):
		case i == 0:
			return wrong + "; rename it"
		default:
			return fmt.Sprintf("%s; rename column %d, %.40q, to Identifier and make it the first", wrong, i+1, trim(name))
		}
	}
	if len(first) >= shortSerial && serialNumber.MatchString(trim(first)) {
		missing := wrong + "; the header is missing: write a line with the names of the columns above, the first of them Identifier"
		if len(header) == 1 {
			missing += ", or set FILE_TYPE to lines"
		}
		return missing
	}
	return wrong + "; columns are separated by commas"
}

var (
	// serialColumn matches the names that exports give to the column of serial numbers.
	serialColumn = regexp.MustCompile(`(?i)^(.*\bserial([ _-]?(number|no|num|#)\.?)?\b.*|serialnumber|device_?serial_?number|sn|s/n|seriennummer|n[uú]mero de s[eé]rie)$`)
	// serialNumber matches serial numbers and UDIDs. Unlike column names, they have digits.
	serialNumber = regexp.MustCompile(`(?i)^[0-9a-z-]*[0-9][0-9a-z-]*$`)
)

// trim drops white space and invisible characters from both ends of a name.
func trim(name string) string {
	return strings.TrimFunc(name, func(r rune) bool { return unicode.IsSpace(r) || isInvisible(r) })
}

// isInvisible reports whether a character is one of the invisible ones that editors and web pages leave in a text.
func isInvisible(r rune) bool {
	return r == 0x00AD || // soft hyphen
		r >= 0x200B && r <= 0x200F || // zero-width characters, direction marks
		r >= 0x202A && r <= 0x202E || // embeddings
		r >= 0x2060 && r <= 0x2069 || // word joiner, isolates
		r == 0xFEFF // BOM
}

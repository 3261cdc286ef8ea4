package file

import (
	"bytes"
	"fmt"
	"strings"

	"step-posture-connector/internal/compact"
)

// notes are properties of an entry that are accepted, but probably not meant.
type notes uint16

const (
	altered      notes = 1 << iota // a spreadsheet has changed the identifier
	header                         // the identifier is Identifier
	leadingSpace                   // a value begins with a space
	stray                          // other members, but no data
	oddVersion                     // a fact's version that is none
	oddTime                        // a fact's time that cannot be true
	spacedGroup                    // a group with a space at an end
	factsUnread                    // the member facts, which is not read without a policy
	comment                        // a line of a list that begins with #

	noteKinds = iota
)

// text says what it means.
func (n notes) text() string {
	switch n {
	case altered:
		return "a spreadsheet has changed the identifier, and the device will be refused; format the column as text before filling it, and export the plain values"
	case header:
		return "a second header, read as a device; were files joined?"
	case leadingSpace:
		return "a value begins with a space, which is part of it; write commas without a space after them"
	case oddVersion:
		return "a version that cannot be read is unknown; accepted: " + acceptedVersion
	case oddTime:
		return "a time before 1990, or more than a day in the future, is unknown"
	case spacedGroup:
		return "a group begins or ends with a space, which is part of its name; write semicolons without a space after them"
	case factsUnread:
		return `the member "facts" is read only with POLICY_PATH, and ignored without it`
	case comment:
		return "a list has no comments: the line is read as an identifier, which no device has; remove it"
	default:
		return `no member "data", and the other members are ignored; put what step-ca should get into "data"`
	}
}

// noted counts the entries with one kind of note.
type noted struct {
	count  int
	places []string // of the first entries
}

// note counts an entry with notes.
func (in *inventory) note(e *entry, row []byte) {
	for kind := range in.noted {
		if e.notes&(1<<kind) == 0 {
			continue
		}
		n := &in.noted[kind]
		n.count++
		if len(n.places) == maxPlaces {
			continue
		}
		place := fmt.Sprintf(in.place, e.place)
		if 1<<kind == altered {
			identifier, _ := compact.CutField(row)
			place += fmt.Sprintf(" (%.40q)", identifier)
		}
		n.places = append(n.places, place)
	}
}

func (in *inventory) notes() (warnings []string) {
	for kind, n := range in.noted {
		if n.count == 0 {
			continue
		}
		places := strings.Join(n.places, ", ")
		if more := n.count - len(n.places); more > 0 {
			places += fmt.Sprintf(" and %d more", more)
		}
		warnings = append(warnings, places+": "+notes(1<<kind).text())
	}
	return warnings
}

// notesOf examines an identifier, which must not be empty. For a serial number it reads only the first byte.
func notesOf(identifier []byte) notes {
	switch first := identifier[0]; {
	case first == '=', first == '\'', // a formula that makes it a text, or the apostrophe that does
		first == '#' && isSheetError(identifier[1:]),
		first >= '0' && first <= '9' && isSheetNumber(identifier):
		return altered
	case len(identifier) == len(identifierColumn) && bytes.EqualFold(identifier, []byte(identifierColumn)):
		return header
	}
	return 0
}

// isOdd reports whether examine would find anything in rows of CSV. It searches for spaces first: they are rarer than
// separators. A row does not begin with a space.
func isOdd(rows []byte) bool {
	if bytes.IndexByte(rows, 0) >= 0 {
		return true
	}
	for at := 0; ; at++ {
		next := bytes.IndexByte(rows[at:], ' ')
		if next < 0 {
			return false
		}
		at += next
		if at > 0 && (rows[at-1] == ',' || rows[at-1] == fieldSeparator) {
			return true
		}
	}
}

// examine checks the values of a row of CSV for NUL bytes and leading spaces.
func (e *entry) examine(row []byte) {
	if bytes.IndexByte(row, 0) >= 0 {
		e.fault = errNUL
	}
	separator := byte(',')
	if row[0] == fieldSeparator {
		separator = fieldSeparator // commas are part of values
	}
	if bytes.Contains(row, []byte{separator, ' '}) {
		e.notes |= leadingSpace
	}
}

// isSheetError reports whether a text after # is that of #N/A, #NAME?, or of a column that is too narrow (####).
func isSheetError(text []byte) bool {
	return len(text) > 0 && (text[0] == '#' || bytes.HasSuffix(text, []byte("!")) || bytes.HasSuffix(text, []byte("?")) || bytes.Equal(text, []byte("N/A")))
}

// isSheetNumber reports whether a text is a number as a spreadsheet writes it: 1.23E+11, 1E+11, or 123456.0.
func isSheetNumber(text []byte) bool {
	whole, isFloat := bytes.CutSuffix(text, []byte(".0"))
	if isFloat {
		return isDigits(whole)
	}
	if len(text) < 5 || !bytes.ContainsRune([]byte(".,Ee"), rune(text[1])) {
		return false
	}
	mantissa, exponent, found := bytes.Cut(bytes.ToUpper(text), []byte("E+"))
	if !found || !isDigits(exponent) {
		return false
	}
	return len(mantissa) == 1 || isDigits(mantissa[2:])
}

func isDigits(text []byte) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(text) > 0
}

// listed joins names, at most maxListed.
func listed(names []string) string {
	if len(names) > maxListed {
		names = append(names[:maxListed:maxListed], fmt.Sprintf("and %d more", len(names)-maxListed))
	}
	return strings.Join(names, ", ")
}

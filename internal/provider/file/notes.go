package file

import (
	"bytes"
	"fmt"
	"strings"
)

// notes are what a device's entry is accepted with, but probably not meant to have.
type notes uint8

const (
	spoilt   notes = 1 << iota // the identifier is what a spreadsheet made of one
	header                     // the identifier is Identifier
	indented                   // a value begins with a blank
	stray                      // there are members, but none is data

	noteKinds = iota
)

// text says what it means.
func (n notes) text() string {
	switch n {
	case spoilt:
		return "a spreadsheet has changed the identifier, and the device will be refused; format the column as text before it is filled, and export the plain values"
	case header:
		return "the header a second time, taken for a device; were files joined?"
	case indented:
		return "a value begins with a blank, which is part of it; write commas without a blank behind them"
	default:
		return `no member "data", and the other members are ignored; what step-ca is to get belongs into "data"`
	}
}

// noted is where a note was made.
type noted struct {
	count  int
	places []string // of the first
}

// maxPlaces is how many places are named.
const maxPlaces = 3

// note remembers an entry with notes.
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
		if 1<<kind == spoilt {
			identifier, _ := cutField(row)
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

// notesOf looks at an identifier, which is not empty. For a serial number it reads the first byte.
func notesOf(identifier []byte) notes {
	switch first := identifier[0]; {
	case first == '=', first == '\'', // a formula that makes a text of it, or the mark of a text
		first == '#' && isSheetError(identifier[1:]),
		first >= '0' && first <= '9' && isSheetNumber(identifier):
		return spoilt
	case len(identifier) == len(identifierColumn) && bytes.EqualFold(identifier, []byte(identifierColumn)):
		return header
	}
	return 0
}

// isOdd reports whether there is anything for examine to find in rows of CSV. Blanks are looked for first: there are
// fewer of them than of separators. A row does not begin with one.
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
		if at > 0 && (rows[at-1] == ',' || rows[at-1] == fieldMark) {
			return true
		}
	}
}

// examine looks at the values of a row of CSV.
func (e *entry) examine(row []byte) {
	if bytes.IndexByte(row, 0) >= 0 {
		e.fault = errNUL
	}
	separator := byte(',')
	if row[0] == fieldMark {
		separator = fieldMark // commas are part of values
	}
	if bytes.Contains(row, []byte{separator, ' '}) {
		e.notes |= indented
	}
}

// isSheetError is about what follows the sign of a #N/A, #NAME?, or a column that is too narrow (####).
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

// maxListed is how many names are listed.
const maxListed = 10

// listed joins names, but not too many.
func listed(names []string) string {
	if len(names) > maxListed {
		names = append(names[:maxListed:maxListed], fmt.Sprintf("and %d more", len(names)-maxListed))
	}
	return strings.Join(names, ", ")
}

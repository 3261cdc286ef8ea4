package snapshot

import (
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"step-posture-connector/internal/compact"
	"step-posture-connector/internal/posture"
)

// A row is a device of a copy, in a compact.Table:
//
//	␟identifier␟ known(4) flags(1) [identifier] [type] [times] [version] [texts] [groups] [attributes] [data]
//
// known is the set of facts that have a value; only those follow. flags has the values of booleans, and the marks below.
// Times are seconds, as varints. Groups and attributes begin with their number, and data is the rest. A text begins with a
// varint, whose two lowest bits say where it is:
//
//	length<<2 | inlineText    in the row, after the varint
//	number<<2 | numberedText  among the texts of the copy
//	form<<2   | formedText    16 bytes of a UUID, or the identifier of the row
const (
	inlineText = iota
	numberedText
	formedText

	placeMask = 3
	placeBits = 2
)

// The forms of a formedText.
const (
	lowerUUID = iota
	upperUUID
	sameAsIdentifier
)

// Marks among the flags; the values of booleans are below them.
const (
	// duplicate: the list has several records with the identifier. Which of them a lookup finds is not known.
	duplicate = 1 << 4
	// damaged: a lookup of the device fails.
	damaged = 1 << 5
	// spaced: the record's identifier has spaces at its ends, and is in the row once more.
	spaced = 1 << 6

	knownBytes = 4
	flagsAt    = knownBytes
	headBytes  = knownBytes + 1
)

// timeBase makes times of our age short; it is 2020-01-01.
const timeBase = 1577836800

// rowWriter makes rows.
type rowWriter struct {
	*fields
	*interner

	row, rest  []byte
	identifier string
	names      []string // of attributes
}

// write returns the row of a device: those facts of it that are in facts. It is valid until the next call.
func (w *rowWriter) write(d *posture.Device, facts posture.FactSet) []byte {
	w.identifier = strings.Trim(d.Identifier, " ")
	w.begin()
	known, flags := posture.FactSet(0), byte(0)
	if w.identifier != d.Identifier {
		flags |= spaced
		w.text(d.Identifier)
	}
	if d.Type != "" && facts.Has(w.kind) {
		known |= w.kind
		w.text(string(d.Type))
	}
	for i, f := range w.fields.flags {
		if value, ok := f.of(d).Get(); ok && facts.Has(f.set) {
			known |= f.set
			if value {
				flags |= 1 << i
			}
		}
	}
	for _, f := range w.fields.times {
		if value, ok := f.of(d).Get(); ok && facts.Has(f.set) {
			known |= f.set
			w.rest = binary.AppendVarint(w.rest, value.Unix()-timeBase)
		}
	}
	if version, ok := d.Facts.OSVersion.Get(); ok && facts.Has(w.version) {
		known |= w.version
		w.text(version.String())
	}
	for _, f := range w.texts() {
		if text, ok := f.of(d).Get(); ok && facts.Has(f.set) {
			known |= f.set
			w.text(text)
		}
	}
	known |= w.lists(d, facts)
	if len(d.Data) > 0 && facts.Has(posture.Document) {
		known |= posture.Document
		w.rest = append(w.rest, d.Data...)
	}
	return w.end(known, flags)
}

// texts are the fields; the interner has texts too.
func (w *rowWriter) texts() []field[string] { return w.fields.texts }

// mark returns a row that has an identifier and nothing else.
func (w *rowWriter) mark(identifier string, flags byte) []byte {
	w.identifier = strings.Trim(identifier, " ")
	w.begin()
	return w.end(0, flags)
}

func (w *rowWriter) begin() {
	w.row = append(compact.AppendField(w.row[:0], []byte(w.identifier)), compact.Separator)
	w.rest = w.rest[:0]
}

func (w *rowWriter) end(known posture.FactSet, flags byte) []byte {
	w.row = append(binary.LittleEndian.AppendUint32(w.row, uint32(known)), flags)
	w.row = append(w.row, w.rest...)
	return w.row
}

// lists appends groups and attributes.
func (w *rowWriter) lists(d *posture.Device, facts posture.FactSet) (known posture.FactSet) {
	if groups, ok := d.Facts.Groups.Get(); ok && facts.Has(w.groups) {
		known |= w.groups
		w.rest = binary.AppendUvarint(w.rest, uint64(len(groups)))
		for _, group := range groups {
			w.text(group)
		}
	}
	if attributes, ok := d.Facts.Attributes.Get(); ok && facts.Has(w.attributes) {
		known |= w.attributes
		w.rest = binary.AppendUvarint(w.rest, uint64(len(attributes)))
		w.names = slices.AppendSeq(w.names[:0], maps.Keys(attributes))
		slices.Sort(w.names)
		for _, name := range w.names {
			w.text(name)
			w.text(attributes[name])
		}
	}
	return known
}

func (w *rowWriter) text(text string) {
	if len(text) > 0 && text == w.identifier {
		w.rest = binary.AppendUvarint(w.rest, sameAsIdentifier<<placeBits|formedText)
		return
	}
	if uuid, form, ok := parseUUID(text); ok {
		w.rest = append(binary.AppendUvarint(w.rest, form<<placeBits|formedText), uuid[:]...)
		return
	}
	if len(text) >= leastNumbered {
		if number, ok := w.number(text); ok {
			w.rest = binary.AppendUvarint(w.rest, number<<placeBits|numberedText)
			return
		}
	}
	w.rest = append(binary.AppendUvarint(w.rest, uint64(len(text))<<placeBits|inlineText), text...) //nolint:staticcheck // SA4016: inlineText is 0, and the line has the form of the others
}

const (
	uuidBytes = 16
	uuidText  = 36
)

// parseUUID reads a UUID whose letters are all of one case, so that it can be written back to the byte.
func parseUUID(text string) (uuid [uuidBytes]byte, form uint64, ok bool) {
	if len(text) != uuidText {
		return uuid, 0, false
	}
	var digits [2 * uuidBytes]byte
	n, lower, upper := 0, false, false
	for i := range uuidText {
		c := text[i]
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23: // RFC 9562
			if c != '-' {
				return uuid, 0, false
			}
			continue
		case 'a' <= c && c <= 'f':
			lower = true
		case 'A' <= c && c <= 'F':
			upper = true
		case c < '0' || c > '9':
			return uuid, 0, false
		}
		digits[n] = c
		n++
	}
	if lower && upper {
		return uuid, 0, false
	}
	_, _ = hex.Decode(uuid[:], digits[:]) // all are digits
	if upper {
		return uuid, upperUUID, true
	}
	return uuid, lowerUUID, true
}

// formatUUID is the reverse of parseUUID.
func formatUUID(uuid string, form uint64) string {
	digits := "0123456789abcdef"
	if form == upperUUID {
		digits = "0123456789ABCDEF"
	}
	text := make([]byte, 0, uuidText)
	for i := range len(uuid) {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			text = append(text, '-')
		}
		text = append(text, digits[uuid[i]>>4], digits[uuid[i]&15])
	}
	return string(text)
}

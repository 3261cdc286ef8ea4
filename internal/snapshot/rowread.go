package snapshot

import (
	"encoding/binary"
	"time"

	"step-posture-connector/internal/compact"
	"step-posture-connector/internal/posture"
)

// marksOf returns the marks of a row.
func marksOf(row []byte) byte {
	_, rest := compact.CutField(row)
	if len(rest) < headBytes {
		return damaged // never written so: asked live
	}
	return rest[flagsAt] & (duplicate | damaged)
}

// markDuplicate marks a row that the list has given once more.
func markDuplicate(row []byte) {
	_, rest := compact.CutField(row)
	rest[flagsAt] |= duplicate
}

// readRow reads those facts of a row that are in facts. It returns false for a row that cannot be read: then the copy does
// not answer. Texts are parts of one copy of the row.
func (f *fields) readRow(row []byte, texts []string, facts posture.FactSet, d *posture.Device) bool {
	text := string(row)
	identifier, rest := compact.CutField(row)
	if len(rest) < headBytes {
		return false
	}
	begin := len(row) - len(rest)
	known, flags := posture.FactSet(binary.LittleEndian.Uint32(rest)), rest[flagsAt]
	r := rowReader{rest: text[begin+headBytes:], identifier: text[1 : 1+len(identifier)], texts: texts}
	d.Identifier = r.identifier
	if flags&spaced != 0 {
		d.Identifier = r.text(true)
	}
	if known.Has(f.kind) {
		wanted := facts.Has(f.kind)
		if kind := r.text(wanted); wanted {
			d.Type = posture.DeviceType(kind)
		}
	}
	for i, flag := range f.flags {
		if (known & facts).Has(flag.set) {
			*flag.of(d) = posture.Known(flags&(1<<i) != 0)
		}
	}
	for _, moment := range f.times {
		if known.Has(moment.set) {
			seconds := r.varint()
			if facts.Has(moment.set) {
				*moment.of(d) = posture.Known(time.Unix(seconds+timeBase, 0).UTC())
			}
		}
	}
	if known.Has(f.version) {
		r.version(d, facts.Has(f.version))
	}
	for _, field := range f.texts {
		if known.Has(field.set) {
			wanted := facts.Has(field.set)
			if value := r.text(wanted); wanted {
				*field.of(d) = posture.Known(value)
			}
		}
	}
	f.readLists(&r, known, facts, d)
	if known.Has(posture.Document) && facts.Has(posture.Document) {
		d.Data = []byte(r.rest)
	}
	return !r.bad
}

func (f *fields) readLists(r *rowReader, known, facts posture.FactSet, d *posture.Device) {
	if facts&(f.groups|f.attributes|posture.Document) == 0 {
		return
	}
	if known.Has(f.groups) {
		count, wanted := r.count(), facts.Has(f.groups)
		var groups []string
		if wanted {
			groups = make([]string, 0, count)
		}
		for range count {
			if group := r.text(wanted); wanted {
				groups = append(groups, group)
			}
		}
		if wanted {
			d.Facts.Groups = posture.Known(groups)
		}
	}
	if known.Has(f.attributes) {
		count, wanted := r.count(), facts.Has(f.attributes)
		var attributes map[string]string
		if wanted {
			attributes = make(map[string]string, count)
		}
		for range count {
			name, value := r.text(wanted), r.text(wanted)
			if wanted {
				attributes[name] = value
			}
		}
		if wanted {
			d.Facts.Attributes = posture.Known(attributes)
		}
	}
}

// rowReader reads the values of a row, one after another. One that is cut off makes it bad.
type rowReader struct {
	rest, identifier string
	texts            []string
	bad              bool
}

func (r *rowReader) uvarint() (value uint64) {
	const more, bits = 0x80, 7
	for i := range min(len(r.rest), binary.MaxVarintLen64) {
		b := r.rest[i]
		value |= uint64(b&^more) << (bits * i)
		if b < more {
			r.rest = r.rest[i+1:]
			return value
		}
	}
	r.bad, r.rest = true, ""
	return 0
}

// varint reads what binary.AppendVarint has written.
func (r *rowReader) varint() int64 {
	u := r.uvarint()
	value := int64(u >> 1)
	if u&1 != 0 {
		value = ^value
	}
	return value
}

// count reads the number of values, which take a byte each at least.
func (r *rowReader) count() uint64 {
	count := r.uvarint()
	if count > uint64(len(r.rest)) {
		r.bad, r.rest = true, ""
		return 0
	}
	return count
}

func (r *rowReader) take(length uint64) string {
	if length > uint64(len(r.rest)) {
		r.bad, r.rest = true, ""
		return ""
	}
	taken := r.rest[:length]
	r.rest = r.rest[length:]
	return taken
}

// text reads a text; one that is not wanted is not made.
func (r *rowReader) text(wanted bool) string {
	head := r.uvarint()
	value := head >> placeBits
	switch head & placeMask {
	case inlineText:
		return r.take(value)
	case numberedText:
		if value < uint64(len(r.texts)) {
			return r.texts[value]
		}
	case formedText:
		if value == sameAsIdentifier {
			return r.identifier
		}
		if uuid := r.take(uuidBytes); value <= upperUUID && !r.bad {
			if wanted {
				return formatUUID(uuid, value)
			}
			return ""
		}
	}
	r.bad, r.rest = true, ""
	return ""
}

func (r *rowReader) version(d *posture.Device, wanted bool) {
	text := r.text(wanted)
	if !wanted {
		return
	}
	version, err := posture.ParseVersion(text)
	if err != nil && text != "" {
		r.bad = true
		return
	}
	d.Facts.OSVersion = posture.Known(version)
}

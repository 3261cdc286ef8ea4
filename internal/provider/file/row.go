package file

import "bytes"

// A row is a device in memory: the identifier, then the data. The fields are separated by commas, as in
// most lines of a CSV file, which are rows without any further work. A row with fields that may have a
// comma themselves begins with fieldMark and is separated by it; it is no part of any UTF-8.
const fieldMark = 0xff

// appendField appends a field to a row of the second kind.
func appendField(row, field []byte) []byte {
	return append(append(row, fieldMark), field...)
}

// cutField returns the identifier of a row, and what follows it.
func cutField(row []byte) (identifier, rest []byte) {
	if len(row) > 0 && row[0] == fieldMark {
		return cutNext(row, row[1:])
	}
	return cutNext(row, row)
}

// cutNext returns the field that the rest of a row begins with, and what follows it.
func cutNext(row, rest []byte) (field, after []byte) {
	separator := byte(',')
	if len(row) > 0 && row[0] == fieldMark {
		separator = fieldMark
	}
	if end := bytes.IndexByte(rest, separator); end >= 0 {
		return rest[:end], rest[end+1:]
	}
	return rest, nil
}

package file

import "bytes"

// A row is a device in memory: the identifier, then the data.
//
//	C02XK1JKLVCG,Engineering,ana@example.com     of CSV without quotation marks: the line as it is, no work at all
//	␟C02XK1JKLVCG␟Lovelace, Ada␟ana@example.com  of CSV with quotation marks: values may have commas
//	␟C02XK1JKLVCG␟{"department":"Engineering"}   of JSON: the data as it is; behind it, with another ␟, the facts
//
// ␟ is fieldSeparator, a byte that UTF-8 never has.
const fieldSeparator = 0xff

// appendField appends a field to a row with fieldSeparator.
func appendField(row, field []byte) []byte {
	return append(append(row, fieldSeparator), field...)
}

// cutField returns the identifier of a row, and the rest.
func cutField(row []byte) (identifier, rest []byte) {
	if len(row) > 0 && row[0] == fieldSeparator {
		return cutNext(row, row[1:])
	}
	return cutNext(row, row)
}

// cutNext returns the next field of a row, and the rest after it.
func cutNext(row, rest []byte) (field, after []byte) {
	separator := byte(',')
	if len(row) > 0 && row[0] == fieldSeparator {
		separator = fieldSeparator
	}
	if end := bytes.IndexByte(rest, separator); end >= 0 {
		return rest[:end], rest[end+1:]
	}
	return rest, nil
}

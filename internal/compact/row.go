package compact

import "bytes"

// Separator is a byte that UTF-8 never has. A row that begins with it has it between its fields; any other row has commas.
// The first field is the identifier:
//
//	C02XK1JKLVCG,Engineering,ana@example.com
//	␟C02XK1JKLVCG␟Lovelace, Ada␟ana@example.com
const Separator = 0xff

// AppendField appends a field to a row with Separator.
func AppendField(row, field []byte) []byte {
	return append(append(row, Separator), field...)
}

// CutField returns the identifier of a row, and the rest.
func CutField(row []byte) (identifier, rest []byte) {
	if len(row) > 0 && row[0] == Separator {
		return CutNext(row, row[1:])
	}
	return CutNext(row, row)
}

// CutNext returns the next field of a row, and the rest after it.
func CutNext(row, rest []byte) (field, after []byte) {
	separator := byte(',')
	if len(row) > 0 && row[0] == Separator {
		separator = Separator
	}
	if end := bytes.IndexByte(rest, separator); end >= 0 {
		return rest[:end], rest[end+1:]
	}
	return rest, nil
}

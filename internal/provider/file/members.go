package file

import "bytes"

// What follows reads JSON that is known to be valid, and has blanks before it at most. What is not
// valid makes no sense to it, but ends.

const blanks = " \t\r\n"

// cutValue returns the value that text begins with, and what follows it.
func cutValue(text []byte) (value, rest []byte) {
	text = bytes.TrimLeft(text, blanks)
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i += stringEnd(text[i:]) - 1
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		default:
			if depth == 0 { // a number or a literal
				return cutScalar(text)
			}
			continue
		}
		if depth <= 0 {
			return text[:i+1], text[i+1:]
		}
	}
	return text, nil
}

func cutScalar(text []byte) (value, rest []byte) {
	if end := bytes.IndexAny(text, ",:]}"+blanks); end > 0 {
		return text[:end], text[end:]
	}
	return text, nil
}

// cutMember returns the first member of an object, of which text is what follows "{" or a member.
func cutMember(text []byte) (name, value, rest []byte, found bool) {
	text = bytes.TrimLeft(text, ","+blanks)
	if len(text) == 0 || text[0] != '"' {
		return nil, nil, nil, false
	}
	name, rest = cutValue(text)
	rest = bytes.TrimLeft(rest, ":"+blanks)
	value, rest = cutValue(rest)
	return name, value, rest, true
}

// appendCompact appends a value without blanks.
func appendCompact(to, value []byte) []byte {
	for begin := 0; begin < len(value); {
		end := begin + 1
		switch value[begin] {
		case ' ', '\t', '\r', '\n':
			begin++
			continue
		case '"':
			end = begin + stringEnd(value[begin:])
		}
		to = append(to, value[begin:end]...)
		begin = end
	}
	return to
}

// stringEnd returns the length of the string that text begins with.
func stringEnd(text []byte) int {
	for i := 1; i < len(text); i++ {
		next := bytes.IndexByte(text[i:], '"')
		if next < 0 {
			break
		}
		i += next
		escapes := 0
		for text[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i + 1
		}
	}
	return len(text)
}

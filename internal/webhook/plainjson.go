package webhook

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
)

const (
	plainDepth   = 8  // objects and arrays within each other
	plainMembers = 48 // names of the objects that are open; those of step-ca have some thirty
)

// isPlainText reports whether all bytes are ASCII, without control characters: in such text without
// backslashes a JSON string is what stands between two quotation marks.
func isPlainText(text []byte) bool {
	const (
		every = 0x0101010101010101
		high  = every * 0x80
		size  = 8
	)
	for ; len(text) >= size; text = text[size:] {
		eight := binary.LittleEndian.Uint64(text)
		// The first term has the high bit of each byte below a space, and maybe of the one after it.
		if ((eight-every*' ')|eight)&high != 0 {
			return false
		}
	}
	for _, c := range text {
		if c < ' ' || c >= 0x80 {
			return false
		}
	}
	return true
}

// plainReader reads JSON from its beginning to its end. Once something was not as expected it has failed, and
// what it returns means nothing.
type plainReader struct {
	text   []byte
	at     int
	failed bool
	count  int // of names
	names  [plainMembers]struct{ from, to uint16 }
}

func (r *plainReader) fail() {
	r.failed = true
	r.at = len(r.text)
}

// next is the next byte; zero at the end.
func (r *plainReader) next() byte {
	if r.at >= len(r.text) {
		return 0
	}
	return r.text[r.at]
}

// take reads a token.
func (r *plainReader) take(token string) {
	if end := r.at + len(token); end <= len(r.text) && string(r.text[r.at:end]) == token {
		r.at = end
		return
	}
	r.fail()
}

// null reads null where that is next.
func (r *plainReader) null() bool {
	if r.next() != 'n' {
		return false
	}
	r.take("null")
	return true
}

// plainObject is an object whose members are being read.
type plainObject struct {
	names int    // where its names begin
	seen  uint64 // a bit for each of them; several may share one
}

// open reads the beginning of an object.
func (r *plainReader) open() plainObject {
	r.take("{")
	return plainObject{names: r.count}
}

// member reads the name of the next member, or the end of the object, and looks whether the object has two
// of that name.
func (r *plainReader) member(of *plainObject) (name []byte, more bool) {
	if r.next() == '}' {
		r.at++
		r.count = of.names
		return nil, false
	}
	if r.count > of.names {
		r.take(",")
	}
	from := r.at + 1
	name = r.quoted()
	r.take(":")
	if r.failed || r.count == len(r.names) {
		r.fail()
		return nil, false
	}
	bit := bitOf(name)
	if of.seen&bit != 0 && r.isIn(name, of) {
		r.fail()
		return nil, false
	}
	of.seen |= bit
	r.names[r.count].from, r.names[r.count].to = uint16(from), uint16(from+len(name)) //nolint:gosec // G115: the text is shorter
	r.count++
	return name, true
}

// isIn reports whether an object has a member of the name already.
func (r *plainReader) isIn(name []byte, of *plainObject) bool {
	for _, other := range r.names[of.names:r.count] {
		if string(r.text[other.from:other.to]) == string(name) {
			return true
		}
	}
	return false
}

// bitOf is one bit of 64, the same for the same name.
func bitOf(name []byte) uint64 {
	if len(name) == 0 {
		return 1
	}
	const factor, bits = 7, 64
	return 1 << ((len(name) + factor*int(name[0]) + int(name[len(name)-1]) + int(name[len(name)/2])) % bits)
}

// quoted reads a string.
func (r *plainReader) quoted() []byte {
	r.take(`"`)
	begin := r.at
	length := bytes.IndexByte(r.text[begin:], '"')
	if length < 0 {
		r.fail()
		return nil
	}
	r.at = begin + length + 1
	return r.text[begin : begin+length]
}

// base64 reads a string of bytes.
func (r *plainReader) base64() []byte {
	text := r.quoted()
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(decoded, text)
	if err != nil {
		r.fail()
	}
	return decoded[:n]
}

// skip reads a value that is ignored, of so many objects and arrays within each other.
func (r *plainReader) skip(depth int) {
	switch c := r.next(); {
	case c == '"':
		r.quoted()
	case c == 'n':
		r.take("null")
	case c == 't':
		r.take("true")
	case c == 'f':
		r.take("false")
	case depth == 0:
		r.fail()
	case c == '{':
		own := r.open()
		for _, more := r.member(&own); more; _, more = r.member(&own) {
			r.skip(depth - 1)
		}
	case c == '[':
		r.skipArray(depth)
	default:
		r.skipNumber()
	}
}

func (r *plainReader) skipArray(depth int) {
	r.take("[")
	if r.next() == ']' {
		r.at++
		return
	}
	for {
		r.skip(depth - 1)
		if r.next() != ',' {
			break
		}
		r.at++
	}
	r.take("]")
}

// skipNumber reads a whole number; one with a fraction or an exponent is not plain.
func (r *plainReader) skipNumber() {
	if r.next() == '-' {
		r.at++
	}
	begin := r.at
	for c := r.next(); '0' <= c && c <= '9'; c = r.next() {
		r.at++
	}
	if digits := r.at - begin; digits == 0 || digits > 1 && r.text[begin] == '0' {
		r.fail()
	}
}

package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"strconv"
	"strings"
)

// The keys that a line of a chain ends in, in this order. docs/logging.md describes them; a test compares.
const (
	chainKeyID       = "chain"
	chainKeyNumber   = "chain_number"
	chainKeyPrevious = "chain_previous"
	chainKeyMAC      = "chain_mac"
)

// What stands around the values at the end of a line. The form is fixed, so that a line is verified by its bytes: what reads
// JSON may accept several forms of one value, and of two members with one name either.
const (
	beforeID       = `,"` + chainKeyID + `":"`
	beforeNumber   = `","` + chainKeyNumber + `":`
	beforePrevious = `,"` + chainKeyPrevious + `":"`
	beforeMAC      = `","` + chainKeyMAC + `":"`
	afterMAC       = `"}`

	hexMAC     = 2 * sha256.Size
	lengthOfID = 16 // characters, in hex
)

// MAC is the HMAC-SHA256 of a line, over its bytes up to the quotation mark before the member that has the MAC itself.
type MAC [sha256.Size]byte

// String is the MAC in lower-case hex, as lines have it.
func (m MAC) String() string { return hex.EncodeToString(m[:]) }

// Link is what a line of a chain ends in.
type Link struct {
	Chain    string // names the chain; every chain_start makes a new one
	Number   uint64 // of the line in its chain, from 1
	Previous MAC    // of the line before; zero in the first one
	MAC      MAC
}

// Head is the link as the log shows it.
func (l Link) Head() Head { return Head{l.Number, l.MAC} }

// Head names a line that a chain had at some time: a chain that ends before it was cut.
type Head struct {
	Number uint64
	MAC    MAC
}

// String is the form that ParseHead reads.
func (h Head) String() string { return strconv.FormatUint(h.Number, 10) + ":" + h.MAC.String() }

// ParseHead reads NUMBER:MAC.
func ParseHead(text string) (Head, error) {
	number, mac, found := strings.Cut(text, ":")
	h := Head{}
	var ok bool
	if h.Number, ok = parseNumber([]byte(number)); !found || !ok {
		return Head{}, errors.New("it is not NUMBER:MAC, as the log has it")
	}
	if !parseMAC([]byte(mac), &h.MAC) {
		return Head{}, errors.New("the MAC has not 64 lower-case hexadecimal digits")
	}
	return h, nil
}

// Sealer makes and verifies the MACs of lines. It is not safe for concurrent use.
type Sealer struct {
	mac hash.Hash
	sum []byte
}

// NewSealer makes a Sealer with a key.
func NewSealer(key []byte) *Sealer { return &Sealer{mac: hmac.New(sha256.New, key)} }

func (s *Sealer) of(body []byte) (m MAC) {
	s.mac.Reset()
	_, _ = s.mac.Write(body) // never fails
	s.sum = s.mac.Sum(s.sum[:0])
	copy(m[:], s.sum)
	return m
}

// seal ends a JSON object, whose closing brace is missing, as the line l of a chain, and sets the MAC of l. The body begins at
// an offset of the buffer.
func (s *Sealer) seal(to *bytes.Buffer, begin int, l *Link) {
	to.WriteString(beforeID + l.Chain + beforeNumber)
	to.Write(strconv.AppendUint(to.AvailableBuffer(), l.Number, 10))
	to.WriteString(beforePrevious)
	to.Write(hex.AppendEncode(to.AvailableBuffer(), l.Previous[:]))
	l.MAC = s.of(to.Bytes()[begin:])
	to.WriteString(beforeMAC)
	to.Write(hex.AppendEncode(to.AvailableBuffer(), l.MAC[:]))
	to.WriteString(afterMAC + "\n")
}

// Verify reads the end of a line, without its line end. A line without the members of a chain is not chained. One whose MAC is
// not that of its bytes is not intact, and its link is only a claim.
func (s *Sealer) Verify(line []byte) (l Link, isChained, isIntact bool) {
	body, l, ok := split(line)
	if !ok {
		return Link{}, false, false
	}
	mac := s.of(body)
	return l, true, hmac.Equal(mac[:], l.MAC[:])
}

// split takes the line apart, from its end. Only the one form that seal writes is accepted.
func split(line []byte) (body []byte, l Link, ok bool) {
	rest, ok := bytes.CutSuffix(line, []byte(afterMAC))
	if !ok {
		return nil, l, false
	}
	if body, ok = cutMAC(rest, beforeMAC, &l.MAC); !ok {
		return nil, l, false
	}
	if rest, ok = cutMAC(body, beforePrevious, &l.Previous); !ok {
		return nil, l, false
	}
	digits := len(rest)
	for digits > 0 && '0' <= rest[digits-1] && rest[digits-1] <= '9' {
		digits--
	}
	if l.Number, ok = parseNumber(rest[digits:]); !ok {
		return nil, l, false
	}
	if rest, ok = bytes.CutSuffix(rest[:digits], []byte(beforeNumber)); !ok || len(rest) < lengthOfID {
		return nil, l, false
	}
	id := rest[len(rest)-lengthOfID:]
	if !isLowerHex(id) || !bytes.HasSuffix(rest[:len(rest)-lengthOfID], []byte(beforeID)) {
		return nil, l, false
	}
	l.Chain = string(id)
	return body, l, true
}

func cutMAC(text []byte, before string, to *MAC) (rest []byte, ok bool) {
	end := len(text) - hexMAC
	if end < 0 || !parseMAC(text[end:], to) {
		return nil, false
	}
	return bytes.CutSuffix(text[:end], []byte(before))
}

func parseMAC(text []byte, to *MAC) bool {
	if len(text) != hexMAC || !isLowerHex(text) {
		return false
	}
	_, err := hex.Decode(to[:], text)
	return err == nil
}

// parseNumber reads a number from 1 in the one form that is written.
func parseNumber(text []byte) (uint64, bool) {
	if len(text) == 0 || text[0] == '0' || text[0] == '+' {
		return 0, false
	}
	number, err := strconv.ParseUint(string(text), 10, 63)
	return number, err == nil
}

func isLowerHex(text []byte) bool {
	for _, c := range text {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

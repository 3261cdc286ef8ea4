package file

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"math/bits"
	"regexp"

	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
)

const (
	// chunkSize is how much of the devices stands in one piece. A single slice would have to be copied
	// whenever it is full, and two of them would stand in memory meanwhile.
	chunkSize = 1 << chunkBits
	chunkBits = 20
	// maxKey is room for any key without garbage.
	maxKey = 256

	firstSlots = 8
	firstChunk = 4 << 10 // a small inventory takes no large one
	// largeRow gets a chunk of its own, so that little of the last one is wasted.
	largeRow = chunkSize / 4

	// A slot of the index is the upper bits of a key's hash, and below them the place of the row plus
	// one; 0 is a free slot. The place is the chunk's number and the offset in it: they are enough for
	// 2^18 chunks, at least 64 GiB of devices. Devices beyond would not be found: refused, not confused.
	placeBits = 38
	placeMask = 1<<placeBits - 1
)

// device is one entry of the inventory, as the file has it.
type device struct {
	identifier string
	data       json.RawMessage // an object
}

// store holds devices by Identifier.Key. It has no pointers into the devices: the garbage collector
// would follow each of a million of them, again and again, and requests would pay for it.
type store struct {
	// columns are the beginnings of the members that the columns of a CSV file become, nil for JSON.
	columns [][]byte
	names   []string // of the columns, as an operator is shown them

	chunks [][]byte // the rows, each with its length before it
	last   int      // the chunk that is being filled
	size   int      // of all chunks

	// Rows by key: a power of two of slots, of which a quarter at least are free. A row stands in the
	// first that was free from that on which its hash points to.
	seed  maphash.Seed
	slots []uint64
	count int

	fetched uint64 // of no use, but that the compiler does not leave fetch out
}

func newStore() *store {
	return &store{seed: maphash.MakeSeed(), slots: make([]uint64, firstSlots)}
}

// field matches the names that templates reach with a dot. Others are quoted, as index wants them.
var field = regexp.MustCompile(`^[\pL_][\pL_\p{Nd}]{0,63}$`)

// setColumns makes it a store of rows of CSV: after the identifier they have a value for each name.
func (s *store) setColumns(names []string) error {
	s.columns = make([][]byte, len(names))
	sign := byte('{')
	for i, name := range names {
		member, err := jsontext.AppendQuote([]byte{sign}, name)
		if err != nil {
			return fmt.Errorf("encode column name: %w", err)
		}
		s.columns[i] = append(member, ':')
		sign = ','
		if !field.MatchString(name) {
			name = fmt.Sprintf("%.40q", name)
		}
		s.names = append(s.names, name)
	}
	return nil
}

// find returns the row of the device that has a key.
func (s *store) find(key string) (row []byte, found bool) {
	slot := s.search(maphash.String(s.seed, key), []byte(key))
	if s.slots[slot] == 0 {
		return nil, false
	}
	return s.at(s.slots[slot]), true
}

// hash returns that of an identifier's key, or why it is no identifier. It may be called at any time.
func (s *store) hash(identifier []byte) (uint64, error) {
	var room [maxKey]byte
	key, err := posture.AppendKey(room[:0], identifier)
	return maphash.Bytes(s.seed, key), err
}

// search returns the slot of an identifier, a free one if it is not there.
func (s *store) search(hash uint64, identifier []byte) int {
	slot := s.home(hash)
	for s.slots[slot] != 0 && ((s.slots[slot]^hash)>>placeBits != 0 || !sameKey(s.at(s.slots[slot]), identifier)) {
		slot = s.after(slot)
	}
	return slot
}

// sameKey reports whether a row is that of an identifier.
func sameKey(row, identifier []byte) bool {
	own, _ := cutField(row)
	return posture.SameKey(own, identifier)
}

// add keeps a row, unless there is one with its key: that one is returned then.
func (s *store) add(hash uint64, row []byte) (before []byte, repeated bool) {
	s.expect(s.count + 1)
	identifier, _ := cutField(row)
	slot := s.search(hash, identifier)
	if s.slots[slot] != 0 {
		return s.at(s.slots[slot]), true
	}
	s.slots[slot] = hash&^placeMask | (s.keep(row) + 1)
	s.count++
	return nil, false
}

// fetch looks at the slots of devices that are about to be added. They lie all over the index: memory
// brings many of them in the time that it takes to bring one, if nothing has to wait for each. It makes
// loading a million devices a fifth faster.
func (s *store) fetch(devices []entry) {
	for i := range devices {
		s.fetched ^= s.slots[s.home(devices[i].hash)]
	}
}

// expect makes room for a number of devices, so that the index need not grow.
func (s *store) expect(count int) {
	if count > len(s.slots)/4*3 {
		s.resize(slotsFor(count))
	}
}

// fit gives back room for devices that did not come.
func (s *store) fit() {
	if size := slotsFor(s.count); size < len(s.slots) {
		s.resize(size)
	}
}

func slotsFor(count int) int { return max(firstSlots, 1<<bits.Len(uint(count+count/3))) }

// resize makes the index larger or smaller. A slot has enough of the hash for that, so that no row is looked at; and
// as the hash's upper bits say where a slot stands, both indexes are gone through from begin to end.
func (s *store) resize(size int) {
	before := s.slots
	s.slots = make([]uint64, size)
	for _, slot := range before {
		if slot == 0 {
			continue
		}
		i := s.home(slot)
		for s.slots[i] != 0 {
			i = s.after(i)
		}
		s.slots[i] = slot
	}
}

// home is where the search for a hash begins. Only the bits that a slot keeps are used: should there be
// more slots than these tell apart, neighbors share what is left, and are found after a few steps.
func (s *store) home(hash uint64) int {
	return int(hash &^ placeMask >> (64 - bits.Len(uint(len(s.slots)-1)))) //nolint:gosec // G115: it is less than the number of slots
}

func (s *store) after(i int) int { return (i + 1) & (len(s.slots) - 1) }

// keep copies a row into a chunk and returns its place.
func (s *store) keep(row []byte) uint64 {
	need := binary.MaxVarintLen64 + len(row)
	in := s.last
	switch {
	case need > largeRow:
		in = s.newChunk(need)
	case in == len(s.chunks) || cap(s.chunks[in])-len(s.chunks[in]) < need:
		in = s.newChunk(max(need, min(chunkSize, max(firstChunk, s.size))))
		s.last = in
	}
	place := len(s.chunks[in])
	s.chunks[in] = append(binary.AppendUvarint(s.chunks[in], uint64(len(row))), row...)
	return uint64(in<<chunkBits | place) //nolint:gosec // G115: neither is negative
}

func (s *store) newChunk(size int) int {
	s.chunks = append(s.chunks, make([]byte, 0, size))
	s.size += size
	return len(s.chunks) - 1
}

// at returns the row that a slot is of.
func (s *store) at(slot uint64) []byte {
	place := slot&placeMask - 1
	chunk := s.chunks[place>>chunkBits][place&(chunkSize-1):]
	length, n := binary.Uvarint(chunk)
	return chunk[n : n+int(length)] //nolint:gosec // G115: it was the length of a slice
}

func (s *store) len() int { return s.count }

// device makes a device of a row. That of a CSV file has its values only: with their names a million
// rows would be half as large again.
func (s *store) device(row []byte) (device, error) {
	identifier, rest := cutField(row)
	if s.columns == nil {
		return device{string(identifier), rest[:len(rest):len(rest)]}, nil
	}
	size := len("{}") + len(rest)
	for _, column := range s.columns {
		size += len(column) + len(`""`)
	}
	data := make([]byte, 0, size)
	for _, column := range s.columns {
		var value []byte
		var err error
		value, rest = cutNext(row, rest)
		data = append(data, column...)
		if data, err = jsontext.AppendQuote(data, value); err != nil {
			return device{}, fmt.Errorf("encode column %s: %w", column, err)
		}
	}
	if len(s.columns) == 0 {
		data = append(data, '{')
	}
	return device{string(identifier), append(data, '}')}, nil
}

// sameData compares by value.
func (s *store) sameData(a, b []byte) (bool, error) {
	if bytes.Equal(a, b) {
		return true, nil
	}
	x, errX := s.device(a)
	y, errY := s.device(b)
	return sameJSON(x.data, y.data), errors.Join(errX, errY)
}

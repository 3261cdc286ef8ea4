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

// The place of a row is the number of its chunk and its offset there: enough for 2^18 chunks, at least 64 GiB of
// devices. Devices beyond would not be found: refused, not confused.
const (
	placeBits = 38
	placeMask = 1<<placeBits - 1
)

// device is one entry of the inventory, as in the file.
type device struct {
	identifier string
	data       json.RawMessage // an object
	facts      []byte          // the member of JSON, or empty
}

// managed returns the device without further facts: every device in the file is managed, unless they say otherwise.
func (d device) managed() posture.Device {
	return posture.Device{Identifier: d.identifier, Facts: posture.Facts{Managed: posture.Known(true)}, Data: d.data}
}

// store holds devices by Identifier.Key: a hash table with open addressing, and the rows one after another in chunks.
// See the package comment for what it buys. The upper 26 bits of the hash of a key find its home slot, and distinguish
// most other keys without reading a row.
//
//	slots     63       38 37      20 19       0
//	          ┌──────────┬──────────┬─────────┐
//	home ───► │ hash     │ chunk    │ offset  │ + 1        0: a free slot
//	          ├──────────┼──────────┼─────────┤
//	after ──► │ hash     │ chunk    │ offset  │ + 1        the next key of the same home
//	          └──────────┴────┬─────┴────┬────┘
//	chunks[chunk]             ▼          ▼
//	          │ length row │ length row │ length row │ …   1 MiB; length is a varint
type store struct {
	// columns are the beginnings of the members that the columns of a CSV file become, nil for JSON. That of a column
	// that is a fact is nil.
	columns [][]byte
	names   []string // of the columns, for the operator

	// vocabulary is nil where no policy reads the inventory: then facts are data, and the three below are nil.
	vocabulary *vocabulary
	facts      []*posture.Definition // of the columns; nil for a column of data
	factNames  []string              // of those columns
	attributes []string              // the names of all columns
	hasFacts   bool                  // a column is a fact, or a device has the member facts

	chunks [][]byte
	last   uint64 // the chunk that is being filled
	size   int    // of all chunks

	seed  maphash.Seed
	slots []uint64 // a power of two; at least a quarter are free
	count int

	prefetched uint64 // keeps the compiler from removing prefetch
}

func newStore() *store {
	return &store{seed: maphash.MakeSeed(), slots: make([]uint64, firstSlots)}
}

// field matches the names that templates can write after a dot. Others are quoted, as the function index needs them.
var field = regexp.MustCompile(`^[\pL_][\pL_\p{Nd}]{0,63}$`)

// setColumns makes it a store of CSV rows: after the identifier they have a value for each name.
func (s *store) setColumns(names []string) error {
	s.columns = make([][]byte, len(names))
	sign := byte('{')
	if s.vocabulary != nil {
		s.facts, s.attributes = make([]*posture.Definition, len(names)), names
	}
	for i, name := range names {
		if s.vocabulary != nil && s.vocabulary.byName[name] != nil {
			s.facts[i], s.hasFacts = s.vocabulary.byName[name], true
			s.factNames = append(s.factNames, name)
			continue
		}
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

// find returns the row of the device with a key.
func (s *store) find(key string) (row []byte, found bool) {
	slot := s.search(maphash.String(s.seed, key), []byte(key))
	if s.slots[slot] == 0 {
		return nil, false
	}
	return s.at(s.slots[slot]), true
}

// hash returns the hash of an identifier's key, or why it is not an identifier. It is safe for concurrent use.
func (s *store) hash(identifier []byte) (uint64, error) {
	var room [maxKey]byte
	key, err := posture.AppendKey(room[:0], identifier)
	return maphash.Bytes(s.seed, key), err
}

// search returns the slot of an identifier, or a free one if the store does not have it.
func (s *store) search(hash uint64, identifier []byte) uint64 {
	slot := s.home(hash)
	for s.slots[slot] != 0 && ((s.slots[slot]^hash)>>placeBits != 0 || !sameKey(s.at(s.slots[slot]), identifier)) {
		slot = s.after(slot)
	}
	return slot
}

// sameKey reports whether a row is the one of an identifier.
func sameKey(row, identifier []byte) bool {
	own, _ := cutField(row)
	return posture.SameKey(own, identifier)
}

// add stores a row, unless the store has one with its key: then it returns that one.
func (s *store) add(hash uint64, row []byte) (before []byte, repeated bool) {
	s.reserve(s.count + 1)
	identifier, _ := cutField(row)
	slot := s.search(hash, identifier)
	if s.slots[slot] != 0 {
		return s.at(s.slots[slot]), true
	}
	s.slots[slot] = hash&^placeMask | (s.keep(row) + 1)
	s.count++
	return nil, false
}

// prefetch reads the home slots of devices that are about to be added. They are all over the index, and not in the
// processor's cache: memory delivers many of them in the time of one, because no read waits for another.
// It saves a fifth of the processor time of loading a million devices.
func (s *store) prefetch(devices []entry) {
	for i := range devices {
		s.prefetched ^= s.slots[s.home(devices[i].hash)]
	}
}

// reserve makes room for a number of devices, so that the index does not have to grow.
func (s *store) reserve(count int) {
	if count > len(s.slots)/4*3 {
		s.resize(slotsFor(count))
	}
}

// shrink frees the room of devices that were expected and did not come.
func (s *store) shrink() {
	if size := slotsFor(s.count); size < len(s.slots) {
		s.resize(size)
	}
}

func slotsFor(count int) int { return max(firstSlots, 1<<bits.Len(uint(count+count/3))) }

// resize makes the index larger or smaller. A slot has enough of the hash, so no row is read; and because the home
// follows from the upper bits of the hash, both indexes are accessed from beginning to end.
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

// home is the slot where the search for a hash begins. It uses only the bits that a slot keeps: in an index with more
// slots than these can number, neighbors share a home, and are found after a few steps.
func (s *store) home(hash uint64) uint64 {
	return hash &^ placeMask >> (bits.LeadingZeros64(uint64(len(s.slots))) + 1)
}

func (s *store) after(i uint64) uint64 { return (i + 1) & (uint64(len(s.slots)) - 1) }

// keep copies a row into a chunk and returns its place.
func (s *store) keep(row []byte) uint64 {
	need := binary.MaxVarintLen64 + len(row)
	in := s.last
	switch {
	case need > largeRow:
		in = s.newChunk(need)
	case in == uint64(len(s.chunks)) || cap(s.chunks[in])-len(s.chunks[in]) < need:
		in = s.newChunk(max(need, min(chunkSize, max(firstChunk, s.size))))
		s.last = in
	}
	place := uint64(len(s.chunks[in]))
	s.chunks[in] = append(binary.AppendUvarint(s.chunks[in], uint64(len(row))), row...)
	return in<<chunkBits | place
}

func (s *store) newChunk(size int) uint64 {
	added := uint64(len(s.chunks))
	s.chunks = append(s.chunks, make([]byte, 0, size))
	s.size += size
	return added
}

// at returns the row of a slot.
func (s *store) at(slot uint64) []byte {
	place := slot&placeMask - 1
	chunk := s.chunks[place>>chunkBits][place&(chunkSize-1):]
	length, n := binary.Uvarint(chunk)
	return chunk[n:][:length]
}

func (s *store) len() int { return s.count }

// identified is the device of a row without its data.
func identified(row []byte) device {
	identifier, _ := cutField(row)
	return device{identifier: string(identifier)}
}

// device makes a device from a row. The row of a CSV file has only the values: with the names of the columns, a
// million rows would be half as large again.
func (s *store) device(row []byte) (device, error) {
	identifier, rest := cutField(row)
	if s.columns == nil {
		data, facts := rest, []byte(nil)
		if s.hasFacts {
			data, facts = cutNext(row, rest)
		}
		return device{string(identifier), data[:len(data):len(data)], facts}, nil
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
		if column == nil {
			continue // a fact, and no data
		}
		data = append(data, column...)
		if data, err = jsontext.AppendQuote(data, value); err != nil {
			return device{}, fmt.Errorf("encode column %s: %w", column, err)
		}
	}
	if len(data) == 0 {
		data = append(data, '{')
	}
	return device{string(identifier), append(data, '}'), nil}, nil
}

// sameData compares the data and the facts of two rows by value.
func (s *store) sameData(a, b []byte) (bool, error) {
	if bytes.Equal(a, b) {
		return true, nil
	}
	x, errX := s.device(a)
	y, errY := s.device(b)
	same, err := sameJSON(x.data, y.data), errors.Join(errX, errY)
	if !same || err != nil || !s.hasFacts {
		return same, err
	}
	return s.sameFacts(a, b, x, y)
}

// Package compact holds many devices in little memory: rows one after another, and an index over the keys of their
// identifiers.
//
// It has no pointers into its rows, so a garbage collection does not look at them; it would follow every pointer of a map,
// each time.
package compact

import (
	"encoding/binary"
	"hash/maphash"
	"iter"
	"math/bits"

	"step-posture-connector/internal/posture"
)

// The place of a row is the number of its chunk and its offset there: enough for 2^18 chunks, at least 64 GiB of
// devices. Devices beyond would not be found: refused, not confused.
const (
	placeBits = 38
	placeMask = 1<<placeBits - 1
)

// Table holds rows by the Identifier.Key of their first field: a hash table with open addressing, and the rows one after another in chunks.
// The upper 26 bits of the hash of a key find its home slot, and distinguish
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
type Table struct {
	chunks [][]byte
	last   uint64 // the chunk that is being filled
	size   int    // of all chunks

	seed  maphash.Seed
	slots []uint64 // a power of two; at least a quarter are free
	count int

	prefetched uint64 // keeps the compiler from removing Prefetch
}

// New makes an empty Table.
func New() *Table {
	return &Table{seed: maphash.MakeSeed(), slots: make([]uint64, firstSlots)}
}

// Len is the number of rows.
func (t *Table) Len() int { return t.count }

// Size is how many bytes the table has reserved, index included.
func (t *Table) Size() int { return t.size + len(t.slots)*slotBytes }

// Slots is the size of the index.
func (t *Table) Slots() int { return len(t.slots) }

// All yields every row, in no order.
func (t *Table) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, slot := range t.slots {
			if slot != 0 && !yield(t.at(slot)) {
				return
			}
		}
	}
}

// Find returns the row of the device with a key.
func (t *Table) Find(key string) (row []byte, found bool) {
	slot := t.search(maphash.String(t.seed, key), []byte(key))
	if t.slots[slot] == 0 {
		return nil, false
	}
	return t.at(t.slots[slot]), true
}

// Hash returns the hash of an identifier's key, or why it is not an identifier. It is safe for concurrent use.
func (t *Table) Hash(identifier []byte) (uint64, error) {
	var room [maxKey]byte
	key, err := posture.AppendKey(room[:0], identifier)
	return maphash.Bytes(t.seed, key), err
}

// search returns the slot of an identifier, or a free one if the store does not have it.
func (t *Table) search(hash uint64, identifier []byte) uint64 {
	slot := t.home(hash)
	for t.slots[slot] != 0 && ((t.slots[slot]^hash)>>placeBits != 0 || !sameKey(t.at(t.slots[slot]), identifier)) {
		slot = t.after(slot)
	}
	return slot
}

// sameKey reports whether a row is the one of an identifier.
func sameKey(row, identifier []byte) bool {
	own, _ := CutField(row)
	return posture.SameKey(own, identifier)
}

// Add stores a row, unless the store has one with its key: then it returns that one.
func (t *Table) Add(hash uint64, row []byte) (before []byte, repeated bool) {
	t.Reserve(t.count + 1)
	identifier, _ := CutField(row)
	slot := t.search(hash, identifier)
	if t.slots[slot] != 0 {
		return t.at(t.slots[slot]), true
	}
	t.slots[slot] = hash&^placeMask | (t.keep(row) + 1)
	t.count++
	return nil, false
}

// Prefetch reads the home slot of a hash whose row is about to be added. Call it for a thousand of them, one after another,
// before Add: they are all over the index, and not in the processor's cache, but memory delivers many of them in the time of one,
// because no read waits for another. It saves a fifth of the processor time of loading a million devices.
func (t *Table) Prefetch(hash uint64) { t.prefetched ^= t.slots[t.home(hash)] }

// Reserve makes room for a number of devices, so that the index does not have to grow.
func (t *Table) Reserve(count int) {
	if count > len(t.slots)/4*3 {
		t.resize(slotsFor(count))
	}
}

// Shrink frees the room of devices that were expected and did not come.
func (t *Table) Shrink() {
	if size := slotsFor(t.count); size < len(t.slots) {
		t.resize(size)
	}
}

func slotsFor(count int) int { return max(firstSlots, 1<<bits.Len(uint(count+count/3))) }

// resize makes the index larger or smaller. A slot has enough of the hash, so no row is read; and because the home
// follows from the upper bits of the hash, both indexes are accessed from beginning to end.
func (t *Table) resize(size int) {
	before := t.slots
	t.slots = make([]uint64, size)
	for _, slot := range before {
		if slot == 0 {
			continue
		}
		i := t.home(slot)
		for t.slots[i] != 0 {
			i = t.after(i)
		}
		t.slots[i] = slot
	}
}

// home is the slot where the search for a hash begins. It uses only the bits that a slot keeps: in an index with more
// slots than these can number, neighbors share a home, and are found after a few steps.
func (t *Table) home(hash uint64) uint64 {
	return hash &^ placeMask >> (bits.LeadingZeros64(uint64(len(t.slots))) + 1)
}

func (t *Table) after(i uint64) uint64 { return (i + 1) & (uint64(len(t.slots)) - 1) }

// keep copies a row into a chunk and returns its place.
func (t *Table) keep(row []byte) uint64 {
	need := binary.MaxVarintLen64 + len(row)
	in := t.last
	switch {
	case need > largeRow:
		in = t.newChunk(need)
	case in == uint64(len(t.chunks)) || cap(t.chunks[in])-len(t.chunks[in]) < need:
		in = t.newChunk(max(need, min(chunkSize, max(firstChunk, t.size))))
		t.last = in
	}
	place := uint64(len(t.chunks[in]))
	t.chunks[in] = append(binary.AppendUvarint(t.chunks[in], uint64(len(row))), row...)
	return in<<chunkBits | place
}

func (t *Table) newChunk(size int) uint64 {
	added := uint64(len(t.chunks))
	t.chunks = append(t.chunks, make([]byte, 0, size))
	t.size += size
	return added
}

// at returns the row of a slot.
func (t *Table) at(slot uint64) []byte {
	place := slot&placeMask - 1
	chunk := t.chunks[place>>chunkBits][place&(chunkSize-1):]
	length, n := binary.Uvarint(chunk)
	return chunk[n:][:length]
}

package file

import (
	"encoding/binary"
	"encoding/json"
	"hash/maphash"
	"iter"

	"step-posture-connector/internal/posture"
)

// device is one entry of the inventory, as the file has it.
type device struct {
	identifier string
	data       json.RawMessage // an object
}

// store holds devices by Identifier.Key. It has no pointers into the devices: the garbage collector
// would follow each of a million of them, again and again, and requests would pay for it.
type store struct {
	seed  maphash.Seed
	slots map[uint64]int // hash of the key, or the next free number after it → offset in arena
	arena []byte         // the devices, each as two byte strings with their lengths before them
}

func newStore() *store {
	return &store{seed: maphash.MakeSeed(), slots: map[uint64]int{}}
}

// find returns the device with a key.
func (s *store) find(key string) (device, bool) {
	for slot := maphash.String(s.seed, key); ; slot++ {
		offset, taken := s.slots[slot]
		if !taken {
			return device{}, false
		}
		d := s.read(offset)
		if id, err := posture.ParseIdentifier(d.identifier); err == nil && id.Key() == key {
			return d, true
		}
	}
}

// add keeps a device whose key is not there yet.
func (s *store) add(key string, d device) {
	slot := maphash.String(s.seed, key)
	for {
		if _, taken := s.slots[slot]; !taken {
			break
		}
		slot++
	}
	s.slots[slot] = len(s.arena)
	s.arena = appendBytes(s.arena, d.identifier)
	s.arena = appendBytes(s.arena, d.data)
}

func (s *store) len() int { return len(s.slots) }

// all yields every device with its key, in no order.
func (s *store) all() iter.Seq2[string, device] {
	return func(yield func(string, device) bool) {
		for _, offset := range s.slots {
			d := s.read(offset)
			if id, err := posture.ParseIdentifier(d.identifier); err == nil && !yield(id.Key(), d) {
				return
			}
		}
	}
}

func (s *store) read(offset int) device {
	identifier, rest := cutBytes(s.arena[offset:])
	data, _ := cutBytes(rest)
	return device{string(identifier), json.RawMessage(data)}
}

func appendBytes[T string | json.RawMessage](arena []byte, text T) []byte {
	return append(binary.AppendUvarint(arena, uint64(len(text))), text...)
}

// cutBytes returns a byte string that appendBytes wrote, and what follows it.
func cutBytes(arena []byte) (text, rest []byte) {
	length, n := binary.Uvarint(arena)
	end := n + int(length) //nolint:gosec // G115: it was the length of a slice
	return arena[n:end:end], arena[end:]
}

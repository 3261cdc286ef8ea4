package compact

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// kept adds rows to a table and wants every one to be found, and no other.
func kept(t *testing.T, s *Table, identifiers, values []string) {
	t.Helper()
	for i, identifier := range identifiers {
		hash, err := s.Hash([]byte(identifier))
		if err != nil {
			t.Fatal(err)
		}
		if before, repeated := s.Add(hash, []byte(identifier+","+values[i])); repeated {
			t.Fatalf("%.40s is confused with %.40s", identifier, before)
		}
	}
	for i, identifier := range identifiers {
		row, found := s.Find(strings.ToUpper(identifier))
		if want := identifier + "," + values[i]; !found || string(row) != want {
			t.Fatalf("%s is found: %v, as %.40s (%d bytes), want %.40s (%d bytes)", identifier, found, row, len(row), want, len(want))
		}
	}
	if row, found := s.Find("OTHER"); found || s.Len() != len(identifiers) {
		t.Errorf("%d devices, and a row %q for a missing one; want %d", s.Len(), row, len(identifiers))
	}
	if all := slices.Collect(s.All()); len(all) != len(identifiers) {
		t.Errorf("All yields %d rows, want %d", len(all), len(identifiers))
	}
}

// TestRowsOfEverySize: rows that just fit into the rest of a chunk, that just do not, that get a chunk of their own,
// and that are longer than a chunk.
func TestRowsOfEverySize(t *testing.T) {
	t.Parallel()
	var identifiers, values []string
	for _, size := range []int{
		0, 1, firstChunk - 20, firstChunk, firstChunk + 1, 5, largeRow - 20, largeRow - 10, largeRow - 1, largeRow, largeRow + 1, 3,
		chunkSize - 20, chunkSize - 1, chunkSize, chunkSize + 1, 2, 3 * chunkSize, 4,
		largeRow - 30, largeRow - 30, largeRow - 30, largeRow - 30, largeRow - 30, 127, 128, 16383, 16384,
	} {
		identifiers = append(identifiers, fmt.Sprintf("C%d", len(identifiers)))
		values = append(values, strings.Repeat("x", size))
	}
	s := New()
	kept(t, s, identifiers, values)
	for i, chunk := range s.chunks {
		if len(chunk) == 0 || len(chunk) > chunkSize && len(chunk) < cap(chunk)-20 {
			t.Errorf("chunk %d has %d bytes of %d", i, len(chunk), cap(chunk))
		}
	}
}

// TestManyChunks: a large inventory has many chunks, and none grows by doubling.
func TestManyChunks(t *testing.T) {
	t.Parallel()
	const count = 100_000
	identifiers, values := make([]string, count), make([]string, count)
	for i := range count {
		identifiers[i], values[i] = fmt.Sprintf("C%d", i), strings.Repeat("x", i%100)
	}
	s := New()
	kept(t, s, identifiers, values)
	if len(s.chunks) < 6 || s.size > 7*chunkSize {
		t.Errorf("%d chunks of %d bytes together, want several of 1 MiB", len(s.chunks), s.size)
	}
}

// TestIndex: the index has room from the beginning or grows, and a quarter of the slots stays free: otherwise a
// search for a missing key would never end.
func TestIndex(t *testing.T) {
	t.Parallel()
	for _, count := range []int{0, 1, 5, 6, 7, 8, 11, 12, 13, 95, 96, 97, 1000} {
		for _, expected := range []int{0, count, 3 * count, count / 2} {
			s := New()
			s.Reserve(expected)
			identifiers := make([]string, count)
			for i := range identifiers {
				identifiers[i] = fmt.Sprintf("C%d", i)
			}
			kept(t, s, identifiers, make([]string, count))
			taken := 0
			for _, slot := range s.slots {
				if slot != 0 {
					taken++
				}
			}
			if taken != count || len(s.slots)&(len(s.slots)-1) != 0 || taken > len(s.slots)/4*3 {
				t.Errorf("%d of %d slots are used by %d devices, %d expected", taken, len(s.slots), count, expected)
			}
		}
	}
}

// TestSameHash: devices whose hashes are equal, or equal in the bits that a slot keeps, are not confused.
func TestSameHash(t *testing.T) {
	t.Parallel()
	for _, hash := range []uint64{0, 1, 1<<64 - 1, 1 << placeBits, placeMask} {
		s := New()
		for i := range 100 {
			identifier := []byte(fmt.Sprintf("C%d", i))
			if before, repeated := s.Add(hash, identifier); repeated {
				t.Fatalf("%s is confused with %s", identifier, before)
			}
			if before, repeated := s.Add(hash, identifier); !repeated || string(before) != string(identifier) {
				t.Fatalf("the duplicate of %s is not found, but %q", identifier, before)
			}
		}
		if s.Len() != 100 {
			t.Errorf("%d devices, want 100", s.Len())
		}
	}
}

package export

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// spool has the rows of an export in a temporary file until the list has ended.
type spool struct {
	file    *os.File
	out     *bufio.Writer
	hashes  []uint64
	removed bool
	head    [headSize]byte
}

// record is one record of a list.
type record struct {
	hash uint64 // of key
	kind rowKind
	key  []byte
	row  []byte // empty unless kind is wholeRow
}

// rowKind says what was made of a record. All kinds count where an identifier stands twice: an inventory that has a damaged
// record beside a whole one does not answer about the device.
type rowKind byte

const (
	wholeRow rowKind = iota
	damagedRow
	unwritableRow
)

// headSize is the length of hash, kind, and the lengths of key and row, in bytes.
const headSize = 8 + 1 + 2 + 4

// newSpool makes a spool beside the file that will be written, or in the folder for temporary files.
func newSpool(beside string) (*spool, error) {
	folder := ""
	if beside != "" {
		folder = filepath.Dir(beside)
	}
	file, err := os.CreateTemp(folder, ".inventory-export-*.tmp") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("temporary file: %w", err)
	}
	s := &spool{file: file, out: bufio.NewWriterSize(file, bufferSize)}
	// An open file needs no name. Without it, nothing is left even if the process is killed. Windows refuses.
	s.removed = os.Remove(file.Name()) == nil
	return s, nil
}

// discard removes the file.
func (s *spool) discard() {
	_ = s.file.Close()
	if !s.removed {
		_ = os.Remove(s.file.Name())
	}
}

func (s *spool) add(r record) error {
	if uint64(len(r.row)) > math.MaxUint32 {
		return errors.New("a record is larger than 4 GiB")
	}
	binary.LittleEndian.PutUint64(s.head[:], r.hash)
	s.head[8] = byte(r.kind)
	binary.LittleEndian.PutUint16(s.head[9:], uint16(len(r.key)))  //nolint:gosec // G115: an identifier has 256 bytes at most
	binary.LittleEndian.PutUint32(s.head[11:], uint32(len(r.row))) //nolint:gosec // G115: checked above
	s.hashes = append(s.hashes, r.hash)
	for _, part := range [...][]byte{s.head[:], r.key, r.row} {
		if _, err := s.out.Write(part); err != nil {
			return fmt.Errorf("temporary file: %w", err)
		}
	}
	return nil
}

// each calls visit with every record, in order. A record is valid until visit returns.
func (s *spool) each(ctx context.Context, visit func(record) error) error {
	err := s.out.Flush()
	if err == nil {
		_, err = s.file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("temporary file: %w", err)
	}
	in := bufio.NewReaderSize(s.file, bufferSize)
	var text []byte
	for n := range s.hashes {
		if n%checkedEvery == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, err = io.ReadFull(in, s.head[:]); err != nil {
			return fmt.Errorf("temporary file: %w", err)
		}
		key, row := int(binary.LittleEndian.Uint16(s.head[9:])), int(binary.LittleEndian.Uint32(s.head[11:]))
		text = slices.Grow(text[:0], key+row)[:key+row]
		if _, err = io.ReadFull(in, text); err != nil {
			return fmt.Errorf("temporary file: %w", err)
		}
		if err := visit(record{binary.LittleEndian.Uint64(s.head[:]), rowKind(s.head[8]), text[:key], text[key:]}); err != nil {
			return err
		}
	}
	return nil
}

// twice returns a function that reports whether the key of a record stands twice. Only keys whose hash stands twice are read
// again and kept, so memory has the duplicates of an inventory, which are few.
func (s *spool) twice(ctx context.Context) (func(record) bool, error) {
	slices.Sort(s.hashes) // the order of records is that of the file
	suspects := map[uint64]bool{}
	for i := 1; i < len(s.hashes); i++ {
		if s.hashes[i] == s.hashes[i-1] {
			suspects[s.hashes[i]] = true
		}
	}
	counts := map[string]int{}
	if len(suspects) > 0 {
		err := s.each(ctx, func(r record) error {
			if suspects[r.hash] {
				counts[string(r.key)]++
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return func(r record) bool { return suspects[r.hash] && counts[string(r.key)] > 1 }, nil
}

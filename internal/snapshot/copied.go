package snapshot

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"step-posture-connector/internal/compact"
	"step-posture-connector/internal/posture"
)

// copied is one list of an inventory as a fetch has found it. It does not change any more.
type copied struct {
	list  posture.DeviceType
	table *compact.Table
	texts []string // that rows have numbers for
	// begun is when its fetch began, before the first request.
	begun moment
	// facts are those that it answers about, and asked those that the fetch asked for: the list may lack some.
	facts, asked posture.FactSet
	// total is how many records the inventory says the list has; negative where it does not say.
	total    int
	complete bool
}

// usable reports whether the copy answers at a time.
func (c *copied) usable(now moment, maxAge time.Duration) bool {
	if c == nil {
		return false
	}
	age := now.since(c.begun)
	return age >= 0 && age < maxAge
}

// expired reports whether the copy can never answer again. By the wall clock alone it could: that may be set back.
func (c *copied) expired(now moment, maxAge time.Duration) bool {
	return now.boot-c.begun.boot >= maxAge
}

// find returns the row of a device.
func (c *copied) find(id posture.Identifier) (row []byte, found bool) { return c.table.Find(id.Key()) }

var (
	errTooMany  = errors.New("the list has more than 2,000,000 records")
	errTooLarge = errors.New("the list needs more than 1 GiB")
)

// building is a copy that is being made.
type building struct {
	*copied

	writer  *rowWriter
	records int
	// lost means that a damaged record has no identifier: it is not known which device is missing.
	lost bool
}

func build(f *fields, list posture.DeviceType, facts posture.FactSet, begun moment) *building {
	return &building{
		copied: &copied{list: list, table: compact.New(), begun: begun, facts: facts, asked: facts, total: -1},
		writer: &rowWriter{fields: f, interner: newInterner()},
	}
}

// add takes a record. One whose identifier no request can have is only counted.
func (b *building) add(l posture.Listing) error {
	if b.records++; b.records > maxRecords {
		return errTooMany
	}
	identifier := strings.Trim(l.Identifier, " ")
	hash, err := b.table.Hash([]byte(identifier))
	if err != nil {
		b.lost = b.lost || l.Damaged
		return nil // no request is about it
	}
	var row []byte
	// A record of another kind than its list contradicts itself.
	if wrong := b.list != "" && l.Type != "" && l.Type != b.list; wrong || l.Damaged {
		row = b.writer.mark(identifier, damaged)
	} else {
		row = b.writer.write(&l.Device, b.facts)
	}
	return b.keep(hash, row)
}

func (b *building) keep(hash uint64, row []byte) error {
	if before, repeated := b.table.Add(hash, row); repeated {
		markDuplicate(before)
	}
	if b.table.Size()+b.writer.size > maxBytes {
		return errTooLarge
	}
	return nil
}

// end completes the copy with what the inventory says about the list.
func (b *building) end(listed posture.Listed) *copied {
	b.facts &= listed.Facts | b.writer.always
	b.total = listed.Total
	b.complete = listed.Total >= 0 && listed.Total == b.records && !b.lost
	return b.seal()
}

func (b *building) seal() *copied {
	b.texts = b.writer.interner.texts
	b.table.Shrink()
	return b.copied
}

// describe names a list in a line of the log.
func describe(list posture.DeviceType) string {
	switch list {
	case posture.Computer:
		return "the list of computers"
	case posture.MobileDevice:
		return "the list of mobile devices"
	case "":
		return "the list of devices"
	default:
		return fmt.Sprintf("the list of %s", string(list))
	}
}

// Package export writes the devices of an inventory into a file that the provider file reads back, with the same facts.
//
// An identifier that stands twice is left out everywhere, also where it stands first, so no row can be written before the
// list has ended. Rows wait in a temporary file, and memory holds 8 bytes for each: the hash of its key. Rows whose hashes
// are equal are compared by their keys, so a collision leaves out no device. To list the inventory twice would cost its
// server twice, and both lists might differ.
package export

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/posture"
)

// Options say what is exported, and where to.
type Options struct {
	Format Format
	// Path is the file to write; empty means Stdout. The file appears when it is complete, and replaces one that exists.
	Path   string
	Stdout io.Writer
	// Progress, if set, is called with the number of records so far, after each.
	Progress func(records int)
}

// Summary counts the records of an export.
type Summary struct {
	// Devices are those that were written.
	Devices int
	// These were left out: records whose identifier stands twice, those whose identifier no device can have, those that a
	// lookup would fail for, and those with what a file cannot say.
	Twice, NoIdentifier, Damaged, Unwritable int
	// Lacking are the facts that the list did not give although it was asked for them: they are unknown in the file.
	Lacking posture.FactSet
}

// LeftOut are the records that were not written.
func (s Summary) LeftOut() int { return s.Twice + s.NoIdentifier + s.Damaged + s.Unwritable }

// errNotListable means that the inventory cannot be listed as it is configured.
var errNotListable = errors.New("its devices cannot be listed as it is configured")

// Write lists the devices of an inventory and writes them, all or nothing: after an error there is no file, and one that
// existed is as before. A list with fewer records than the inventory says it has is an error.
func Write(ctx context.Context, from posture.Lister, o Options) (Summary, error) {
	return write(ctx, from, o, hasher())
}

// hasher returns a hash of keys that nobody can foresee.
func hasher() func(key []byte) uint64 {
	seed := maphash.MakeSeed()
	return func(key []byte) uint64 { return maphash.Bytes(seed, key) }
}

func write(ctx context.Context, from posture.Lister, o Options, hash func([]byte) uint64) (s Summary, err error) {
	kinds := from.Lists()
	if len(kinds) == 0 {
		return s, errNotListable
	}
	out, err := create(o.Path, o.Stdout)
	if err != nil {
		return s, err
	}
	defer out.discard()
	rows, err := newSpool(o.Path)
	if err != nil {
		return s, err
	}
	defer rows.discard()
	x := exporter{rows: rows, hash: hash, progress: o.Progress, facts: written(from, kinds)}
	x.now = time.Now()
	if o.Format == JSON {
		x.facts |= from.ListGives() & posture.Document
		x.form = newJSON(x.facts, x.now)
	} else if x.form, err = newCSV(x.facts, x.now); err != nil {
		return s, err
	}
	listing, cancel := context.WithTimeoutCause(ctx, listTimeout, fmt.Errorf("its lists have not ended within %v", listTimeout))
	defer cancel()
	for _, kind := range kinds {
		if err := x.list(listing, from, kind); err != nil {
			return s, err
		}
	}
	twice, err := rows.twice(ctx)
	if err != nil {
		return s, err
	}
	if err := x.copy(ctx, out, twice); err != nil {
		return s, err
	}
	return x.Summary, out.commit()
}

// written are the facts that a file has: those that lists give, whether the device is managed, and its kind where there are
// several.
func written(from posture.Lister, kinds []posture.DeviceType) posture.FactSet {
	facts := from.ListGives()&posture.AllFacts() | posture.MustFacts("device.identifier", "device.managed")
	if slices.ContainsFunc(kinds, func(kind posture.DeviceType) bool { return kind != "" }) {
		facts |= posture.MustFacts("device.type")
	}
	return facts
}

// exporter is one export.
type exporter struct {
	Summary

	form     form
	facts    posture.FactSet
	rows     *spool
	hash     func(key []byte) uint64
	progress func(records int)
	now      time.Time
	records  int
	key, row []byte // reused
}

// form is a format with the facts that are written.
type form struct {
	begin, between, end string
	// row appends that of a device. An error means that the format cannot say what the device has.
	row func(to []byte, d *posture.Device) ([]byte, error)
}

// list lists the devices of one kind.
func (x *exporter) list(ctx context.Context, from posture.Lister, kind posture.DeviceType) error {
	before := x.records
	var stopped error
	listed, err := from.List(ctx, posture.List{Type: kind, Facts: x.facts}, func(l posture.Listing) error {
		if stopped = ctx.Err(); stopped == nil {
			stopped = x.add(&l)
		}
		return stopped
	})
	got := x.records - before
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case stopped != nil:
		return stopped
	case err != nil:
		return fmt.Errorf("list its devices: %w", err)
	case got < listed.Total:
		return fmt.Errorf("its list%s is not complete: it gave %d of %d records", of(kind), got, listed.Total)
	}
	always := posture.MustFacts("device.identifier", "device.managed", "device.type")
	x.Lacking |= x.facts &^ listed.Facts &^ always
	return nil
}

func of(kind posture.DeviceType) string {
	switch kind {
	case posture.Computer:
		return " of computers"
	case posture.MobileDevice:
		return " of mobile devices"
	default:
		return ""
	}
}

// add adds a record to the rows, or counts it.
func (x *exporter) add(l *posture.Listing) (err error) {
	if x.records == maxRecords {
		return fmt.Errorf("its list has more than %d records", maxRecords)
	}
	x.records++
	if x.progress != nil {
		x.progress(x.records)
	}
	l.Identifier = strings.Trim(l.Identifier, " ") // as Identifier.Matches compares it
	x.key, err = posture.AppendKey(x.key[:0], []byte(l.Identifier))
	if err != nil {
		if l.Damaged && l.Identifier == "" {
			x.Damaged++
		} else {
			x.NoIdentifier++
		}
		return nil // counted: one record must not keep all others from the file
	}
	kind, row := damagedRow, x.row[:0]
	if !l.Damaged {
		kind = wholeRow
		if row, err = x.form.row(row, &l.Device); err != nil {
			kind, row = unwritableRow, row[:0]
		}
	}
	x.row = row
	return x.rows.add(record{x.hash(x.key), kind, x.key, row})
}

// copy writes the rows that stand once.
func (x *exporter) copy(ctx context.Context, out io.Writer, twice func(record) bool) error {
	if _, err := io.WriteString(out, x.form.begin); err != nil {
		return err
	}
	err := x.rows.each(ctx, func(r record) error {
		switch {
		case twice(r):
			x.Twice++
			return nil
		case r.kind == damagedRow:
			x.Damaged++
			return nil
		case r.kind == unwritableRow:
			x.Unwritable++
			return nil
		}
		x.Devices++
		if x.Devices > 1 {
			if _, err := io.WriteString(out, x.form.between); err != nil {
				return err
			}
		}
		_, err := out.Write(r.row)
		return err
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, x.form.end)
	return err
}

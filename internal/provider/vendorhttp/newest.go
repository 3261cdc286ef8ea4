package vendorhttp

import (
	"errors"
	"fmt"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorjson"
)

// Search is what the records of a search may be.
type Search int

const (
	// Exact says that the vendor compares whole serial numbers. Only other records in the answer mean that it did not.
	Exact Search = iota
	// Contains says that the vendor finds other records too. They are dropped.
	Contains
)

// Newest returns the record of the device that q asks for, from a complete answer, and what device makes of it. A device that
// was enrolled again may have several records: the one whose device was seen last counts. It is ErrAmbiguous where that does
// not say which one, and where the records are of devices of different kinds, because those are no enrollments of one device.
//
// Fail closed: a record that cannot be read, or only others in the answer to an exact search, is a fault, and not "not found".
func Newest[T any](c *Client, q posture.Query, s Search, found []vendorjson.Record[T], device func(*T) posture.Device) (*T, posture.Device, error) {
	type match struct {
		record *T
		device posture.Device
		seen   time.Time
	}
	var best match
	var system posture.Fact[string] // of the matching records
	matching, tied, mixed, others := 0, false, false, 0
	for i := range found {
		if found[i].Broken {
			return nil, posture.Device{}, errors.New("the search for the serial number returned a record that cannot be read")
		}
		m := match{record: &found[i].Value, device: device(&found[i].Value)}
		if !q.Identifier.Matches(m.device) {
			others++
			continue
		}
		if !ofType(m.device.Type, q.Type) {
			continue
		}
		m.seen, _ = m.device.Facts.LastSeen.Get()
		matching++
		mixed = mixed || matching > 1 && m.device.Type != best.device.Type || differs(m.device.Facts.OS, system)
		system = vendorjson.FirstKnown(system, m.device.Facts.OS)
		if matching == 1 {
			best = m
			continue
		}
		switch {
		case m.seen.After(best.seen):
			best, tied = m, false
		case m.seen.Equal(best.seen):
			tied = true
		}
	}
	switch {
	case s == Exact && others > 0 && others == len(found):
		return nil, posture.Device{}, fmt.Errorf("the search for the serial number returned %d records, and none has it", others)
	case matching == 0:
		return nil, posture.Device{}, posture.ErrNotFound
	case tied || mixed:
		return nil, posture.Device{}, fmt.Errorf("%w: %s has %d records with the serial number", posture.ErrAmbiguous, c.vendor.Name, matching)
	}
	return best.record, best.device, nil
}

// ofType reports whether a record of one type can be meant by a question about another. One whose type is not known can.
func ofType(is, asked posture.DeviceType) bool {
	return is == "" || asked == "" || asked == posture.AnyDevice || is == asked
}

// differs reports whether no device can have both operating systems. An iPad may have had iOS before iPadOS.
func differs(a, b posture.Fact[string]) bool {
	one, known := a.Get()
	other, alsoKnown := b.Get()
	isIOS := func(os string) bool { return os == "iOS" || os == "iPadOS" }
	return known && alsoKnown && one != other && !(isIOS(one) && isIOS(other))
}

package vendorhttp

import (
	"strings"

	"step-posture-connector/internal/posture"
)

// Listings makes what a list gives of devices that were made of records by the same function as in a lookup.
type Listings struct{ keep []*posture.Definition }

// NewListings returns the Listings of a list with these facts.
func NewListings(facts posture.FactSet) Listings {
	var l Listings
	for _, d := range posture.Vocabulary() {
		if facts.Has(d.Set()) {
			l.keep = append(l.keep, d)
		}
	}
	return l
}

// Of returns the listing of a device: with its identifier, type, whether it is managed, its data, and of its facts those of
// the list. Damaged says that a lookup of the device would fail.
func (l Listings) Of(d posture.Device, damaged bool) posture.Listing {
	if _, err := posture.ParseIdentifier(d.Identifier); err != nil {
		trimmed := strings.Trim(d.Identifier, " ")
		if _, err := posture.ParseIdentifier(trimmed); err == nil {
			// Whether the vendor's search finds it is not known.
			return posture.Listing{Device: posture.Device{Identifier: trimmed, Type: d.Type}, Damaged: true}
		}
		// No lookup can be for it. Without an identifier, a damaged record makes the list incomplete.
		return posture.Listing{Device: posture.Device{Type: d.Type}, Damaged: damaged}
	}
	if damaged {
		return posture.Listing{Device: posture.Device{Identifier: d.Identifier, Type: d.Type}, Damaged: true}
	}
	kept := posture.Device{Identifier: d.Identifier, Type: d.Type, Facts: posture.Facts{Managed: d.Facts.Managed}, Data: d.Data}
	for _, fact := range l.keep {
		if value, known := fact.Get(&d); known {
			fact.Put(&kept, value)
		}
	}
	return posture.Listing{Device: kept}
}

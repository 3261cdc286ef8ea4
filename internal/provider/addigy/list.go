package addigy

import (
	"context"
	"errors"
	"strings"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
	"step-posture-connector/internal/provider/vendorjson"
)

// Listable says that a section of a policy file may have a snapshot.
func (c Config) Listable() {}

// Lists implements posture.Lister: one list has all devices.
func (p *Provider) Lists() []posture.DeviceType { return []posture.DeviceType{""} }

// ListGives implements posture.Lister: what lookups never know, lists do not know either.
func (p *Provider) ListGives() posture.FactSet { return posture.AllFacts() | posture.Document }

// List implements posture.Lister.
func (p *Provider) List(ctx context.Context, list posture.List, each func(posture.Listing) error) (posture.Listed, error) {
	if list.Type != "" {
		return posture.Listed{}, errors.New("addigy: there is one list of all devices")
	}
	l := &listing{provider: p, facts: list.Facts, listings: vendorhttp.NewListings(list.Facts)}
	l.each = func(item posture.Listing) error {
		if ctx.Err() != nil {
			return context.Cause(ctx) // what is left of a page takes time too
		}
		return each(item)
	}
	if err := vendorhttp.Pages(ctx, p.Client, vendorhttp.List{Endpoint: devices, Size: listPageSize}, l.get, l.take); err != nil {
		return posture.Listed{}, err
	}
	listed := posture.Listed{Facts: list.Facts & p.ListGives(), Total: l.total}
	if l.changed {
		listed.Total = -1 // a device may have been passed over
	}
	return listed, nil
}

// listing is a list that is being fetched.
type listing struct {
	provider *Provider
	facts    posture.FactSet
	listings vendorhttp.Listings
	each     func(posture.Listing) error

	passed  int // records
	largest int // size of a page that Addigy allows; 0 is not known
	total   int
	changed bool // the total was not always the same
}

// get asks for the next page. Its size divides what was passed before, because pages are counted.
func (l *listing) get(ctx context.Context, size int) (answer, error) {
	if l.largest > 0 {
		size = min(size, l.largest)
	}
	for l.passed%size != 0 {
		size--
	}
	return l.provider.ask(ctx, request{
		Facts: identifiers(), Page: l.passed/size + 1, PerPage: size, SortField: serialNumber, SortDirection: "asc",
	})
}

// take hands a page on. Fail closed: a list that does not have as many devices as Addigy says is an error.
func (l *listing) take(a answer) (vendorhttp.Page, error) {
	m, found := a.Metadata, len(a.Items.list)
	last := *m.Page >= *m.PageCount
	l.changed = l.changed || *m.Page > 1 && *m.Total != l.total
	l.total, l.largest = *m.Total, *m.PerPage
	if !last && found < *m.PerPage || last && !l.changed && l.passed+found != l.total {
		return vendorhttp.Page{}, errors.New("devices: the list has fewer or more devices than Addigy says")
	}
	page := vendorhttp.Page{Devices: found, Last: last}
	for i := range a.Items.list {
		item := &a.Items.list[i]
		if i == 0 {
			page.Mark = item.Value.Agent.Said()
		}
		if err := l.each(l.of(item)); err != nil {
			return vendorhttp.Page{}, err
		}
	}
	l.passed += found
	return page, nil
}

// of is what a lookup of a record's device would find.
func (l *listing) of(item *vendorjson.Record[record]) posture.Listing {
	if item.Broken {
		return posture.Listing{Damaged: true}
	}
	device := l.provider.device(&item.Value)
	if !isSerialNumber(strings.ToUpper(strings.Trim(device.Identifier, " "))) {
		return posture.Listing{Device: posture.Device{Type: device.Type}} // Addigy is never asked for it
	}
	device, err := l.provider.enriched(device, l.facts)
	return l.listings.Of(device, err != nil)
}

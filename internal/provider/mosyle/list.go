package mosyle

import (
	"context"
	"errors"
	"strings"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
)

// Listable says that a section of a policy file may have a snapshot.
func (Config) Listable() {}

// Lists implements posture.Lister: there is one list, of all devices.
func (*Provider) Lists() []posture.DeviceType { return []posture.DeviceType{""} }

// ListGives implements posture.Lister: records are whole in lists too.
func (*Provider) ListGives() posture.FactSet { return posture.AllFacts() | posture.Document }

// List implements posture.Lister: it asks for all devices of one operating system after the other. Each ends with a page that
// has none: pages may have fewer devices than were asked for.
func (p *Provider) List(ctx context.Context, list posture.List, each func(posture.Listing) error) (posture.Listed, error) {
	if list.Type != "" {
		return posture.Listed{}, errors.New("mosyle: there is one list, of all devices")
	}
	facts := list.Facts & p.ListGives()
	l := &lister{provider: p, facts: facts, listings: vendorhttp.NewListings(facts), each: each, systems: systemsOf(posture.AnyDevice)}
	l.begin()
	err := vendorhttp.Pages(ctx, p.Client, vendorhttp.List{Endpoint: "list of devices", Size: listPageSize}, l.get, l.take)
	if err != nil {
		return posture.Listed{}, err
	}
	// How many devices there are is not certain: sources differ in what the answer says about it.
	return posture.Listed{Facts: facts, Total: -1}, nil
}

// lister is a list that is being fetched.
type lister struct {
	provider *Provider
	facts    posture.FactSet
	listings vendorhttp.Listings
	each     func(posture.Listing) error
	systems  []system // that are still to be listed; the first is being listed
	at       ask
	listed   int // devices of the first of them
	last     int // what the last page that had devices said about how many there are
}

// begin is for the first page of an operating system.
func (l *lister) begin() {
	l.at, l.listed, l.last = ask{system: l.systems[0], size: listPageSize}, 0, 0
}

// get asks for the next page. It never asks for a smaller one: pages are counted in their size, so that devices would be left out.
func (l *lister) get(ctx context.Context, _ int) (page, error) { return l.provider.page(ctx, l.at) }

// take hands a page on.
func (l *lister) take(got page) (vendorhttp.Page, error) {
	mark := strings.Builder{}
	mark.WriteString(string(l.at.system))
	for i := range got.devices {
		r := &got.devices[i]
		mark.WriteString("\x00" + r.Value.Serial.Any + "\x00" + r.Value.UDID.Any)
		if err := l.each(l.listing(&r.Value, r.Broken)); err != nil {
			return vendorhttp.Page{}, err
		}
	}
	l.listed += len(got.devices)
	done := vendorhttp.Page{Devices: len(got.devices), Mark: mark.String()}
	if !got.end {
		l.last = got.rows
		var err error
		l.at, err = l.at.next(got)
		return done, err
	}
	if max(got.rows, l.last) > l.listed {
		// Fail closed: devices that are missing would look like some that do not exist.
		return vendorhttp.Page{}, errors.New(l.at.system.endpoint() + ": the list has fewer devices than it says")
	}
	l.systems = l.systems[1:]
	if done.Last = len(l.systems) == 0; !done.Last {
		l.begin()
	}
	return done, nil
}

// listing is a record as a lookup finds it.
func (l *lister) listing(r *record, broken bool) posture.Listing {
	d := l.provider.device(r)
	if id, err := posture.ParseIdentifier(d.Identifier); err == nil && !isSerialNumber(id.Key()) {
		return posture.Listing{Device: posture.Device{Type: d.Type}} // Mosyle is never asked for it
	}
	d, err := l.provider.withData(d, l.facts)
	// Fail closed: a record that does not say its operating system would be one of each type of device, but a lookup of one type
	// finds it only under its own. It is asked for.
	return l.listings.Of(d, broken || err != nil || r.system() != l.at.system)
}

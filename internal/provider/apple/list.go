package apple

import (
	"context"
	"errors"
	"strconv"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
	"step-posture-connector/internal/provider/vendorjson"
)

// Listable says that a section of a policy file may have a snapshot.
func (c Config) Listable() {}

// Lists implements posture.Lister: there is one list of all devices.
func (p *Provider) Lists() []posture.DeviceType { return []posture.DeviceType{""} }

// ListGives implements posture.Lister. The MDM server of a device takes a request for each, so its attributes are not listed.
func (p *Provider) ListGives() posture.FactSet {
	return p.config.Facts()&^posture.MustFacts("device.attributes") | posture.Document
}

// page is one page of the list.
type page struct {
	records []vendorjson.Record[deviceRecord]
	next    string // the cursor of the next page; "" is none
	total   int    // negative where it is not said
}

// List implements posture.Lister: it asks for all devices of the organization.
func (p *Provider) List(ctx context.Context, list posture.List, each func(posture.Listing) error) (posture.Listed, error) {
	if list.Type != "" {
		return posture.Listed{}, errors.New("apple: there is one list of all devices")
	}
	given := list.Facts & p.ListGives()
	listings := vendorhttp.NewListings(given)
	cursor, passed, total := "", 0, -1
	err := vendorhttp.Pages(ctx, p.Client, vendorhttp.List{Endpoint: devicesEndpoint, Size: pageSize},
		func(ctx context.Context, size int) (page, error) { return p.page(ctx, cursor, size) },
		func(got page) (vendorhttp.Page, error) {
			for i := range got.records {
				listing, err := p.listing(&got.records[i], given, listings)
				if err != nil {
					return vendorhttp.Page{}, err
				}
				if err := each(listing); err != nil {
					return vendorhttp.Page{}, err
				}
			}
			if ctx.Err() != nil {
				return vendorhttp.Page{}, context.Cause(ctx) // a list that is given up is no short list
			}
			passed += len(got.records)
			cursor, total = got.next, got.total
			return vendorhttp.Page{Devices: len(got.records), Mark: cursor, Last: cursor == ""}, nil
		})
	if err != nil {
		return posture.Listed{}, namesToken(err)
	}
	if total != passed {
		total = -1 // fail closed: it is not known to be whole, so that what it lacks may be a device all the same
	}
	return posture.Listed{Facts: given, Total: total}, nil
}

// page asks for one page.
func (p *Provider) page(ctx context.Context, cursor string, size int) (page, error) {
	query := deviceFields()
	query.Set("limit", strconv.Itoa(size))
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	body, err := p.Get(ctx, devicesEndpoint, devicesPath, query)
	if err != nil {
		return page{}, err
	}
	const what = "a page of devices"
	var answer struct {
		Data *[]vendorjson.Record[deviceRecord] `json:"data"`
		Meta struct {
			Paging *struct {
				Total vendorjson.Text `json:"total"`
				Next  vendorjson.Text `json:"nextCursor"`
			} `json:"paging"`
		} `json:"meta"`
		Links struct {
			Next vendorjson.Text `json:"next"`
		} `json:"links"`
	}
	if err := p.Decode(devicesEndpoint, what, body, &answer); err != nil {
		return page{}, err
	}
	paging := answer.Meta.Paging
	if answer.Data == nil || paging == nil {
		return page{}, p.NotA(devicesEndpoint, what)
	}
	got := page{records: *answer.Data, next: paging.Next.Said(), total: -1}
	// Fail closed: a list that goes on in another way than by a cursor must not look complete.
	none := func(t vendorjson.Text) bool { return t.Missing() || t.Kind == 'n' || t.Kind == '"' && t.Any == "" }
	if got.next == "" && (!none(paging.Next) || !none(answer.Links.Next)) {
		return page{}, p.NotA(devicesEndpoint, what)
	}
	if n, err := strconv.Atoi(paging.Total.Any); err == nil && paging.Total.Kind == '0' && n >= 0 {
		got.total = n
	}
	return got, nil
}

// listing is what a list gives of a record: what a lookup of the device finds.
func (p *Provider) listing(r *vendorjson.Record[deviceRecord], given posture.FactSet, listings vendorhttp.Listings) (posture.Listing, error) {
	if r.Broken {
		return posture.Listing{Damaged: true}, nil
	}
	record := &r.Value
	serial, id := record.serial(), record.ID.Said()
	if record.broken() || serial == "" {
		return listings.Of(posture.Device{Identifier: id}, true), nil
	}
	if _, released := record.released(time.Now()); released {
		return posture.Listing{}, nil // it is counted, and no lookup finds it
	}
	d := deviceOf(record)
	parsed, err := posture.ParseIdentifier(serial)
	if err == nil && !isSerialNumber(parsed.Key()) {
		return posture.Listing{Device: posture.Device{Type: d.Type}}, nil // no lookup asks for it
	}
	// A lookup asks by the ID. Where that is not the serial number, it has to be asked.
	other := posture.Device{Identifier: id}
	if err := p.addData(given, &d); err != nil {
		return posture.Listing{}, err
	}
	return listings.Of(d, err == nil && !parsed.Matches(other)), nil
}

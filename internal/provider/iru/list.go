package iru

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
	"step-posture-connector/internal/provider/vendorjson"
)

// Lists implements posture.Lister: there is one list of all devices.
func (p *Provider) Lists() []posture.DeviceType { return []posture.DeviceType{""} }

// ListGives implements posture.Lister. What only the details of a device have would take a request for each.
func (p *Provider) ListGives() posture.FactSet {
	return p.config.Facts()&^detailed() | posture.Document // where nothing is enriched, lookups return no data, and so do lists
}

// List implements posture.Lister. Iru does not say how many devices there are, and in which order pages are, so a list during
// which devices are removed may lack some: it has no total. Its end is an empty page, because a short one may be short for
// another reason.
func (p *Provider) List(ctx context.Context, list posture.List, each func(posture.Listing) error) (posture.Listed, error) {
	if list.Type != "" {
		return posture.Listed{}, errors.New("iru: there is one list, of devices of all types")
	}
	facts := list.Facts & p.ListGives()
	listings, now, offset := vendorhttp.NewListings(facts), time.Now(), 0
	get := func(ctx context.Context, size int) ([]vendorjson.Record[record], error) {
		return p.page(ctx, url.Values{}, size, offset)
	}
	take := func(page []vendorjson.Record[record]) (vendorhttp.Page, error) {
		handed := vendorhttp.Page{Devices: len(page), Last: len(page) == 0}
		// Fail closed: a page without a record of Iru's is none, and an endless list of such pages would not be noticed.
		if !handed.Last && !slices.ContainsFunc(page, func(r vendorjson.Record[record]) bool { return r.Value.DeviceID.Said() != "" }) {
			return handed, p.NotA(devicesEndpoint, listOfDevices)
		}
		for i := range page {
			r := &page[i]
			if handed.Mark == "" {
				handed.Mark = r.Value.DeviceID.Said()
			}
			d, err := p.withData(r.Value.device(now), facts)
			if !isSerialNumber(d.Identifier) {
				d.Identifier = "" // no lookup can be for it
			}
			if err := each(listings.Of(d, r.Broken || err != nil)); err != nil {
				return handed, err
			}
		}
		offset += len(page)
		return handed, nil
	}
	if err := vendorhttp.Pages(ctx, p.Client, vendorhttp.List{Endpoint: devicesEndpoint, Size: pageSize}, get, take); err != nil {
		return posture.Listed{}, err
	}
	return posture.Listed{Facts: facts, Total: -1}, nil
}

package intune

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
)

// Lists implements posture.Lister: one list has all kinds of devices.
func (p *Provider) Lists() []posture.DeviceType { return []posture.DeviceType{""} }

// ListGives implements posture.Lister: what a record has. Groups, position and department need a request for each device.
func (p *Provider) ListGives() posture.FactSet {
	gives := posture.AllFacts() &^ p.groupFacts &^ p.userFacts
	if !p.config.Enrich {
		gives |= posture.Document // lookups return none, and so do lists
	}
	return gives
}

// List implements posture.Lister. Graph says how many records a page has, and not how many the list has; so the total is not
// known, and no device counts as missing because the list lacks it.
func (p *Provider) List(ctx context.Context, list posture.List, each func(posture.Listing) error) (posture.Listed, error) {
	if list.Type != "" {
		return posture.Listed{}, errors.New("intune: there is one list of all devices")
	}
	facts := list.Facts & p.ListGives()
	listings := vendorhttp.NewListings(facts)
	var next url.Values // that of the link to the next page; nil before the first
	get := func(ctx context.Context, size int) (page, error) {
		query := next
		if query == nil {
			query = url.Values{"$select": {strings.Join(properties(), ",")}, "$top": {strconv.Itoa(size)}}
		}
		return p.page(ctx, query)
	}
	take := func(got page) (vendorhttp.Page, error) {
		for i := range *got.Value {
			r := &(*got.Value)[i]
			// Fail closed: without a word about the serial number, the record may be of any device.
			damaged := r.Broken || !r.Value.SerialNumber.Says()
			if err := each(listings.Of(p.device(&r.Value), damaged)); err != nil {
				return vendorhttp.Page{}, err
			}
		}
		if ctx.Err() != nil {
			return vendorhttp.Page{}, fmt.Errorf("%s: %w", devicesEndpoint, context.Cause(ctx))
		}
		at := vendorhttp.Page{Devices: len(*got.Value), Mark: got.Next.Said(), Last: got.Next.Missing()}
		if at.Last {
			return at, nil
		}
		path, query, err := p.next(devicesEndpoint, got.Next)
		if err == nil && path != devicesPath {
			err = errors.New(devicesEndpoint + ": the link to the next page leads to another list")
		}
		next = query
		return at, err
	}
	err := vendorhttp.Pages(ctx, p.Client, vendorhttp.List{Endpoint: devicesEndpoint, Size: listPageSize}, get, take)
	if err != nil {
		return posture.Listed{}, err
	}
	return posture.Listed{Facts: facts, Total: -1}, nil
}

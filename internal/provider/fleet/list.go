package fleet

import (
	"context"
	"errors"
	"fmt"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
	"step-posture-connector/internal/provider/vendorjson"
)

// Lists implements posture.Lister: Fleet keeps all types of devices together.
func (p *Provider) Lists() []posture.DeviceType { return []posture.DeviceType{""} }

// ListGives implements posture.Lister. What is not in rows would need a request for each device, so it is not given. The data
// are made of such facts.
func (p *Provider) ListGives() posture.FactSet {
	gives := posture.AllFacts() &^ factsOfHost()
	if !p.config.Enrich {
		gives |= posture.Document // lookups return none, and so do lists
	}
	return gives
}

// listed is a page of a list.
type listed struct {
	size  int
	rows  []vendorjson.Record[host]
	count int // of all hosts; asked for with the first page
}

// List implements posture.Lister: it asks for all hosts in the order of their IDs.
func (p *Provider) List(ctx context.Context, list posture.List, each func(posture.Listing) error) (posture.Listed, error) {
	if list.Type != "" {
		return posture.Listed{}, errors.New("fleet: there is one list, of all types of devices")
	}
	listings := vendorhttp.NewListings(list.Facts & p.ListGives())
	passed, total, newest, ended := 0, -1, uint64(0), false
	err := vendorhttp.Pages(ctx, p.Client, vendorhttp.List{Endpoint: hostsEndpoint, Size: listPage},
		func(ctx context.Context, size int) (listed, error) {
			next := passed / size
			if ended {
				next++
			}
			return p.page(ctx, next, size, total)
		},
		func(got listed) (vendorhttp.Page, error) {
			if total = got.count; ended && len(got.rows) > 0 {
				// Fail closed: its pages are smaller than asked for, so the number of a page says nothing of where it begins.
				return vendorhttp.Page{}, fmt.Errorf("%s: the list goes on behind a page that was not full", hostsEndpoint)
			}
			for i := range got.rows {
				row := &got.rows[i]
				if !row.Broken {
					// Fail closed: a server that ignores the number of the page, or the order, gives hosts twice and leaves out others.
					if row.Value.ID <= newest {
						return vendorhttp.Page{}, fmt.Errorf("%s: the list is not in the order of IDs, or repeats a page", hostsEndpoint)
					}
					newest = row.Value.ID
				}
				if err := each(listings.Of(p.deviceOfRow(&row.Value), row.Broken)); err != nil {
					return vendorhttp.Page{}, err
				}
			}
			passed += len(got.rows)
			short := len(got.rows) < got.size
			last := short && (ended || passed >= total || len(got.rows) == 0)
			ended = short
			return vendorhttp.Page{Devices: len(got.rows), Last: last}, ctx.Err()
		})
	if err != nil {
		return posture.Listed{}, err
	}
	if passed != total {
		total = -1 // hosts were added or deleted meanwhile
	}
	return posture.Listed{Facts: list.Facts & p.ListGives(), Total: total}, nil
}

// page asks for a page, and before the first one for the count of hosts.
func (p *Provider) page(ctx context.Context, number, size, total int) (listed, error) {
	if total < 0 {
		var err error
		if total, err = p.count(ctx); err != nil {
			return listed{}, err
		}
	}
	rows, err := p.hosts(ctx, pageQuery(number, size))
	if err != nil {
		return listed{}, err
	}
	if len(rows) > size {
		return listed{}, p.NotA(hostsEndpoint, "a page of hosts")
	}
	return listed{size: size, rows: rows, count: total}, nil
}

// count returns how many hosts Fleet has.
func (p *Provider) count(ctx context.Context) (int, error) {
	body, err := p.Get(ctx, countEndpoint, "/api/v1/fleet/hosts/count", nil)
	if err != nil {
		return 0, err
	}
	var answer struct {
		Count *int `json:"count"`
	}
	const what = "a count of hosts"
	if err := p.Decode(countEndpoint, what, body, &answer); err != nil {
		return 0, err
	}
	if answer.Count == nil || *answer.Count < 0 {
		return 0, p.NotA(countEndpoint, what)
	}
	return *answer.Count, nil
}

package jamf

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
)

// Listable says that a section of a policy file may have a snapshot.
func (c Config) Listable() {}

// Lists implements posture.Lister. The Classic API lists no records, only names.
func (p *Provider) Lists() []posture.DeviceType {
	if _, isPro := p.api.(*proAPI); !isPro {
		return nil
	}
	return []posture.DeviceType{posture.Computer, posture.MobileDevice}
}

// ListLacks says what has to be configured for lists.
func (p *Provider) ListLacks() string {
	return "the Classic API lists no records; the Pro API does"
}

// ListGives implements posture.Lister: all that a lookup answers about. Lookups never know whether a device is compliant, and
// return no data where nothing is enriched; so do lists.
func (p *Provider) ListGives() posture.FactSet {
	if len(p.Lists()) == 0 {
		return 0
	}
	return posture.AllFacts() | posture.Document
}

// List implements posture.Lister: it asks for all records of one type, in the order of their IDs, in the sections that the
// facts need.
func (p *Provider) List(ctx context.Context, list posture.List, each func(posture.Listing) error) (posture.Listed, error) {
	api, isPro := p.api.(*proAPI)
	if !isPro || !slices.Contains(p.Lists(), list.Type) {
		return posture.Listed{}, errors.New("jamf: only the Pro API has lists, of computers and of mobile devices")
	}
	l, err := p.listing(ctx, api, list)
	if err != nil {
		return posture.Listed{}, err
	}
	total := 0
	if list.Type == posture.Computer {
		total, err = listed(ctx, &pager[computerRecord]{
			api: api, endpoint: computersEndpoint, ask: api.askComputers, sort: "id:asc", sections: sectionsFor(p.reading.computers, l.ask.need),
			idOf: func(c *computerRecord) text { return c.ID },
			take: func(r row[computerRecord]) error { return each(l.of(api.computerOf(&r.record), r.broken)) },
		})
	} else {
		total, err = listed(ctx, &pager[mobileRecord]{
			api: api, endpoint: mobileEndpoint, ask: api.askMobile, sort: "mobileDeviceId:asc", sections: sectionsFor(p.reading.mobileDevices, l.ask.need),
			mayBeLenient: l.version >= newestComputers,
			idOf:         func(m *mobileRecord) text { return m.ID },
			take:         func(r row[mobileRecord]) error { return each(l.of(api.mobileOf(&r.record), r.broken)) },
		})
	}
	if err != nil {
		return posture.Listed{}, err
	}
	return posture.Listed{Facts: list.Facts & p.ListGives(), Total: total}, nil
}

// listing is one list that is being fetched.
type listing struct {
	provider *Provider
	query    posture.Query // as that of a lookup of each of its devices
	ask      query
	version  int
	keep     []*posture.Definition
	names    map[string]text // of departments, by ID
	nameless bool            // the names may not be read
}

// listing prepares a list. The version and the token of the server are got as for a lookup, before the first page.
func (p *Provider) listing(ctx context.Context, api *proAPI, list posture.List) (*listing, error) {
	l := &listing{provider: p, query: posture.Query{Type: list.Type, Facts: list.Facts}}
	l.ask = p.query(l.query, list.Type)
	if !l.query.Facts.Has(p.reading.groups) && !(l.query.Facts.Has(posture.Document) && p.enriches(list.Type)) {
		l.ask.need &^= p.reading.groups // the required group of a lookup; who keeps a copy asks for groups where it is needed
	}
	for _, d := range posture.Vocabulary() {
		if list.Facts.Has(d.Set()) {
			l.keep = append(l.keep, d)
		}
	}
	limited, cancel := context.WithTimeout(ctx, listStart)
	defer cancel()
	var err error
	if l.version, err = api.startVersion(limited); err != nil {
		return nil, err
	}
	if !l.ask.department {
		return l, nil
	}
	l.names, err = api.departmentNames(ctx)
	if isForbidden(err) {
		l.nameless, err = true, nil
	}
	return l, err
}

// of turns a record into what a lookup of the device would find.
func (l *listing) of(r record, broken bool) posture.Listing {
	none := posture.Listing{Device: posture.Device{Type: r.deviceType}}
	damaged := posture.Listing{Device: none.Device, Damaged: true}
	id, err := posture.ParseIdentifier(r.serial)
	switch {
	case !r.saysSerial:
		return damaged
	case err == nil && isSerialNumber(id.Key()):
		damaged.Identifier = r.serial
	case strings.ContainsFunc(r.serial, func(c rune) bool { return c > '~' }):
		// Jamf takes some of these for letters of ASCII, and a search that returns such a record is a fault.
		return damaged
	case isSerialNumber(strings.ToUpper(strings.Trim(r.serial, " "))):
		// Whether Jamf's search finds it is not known.
		damaged.Identifier = strings.Trim(r.serial, " ")
		return damaged
	default:
		return none // empty, or no serial number of Apple's: Jamf is never asked for it
	}
	if broken || !l.resolve(&r) {
		return damaged
	}
	found, err := l.provider.device(r, l.query)
	if err != nil {
		return damaged
	}
	d := posture.Device{Identifier: found.Identifier, Type: found.Type, Facts: posture.Facts{Managed: found.Facts.Managed}, Data: found.Data}
	for _, fact := range l.keep {
		if value, known := fact.Get(&found); known {
			fact.Put(&d, value)
		}
	}
	return posture.Listing{Device: d}
}

// resolve puts the name of the department into a record, as a lookup does. It returns false where the lookup would fail.
func (l *listing) resolve(r *record) bool {
	if !l.ask.department {
		return true
	}
	name, found := l.names[r.departmentID]
	if l.ask.mustHaveDepartment {
		if isDepartment(r.departmentID) && (l.nameless || !found) {
			return false
		}
		name.Any = name.Said()
	}
	r.user.Department, r.facts.User.Department = name.Any, posture.Text(name.Said())
	return true
}

// departmentNames returns the names of all departments, by ID: one request, where lookups would make one for each.
// https://developer.jamf.com/jamf-pro/reference/get_v1-departments
func (a *proAPI) departmentNames(ctx context.Context) (map[string]text, error) {
	type department struct {
		ID   text `json:"id"`
		Name text `json:"name"`
	}
	names := map[string]text{}
	total, err := listed(ctx, &pager[department]{
		api: a, endpoint: departmentsEndpoint, ask: a.askDepartments, sort: "id:asc",
		idOf: func(d *department) text { return d.ID },
		take: func(r row[department]) error {
			if isDepartment(r.record.ID.Any) && !r.broken {
				names[r.record.ID.Any] = r.record.Name
			}
			return nil
		},
	})
	if err == nil && total < 0 {
		// Fail closed: one that was passed over would be a computer without a department.
		err = fmt.Errorf("%s: the list has changed while it was fetched", departmentsEndpoint)
	}
	return names, err
}

// listed fetches all pages, and returns how many records the list has; negative where that is not certain.
func listed[T any](ctx context.Context, p *pager[T]) (total int, err error) {
	handOn := func(page listPage[T]) (vendorhttp.Page, error) { return p.handOn(ctx, page) }
	err = vendorhttp.Pages(ctx, p.api.client, vendorhttp.List{Endpoint: p.endpoint, Size: listPageSize}, p.get, handOn)
	if p.changed {
		return -1, err
	}
	return p.total, err
}

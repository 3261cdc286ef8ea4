// Package fleet is the inventory of a Fleet server.
//
// It searches for the serial number and reads the host that has it. The endpoint for one host by an identifier is not used:
// it also finds a host whose name is the serial number of another one, and of duplicates any.
package fleet

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
	"step-posture-connector/internal/provider/vendorjson"
)

// Config says which server to ask, and what to require of a device.
type Config struct {
	// The Fleet server: `https://` and its host, with port and path where it has them.
	BaseURL string `env:"FLEET_BASE_URL,required" example:"https://fleet.example.com" accepted:"https://… of the Fleet server"`
	// The API token of an API-only user with the role Observer.
	Token config.Secret `env:"FLEET_TOKEN,required" example:"the-token-that-fleetctl-prints" accepted:"the API token of an API-only user"`
	// The exact name of the label that a device must have, or, better with `team:` before it, of the team that it must be in; without it none is required.
	Group string `env:"FLEET_GROUP" example:"team:Workstations" accepted:"the name of a label, or team: and the name of a team"`
	// `1`: what Fleet knows about a device, its user and its labels goes to step-ca, for the certificate.
	Enrich config.Switch `env:"FLEET_ENRICH" envDefault:"0" accepted:"0 or 1"`
	// `1`: a device passes only where every policy that Fleet has for it answers `pass`.
	RequireCompliant config.Switch `env:"FLEET_REQUIRE_COMPLIANT" envDefault:"0" accepted:"0 or 1"`
	// `1`: a device passes also where Fleet does not say that MDM is on, such as a Linux computer.
	AllowUnmanaged config.Switch `env:"FLEET_ALLOW_UNMANAGED" envDefault:"0" accepted:"0 or 1"`
	// Seconds for each request to Fleet, see [Timing and limits](#timing-and-limits).
	Timeout config.Whole `env:"TIMEOUT" envDefault:"10" range:"1-300"`

	// RootCAs are the CAs that may have issued the server's certificate; nil means the system's.
	RootCAs *x509.CertPool

	facts bool // a policy file may read facts
}

// Provider asks a Fleet server.
type Provider struct {
	*vendorhttp.Client
	config Config
	reader vendorhttp.Reader
	now    func() time.Time
}

// Requirements are what is required of a device.
func (c Config) Requirements() posture.Requirements {
	return posture.Requirements{
		Groups: posture.RequiredGroup(c.Group), AllowUnmanaged: bool(c.AllowUnmanaged), Compliant: bool(c.RequireCompliant),
	}
}

// Facts are those that the page has in its table. Fleet does not say whether a device is supervised, and has no positions.
func (c Config) Facts() posture.FactSet {
	return posture.AllFacts() &^ posture.MustFacts("device.supervised", "user.position")
}

// ReadFacts says that a policy file may read facts: a lookup then fails where one that is read cannot be asked for.
func (c *Config) ReadFacts() { c.facts = true }

// Listable says that a section of a policy file may have a snapshot.
func (c Config) Listable() {}

// Problems returns what the tags of Config cannot say.
func (c Config) Problems() config.Problems {
	var problems config.Problems
	if c.BaseURL != "" { // else it is reported as not set
		if _, err := parseBaseURL(c.BaseURL); err != nil {
			problems = append(problems, config.Problem{Variable: "FLEET_BASE_URL", Text: err.Error(), Accepted: "https://… of the Fleet server"})
		}
	}
	// No team has such a name, so no device would be in it.
	if team, is := strings.CutPrefix(c.Group, teamPrefix); is && team != strings.TrimSpace(team) || is && team == "" {
		problems = append(problems, config.Problem{
			Variable: "FLEET_GROUP", Text: "has no name behind team:, or spaces around it", Accepted: "the name of a label, or team: and the name of a team",
		})
	}
	return problems
}

// parseBaseURL drops the beginning of the API's paths, which people paste along.
func parseBaseURL(text string) (*url.URL, error) {
	return vendorhttp.ParseBase(text, "/api/v1/fleet", "/api/latest/fleet", "/api")
}

// Open makes the provider, as New does.
func Open(c Config) (posture.Provider, []string, error) {
	p, err := New(c)
	if err != nil {
		return nil, nil, err
	}
	return p, nil, nil
}

// New makes the provider. It does not contact the server; Check does.
func New(c Config) (*Provider, error) {
	base, err := parseBaseURL(c.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("FLEET_BASE_URL: %w", err)
	}
	return &Provider{
		config: c, now: time.Now,
		reader: vendorhttp.Reader{Policy: c.facts, Required: c.Requirements().Facts(), Enriches: bool(c.Enrich)},
		Client: vendorhttp.New(vendorhttp.Options{
			Vendor: vendorhttp.Vendor{Name: "Fleet", Server: "a Fleet server", Variable: "FLEET_BASE_URL"},
			Base:   base, Timeout: c.Timeout.Seconds(), AtOnce: atOnce, Rate: perSecond, Burst: burst, RootCAs: c.RootCAs, Hint: hint,
			Auth: vendorhttp.StaticHeader{Name: "Authorization", Prefix: "Bearer ", Value: c.Token, Remedy: "check FLEET_TOKEN"},
		}),
	}, nil
}

// The endpoints, as errors name them.
const (
	hostsEndpoint = "hosts"
	hostEndpoint  = "host"
	countEndpoint = "count"
	meEndpoint    = "me"
)

// Lookup implements posture.Provider. Concurrent lookups of the same device are one, where they read the same facts.
func (p *Provider) Lookup(ctx context.Context, q posture.Query) (posture.Device, error) {
	// Fail closed: what many computers have in place of a serial number names none of them.
	if isPlaceholder(q.Identifier.Key()) {
		return posture.Device{}, fmt.Errorf("%w: no device has this serial number", posture.ErrIdentifier)
	}
	return p.Join(ctx, q, func(ctx context.Context) (posture.Device, error) {
		d, err := p.find(ctx, q)
		if err != nil || !bool(p.config.Enrich) || !q.Facts.Has(posture.Document) {
			return d, err
		}
		if d.Data, err = vendorhttp.DocumentOf(&d); err != nil {
			return posture.Device{}, fmt.Errorf("make data: %w", err)
		}
		return d, nil
	})
}

// find searches for the host, and asks for it alone where something that is wanted is in no row of a search.
func (p *Provider) find(ctx context.Context, q posture.Query) (posture.Device, error) {
	rows, err := p.search(ctx, q.Identifier)
	if err != nil {
		return posture.Device{}, err
	}
	row, d, err := vendorhttp.Newest(p.Client, q, vendorhttp.Contains, rows, p.deviceOfRow)
	if err != nil {
		return posture.Device{}, err
	}
	wanted := p.reader.Wanted(q)
	if !wanted.Has(factsOfHost()) {
		return d, nil
	}
	ctx, cancel := wanted.Within(ctx, factsOfHost())
	defer cancel()
	whole, err := p.host(ctx, row.ID, q.Identifier)
	switch {
	case err == nil && whole.Type != d.Type:
		// Fail closed: it was chosen as a device of the type that was asked for.
		return posture.Device{}, errors.New(hostEndpoint + ": the answer is about another type of device than the search")
	case err == nil:
		return whole, nil
	case wanted.Fails(factsOfHost()):
		return posture.Device{}, err
	}
	return d, nil // what is only recorded stays unknown
}

// search returns all hosts that Fleet finds for a serial number: those whose name, serial number, UUID or address contains it.
func (p *Provider) search(ctx context.Context, id posture.Identifier) ([]vendorjson.Record[host], error) {
	var all []vendorjson.Record[host]
	for page := range searchPages {
		query := pageQuery(page, searchPage)
		query.Set("query", id.String())
		rows, err := p.hosts(ctx, query)
		if err != nil {
			return nil, err
		}
		if all = append(all, rows...); len(rows) < searchPage {
			return all, nil
		}
	}
	// Fail closed: the host may be on the next page.
	return nil, fmt.Errorf("%s: the search for the serial number found %d hosts or more", hostsEndpoint, searchPages*searchPage)
}

// pageQuery asks for a page in the order of IDs: without an order, a host can be on two pages, or on none.
func pageQuery(page, size int) url.Values {
	return url.Values{
		"page": {strconv.Itoa(page)}, "per_page": {strconv.Itoa(size)}, "order_key": {"id"}, "order_direction": {"asc"},
	}
}

// hosts returns a page of hosts. A record without an ID is broken.
func (p *Provider) hosts(ctx context.Context, query url.Values) ([]vendorjson.Record[host], error) {
	body, err := p.Get(ctx, hostsEndpoint, "/api/v1/fleet/hosts", query)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Hosts *[]vendorjson.Record[host] `json:"hosts"`
	}
	const what = "a list of hosts"
	if err := p.Decode(hostsEndpoint, what, body, &answer); err != nil {
		return nil, err
	}
	if answer.Hosts == nil {
		return nil, p.NotA(hostsEndpoint, what)
	}
	rows := *answer.Hosts
	for i := range rows {
		rows[i].Broken = rows[i].Broken || rows[i].Value.ID == 0
	}
	return rows, nil
}

// host returns a host with the facts that no row of a search has.
func (p *Provider) host(ctx context.Context, id uint64, serial posture.Identifier) (posture.Device, error) {
	body, err := p.Get(ctx, hostEndpoint, "/api/v1/fleet/hosts/"+strconv.FormatUint(id, 10), url.Values{"exclude_software": {"true"}})
	if err != nil {
		return posture.Device{}, err
	}
	var answer struct {
		Host vendorjson.Record[host] `json:"host"`
	}
	const what = "a host"
	if err := p.Decode(hostEndpoint, what, body, &answer); err != nil {
		return posture.Device{}, err
	}
	if answer.Host.Broken || answer.Host.Value.ID == 0 {
		return posture.Device{}, p.NotA(hostEndpoint, what)
	}
	d := p.deviceOfHost(&answer.Host.Value)
	// Fail closed: between the two requests the ID may have become that of another computer.
	if answer.Host.Value.ID != id || !serial.Matches(d) {
		return posture.Device{}, errors.New(hostEndpoint + ": the answer is about another host than the one that was asked for")
	}
	return d, nil
}

// hint says what a status means at Fleet.
func hint(endpoint string, status int) string {
	switch {
	case status == http.StatusPaymentRequired:
		return "the server asks for a license of Fleet Premium"
	case status == http.StatusForbidden:
		return "the user of FLEET_TOKEN may not read that; give the API-only user the role Observer for all teams"
	case status == http.StatusNotFound && endpoint == hostEndpoint:
		return "the host was deleted meanwhile"
	}
	return ""
}

// Returns says which data about devices go to step-ca.
func (p *Provider) Returns(posture.DeviceType) string {
	if p.config.Enrich {
		return "device, user and group data is returned"
	}
	return "no data is returned"
}

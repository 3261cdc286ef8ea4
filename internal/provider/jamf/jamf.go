// Package jamf is the inventory of a Jamf Pro server.
//
// It looks devices up by serial number only: the UDID that Apple attests for a Mac is the
// provisioning UDID, and Jamf cannot search for that.
package jamf

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/panics"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
)

// Config says which server to ask, and what to require of a device.
type Config struct {
	// The Jamf Pro server: `https://` and its host, with port and context path where it has them.
	BaseURL string `env:"JAMF_BASE_URL,required" example:"https://example.jamfcloud.com" accepted:"https://… of the Jamf Pro server"`
	// The client ID of an API client of that server.
	ClientID string `env:"JAMF_CLIENT_ID,required" example:"4e9c2a51-6d0b-4b7a-9a7e-2f6a5f0c1d34" accepted:"the client ID of a Jamf API client"`
	// The client secret of that API client.
	ClientSecret config.Secret `env:"JAMF_CLIENT_SECRET,required" example:"the-secret-that-jamf-shows-once" accepted:"the client secret of the API client"`
	// The exact name of the group, smart or static, that a mobile device must be a member of; without it none is required.
	DeviceGroup string `env:"JAMF_DEVICE_GROUP" example:"Up to date" accepted:"the name of a mobile device group"`
	// The exact name of the group, smart or static, that a computer must be a member of; without it none is required.
	ComputerGroup string `env:"JAMF_COMPUTER_GROUP" example:"Disk encrypted" accepted:"the name of a computer group"`
	// `1`: what Jamf knows about a mobile device, its user and its groups goes to step-ca, for the certificate.
	DeviceEnrich config.Switch `env:"JAMF_DEVICE_ENRICH" envDefault:"0" accepted:"0 or 1"`
	// `1`: what Jamf knows about a computer, its user and its groups goes to step-ca, for the certificate.
	ComputerEnrich config.Switch `env:"JAMF_COMPUTER_ENRICH" envDefault:"0" accepted:"0 or 1"`
	// `pro`: the Jamf Pro API, in the newest version that the server has; `classic`: the Classic API, for servers that are too old for it.
	API string `env:"JAMF_API" envDefault:"pro" choice:"pro,classic"`
	// `1`: a device that Jamf has a record of but does not manage may pass too.
	AllowUnmanaged config.Switch `env:"JAMF_ALLOW_UNMANAGED" envDefault:"0" accepted:"0 or 1"`
	// Seconds for each request to Jamf, see [Timing and limits](#timing-and-limits).
	Timeout config.Whole `env:"TIMEOUT" envDefault:"10" range:"1-300"`

	// RootCAs are the CAs that may have issued the server's certificate; nil means the system's.
	RootCAs *x509.CertPool

	facts bool // a policy file may read facts
}

// Provider asks a Jamf Pro server.
type Provider struct {
	*vendorhttp.Client
	config  Config
	reading *reading
	api     api
	now     func() time.Time // the age of a refused privilege is measured with it
}

// api is one of the two interfaces of Jamf Pro. Both return ErrNotFound and ErrAmbiguous of posture;
// a record is always one of the device that was asked for.
type api interface {
	lookup(ctx context.Context, ask query) (record, error)
	// checkDepartments finds out whether names of departments may be read, where they are needed.
	checkDepartments(ctx context.Context) error
}

// Open makes the provider, as New does.
func Open(c Config) (posture.Provider, []string, error) {
	p, err := New(c)
	if err != nil {
		return nil, nil, err
	}
	return p, nil, nil
}

// Requirements are what is required of a device.
func (c Config) Requirements() posture.Requirements {
	return posture.Requirements{Groups: posture.RequiredGroups(c.ComputerGroup, c.DeviceGroup), AllowUnmanaged: bool(c.AllowUnmanaged)}
}

// Facts are those that the page has in its tables. Jamf's compliance is a group, or an extension attribute.
func (c Config) Facts() posture.FactSet {
	return posture.AllFacts() &^ posture.MustFacts("device.compliant")
}

// DefaultType is that of a request without a mode.
func (c Config) DefaultType() posture.DeviceType { return posture.MobileDevice }

// ReadFacts says that a policy file may read facts: a lookup then fails where one that is read cannot be asked for.
func (c *Config) ReadFacts() { c.facts = true }

// Problems returns what the tags of Config cannot say.
func (c Config) Problems() config.Problems {
	if c.BaseURL == "" {
		return nil // reported as not set
	}
	if _, err := parseBaseURL(c.BaseURL); err != nil {
		return config.Problems{{Variable: "JAMF_BASE_URL", Text: err.Error(), Accepted: "https://… of the Jamf Pro server"}}
	}
	return nil
}

// New makes the provider. It does not contact the server; Check does.
func New(c Config) (*Provider, error) {
	base, err := parseBaseURL(c.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("JAMF_BASE_URL: %w", err)
	}
	p := &Provider{config: c, reading: newReading(), now: time.Now}
	now := func() time.Time { return p.now() }
	p.Client = vendorhttp.New(vendorhttp.Options{
		Vendor: vendorhttp.Vendor{Name: "Jamf", Server: "a Jamf Pro server", Variable: "JAMF_BASE_URL"},
		Base:   base, Timeout: c.Timeout.Seconds(), AtOnce: maxRequests, RootCAs: c.RootCAs, Hint: hint,
		Now: now,
		Auth: vendorhttp.ClientCredentials{
			ID: c.ClientID, Secret: c.ClientSecret, Outdated: p.outdated,
			// Servers before 11.23 have only the second path. https://developer.jamf.com/jamf-pro/docs/client-credentials
			Path: "/api/v1/oauth/token", OldPath: "/api/oauth/token",
			Remedy: "check JAMF_CLIENT_ID and JAMF_CLIENT_SECRET, and that the API client is enabled",
		},
	})
	if c.API == "classic" {
		p.api = &classicAPI{client: p.Client, now: now}
	} else {
		p.api = &proAPI{client: p.Client, departments: &departments{provider: p}, reading: p.reading, resolve: bool(c.ComputerEnrich) || c.facts, now: now}
	}
	return p, nil
}

func parseBaseURL(text string) (*url.URL, error) {
	return vendorhttp.ParseBase(text, "/api", "/JSSResource")
}

// outdated reports whether a new token may be accepted. Jamf gives a token the privileges that the API client has at
// that time. Where the privilege is missing for good, this is one more token each time that privilegeMemory has passed.
func (p *Provider) outdated(why *vendorhttp.Fault, issued time.Time) bool {
	return why.Status == http.StatusForbidden && privilegeOf(why.Endpoint) != "" && p.now().Sub(issued) >= privilegeMemory
}

// Lookup implements posture.Provider. Concurrent lookups of the same device are one, where they read the same facts.
func (p *Provider) Lookup(ctx context.Context, q posture.Query) (posture.Device, error) {
	// A text that cannot be an Apple serial number is not put into a query.
	if !isSerialNumber(q.Identifier.Key()) {
		return posture.Device{}, fmt.Errorf("%w: Jamf is asked for serial numbers of 8 to 14 letters and digits", posture.ErrIdentifier)
	}
	id, err := posture.ParseIdentifier(q.Identifier.Key())
	if err != nil {
		return posture.Device{}, fmt.Errorf("%w: %w", posture.ErrIdentifier, err)
	}
	if q.Type == "" {
		q.Type = p.config.DefaultType()
	}
	q.Identifier = id
	return p.Join(ctx, q, func(ctx context.Context) (posture.Device, error) {
		found, err := p.find(ctx, q)
		if errors.Is(err, posture.ErrNotFound) {
			return posture.Device{}, notFound(q.Type)
		}
		if err != nil {
			return posture.Device{}, err
		}
		return p.device(found, q)
	})
}

// notFound says what was searched, and how to search the rest. A missing mode is a common mistake.
func notFound(t posture.DeviceType) error {
	searched, other, mode := "mobile device", "computers", posture.Computer
	switch t {
	case posture.AnyDevice:
		return fmt.Errorf("%w: Jamf has neither a computer nor a mobile device with the serial number", posture.ErrNotFound)
	case posture.Computer:
		searched, other, mode = "computer", "mobile devices", posture.MobileDevice
	case posture.MobileDevice:
	}
	return fmt.Errorf("%w: Jamf has no %s with the serial number; %s were not searched: add ?mode=%s or ?mode=%s to the webhook's URL (lookup: --mode)",
		posture.ErrNotFound, searched, other, mode, posture.AnyDevice)
}

// isSerialNumber reports whether a key can be the serial number of a device of Apple.
func isSerialNumber(key string) bool {
	const shortest, longest = 8, 14
	for i := range len(key) {
		if c := key[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return shortest <= len(key) && len(key) <= longest
}

// find asks for the device types that q may be.
func (p *Provider) find(ctx context.Context, q posture.Query) (record, error) {
	if q.Type != posture.AnyDevice {
		return p.api.lookup(ctx, p.query(q, q.Type))
	}
	type answer struct {
		found record
		err   error
		panic *panics.Panic
	}
	computers := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			a.panic = panics.Recovered(recover())
			computers <- a
		}()
		a.found, a.err = p.api.lookup(ctx, p.query(q, posture.Computer))
	}()
	mobile, errMobile := p.api.lookup(ctx, p.query(q, posture.MobileDevice))
	computer := <-computers
	if computer.panic != nil {
		panic(computer.panic) // a fault of the connector, which must not look like one of Jamf's
	}
	return either(mobile, errMobile, computer.found, computer.err)
}

// either joins the answers about both kinds of device.
func either(mobile record, errMobile error, computer record, errComputer error) (record, error) {
	answered := func(err error) bool { return err == nil || errors.Is(err, posture.ErrNotFound) }
	switch {
	case errors.Is(errMobile, posture.ErrAmbiguous) || errors.Is(errComputer, posture.ErrAmbiguous):
		return record{}, posture.ErrAmbiguous
	// Fail closed: with one side unknown, the other side may be half of the truth.
	case !answered(errMobile):
		return record{}, errMobile
	case !answered(errComputer):
		return record{}, errComputer
	case errMobile == nil && errComputer == nil:
		return record{}, fmt.Errorf("%w: one is a computer, one a mobile device", posture.ErrAmbiguous)
	case errMobile == nil:
		return mobile, nil
	default:
		return computer, errComputer
	}
}

// device turns a record into what the rest of the connector knows of a device.
func (p *Provider) device(r record, q posture.Query) (posture.Device, error) {
	d := posture.Device{Identifier: r.serial, Type: r.deviceType, Facts: r.facts}
	if !p.hasPolicy(q) {
		d.Facts.Groups = posture.Known(r.groups) // without rules only membership is asked, so a group without a name harms nothing
	}
	if !q.Facts.Has(posture.Document) || !p.enriches(r.deviceType) {
		return d, nil
	}
	data, err := r.data()
	if err != nil {
		return posture.Device{}, err
	}
	d.Data = data
	return d, nil
}

// enriches reports whether the data about devices of a type go to step-ca.
func (p *Provider) enriches(t posture.DeviceType) bool {
	if t == posture.Computer {
		return bool(p.config.ComputerEnrich)
	}
	return bool(p.config.DeviceEnrich)
}

// Returns says which data about devices of a type go to step-ca.
func (p *Provider) Returns(t posture.DeviceType) string {
	if p.enriches(t) {
		return "device, user and group data is returned"
	}
	return "no data is returned"
}

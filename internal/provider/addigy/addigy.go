// Package addigy is the inventory of Addigy, by version 2 of its API.
//
// One search answers every lookup, and one search without a filter is the list. The search may ignore its filter, so what it
// returns is never trusted to be the device that was asked for.
package addigy

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
)

// Config says which tenant to ask, and what to require of a device.
type Config struct {
	// The server of Addigy's API: `https://` and its host.
	BaseURL string `env:"ADDIGY_BASE_URL" envDefault:"https://api.addigy.com" example:"https://api.addigy.com" accepted:"https://… of Addigy's API, version 2"`
	// An API token of Addigy with the permission *View Devices*, and no other.
	Token config.Secret `env:"ADDIGY_TOKEN,required" example:"the-token-that-addigy-shows-once" accepted:"an API token of Addigy"`
	// The ID of the policy of Addigy that a device must be in; without it none is required.
	Group string `env:"ADDIGY_GROUP" example:"5f0c1d34-6d0b-4b7a-9a7e-2f6a4e9c2a51" accepted:"the ID of a policy in Addigy"`
	// `1`: what Addigy knows about a device goes to step-ca, for the certificate.
	Enrich config.Switch `env:"ADDIGY_ENRICH" envDefault:"0" accepted:"0 or 1"`
	// `1`: only a device passes that Addigy says is compliant.
	RequireCompliant config.Switch `env:"ADDIGY_REQUIRE_COMPLIANT" envDefault:"0" accepted:"0 or 1"`
	// Seconds for each request to Addigy, see [Timing and limits](#timing-and-limits).
	Timeout config.Whole `env:"TIMEOUT" envDefault:"10" range:"1-300"`

	// RootCAs are the CAs that may have issued the server's certificate; nil means the system's.
	RootCAs *x509.CertPool

	facts bool // a policy file may read facts
}

// Provider asks Addigy.
type Provider struct {
	*vendorhttp.Client
	enriches bool
	now      func() time.Time
}

// ended is the host of version 1 of the API, which Addigy has switched off on 2026-03-31.
const ended = "prod.addigy.com"

// Open makes the provider, as New does. It warns where no policy can ask when a device was seen last.
func Open(c Config) (posture.Provider, []string, error) {
	p, err := New(c)
	if err != nil {
		return nil, nil, err
	}
	if c.facts {
		return p, nil, nil
	}
	return p, []string{
		"Addigy keeps the records of retired machines for years, and their certificates are allowed too: use a policy file with a rule about device.last_seen",
	}, nil
}

// Requirements are what is required of a device.
func (c Config) Requirements() posture.Requirements {
	return posture.Requirements{Groups: posture.RequiredGroup(c.Group), Compliant: bool(c.RequireCompliant)}
}

// Facts are those that the page has in its table. Addigy's user is the one who is logged in: an attribute, and no user.username.
func (c Config) Facts() posture.FactSet {
	return posture.MustFacts(
		"device.identifier", "device.serial_number", "device.name", "device.model", "device.type", "device.os", "device.os_version",
		"device.managed", "device.supervised", "device.compliant", "device.encrypted", "device.last_seen", "device.groups", "device.attributes",
	)
}

// ReadFacts says that a policy file may read facts.
func (c *Config) ReadFacts() { c.facts = true }

// Problems returns what the tags of Config cannot say.
func (c Config) Problems() config.Problems {
	if c.BaseURL == "" {
		return nil // reported as not set
	}
	if _, err := parseBaseURL(c.BaseURL); err != nil {
		return config.Problems{{Variable: "ADDIGY_BASE_URL", Text: err.Error(), Accepted: "https://api.addigy.com, or https://… of a proxy in front of it"}}
	}
	return nil
}

// New makes the provider. It does not contact the server; Check does.
func New(c Config) (*Provider, error) {
	base, err := parseBaseURL(c.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("ADDIGY_BASE_URL: %w", err)
	}
	p := &Provider{enriches: bool(c.Enrich), now: time.Now}
	p.Client = vendorhttp.New(vendorhttp.Options{
		Vendor: vendorhttp.Vendor{Name: "Addigy", Server: "Addigy's API", Variable: "ADDIGY_BASE_URL"},
		Base:   base, Timeout: c.Timeout.Seconds(), RootCAs: c.RootCAs, Hint: hint,
		AtOnce: maxRequests, Rate: requestRate, Burst: requestBurst, Lockout: lockout,
		Auth: vendorhttp.StaticHeader{Name: "x-api-key", Value: c.Token, Remedy: "check ADDIGY_TOKEN"},
	})
	return p, nil
}

func parseBaseURL(text string) (*url.URL, error) {
	base, err := vendorhttp.ParseBase(text, "/devices", "/api/v2", "/api")
	switch {
	case err != nil:
		return nil, err
	case strings.EqualFold(base.Hostname(), ended):
		return nil, errors.New("is the host of version 1 of the API, which Addigy has ended on 2026-03-31")
	case strings.HasSuffix(base.Path, "/v1"):
		return nil, errors.New("is version 1 of the API, which Addigy has ended on 2026-03-31")
	}
	return base, nil
}

// hint says what a status means at Addigy.
func hint(_ string, status int) string {
	switch status {
	case http.StatusForbidden:
		return "the token lacks the permission View Devices; add it in Addigy under Account, Integrations"
	case http.StatusTooManyRequests:
		return fmt.Sprintf("too many requests of the tenant, which Addigy may reject for 24 hours; the connector sends none for %v", lockout)
	}
	return ""
}

// Lookup implements posture.Provider. Concurrent lookups of the same device are one.
func (p *Provider) Lookup(ctx context.Context, q posture.Query) (posture.Device, error) {
	// What Addigy's search makes of other texts is not known.
	if !isSerialNumber(q.Identifier.Key()) {
		return posture.Device{}, fmt.Errorf("%w: Addigy is asked for serial numbers of 8 to 14 letters and digits", posture.ErrIdentifier)
	}
	id, err := posture.ParseIdentifier(q.Identifier.Key())
	if err != nil {
		return posture.Device{}, fmt.Errorf("%w: %w", posture.ErrIdentifier, err)
	}
	q.Identifier = id
	return p.Join(ctx, q, func(ctx context.Context) (posture.Device, error) {
		found, err := p.search(ctx, q.Identifier)
		if err != nil {
			return posture.Device{}, err
		}
		_, device, err := vendorhttp.Newest(p.Client, q, vendorhttp.Exact, found, p.device)
		if err != nil {
			return posture.Device{}, err
		}
		return p.enriched(device, q.Facts)
	})
}

// enriched is a device with its data for the certificate, where they are wanted.
func (p *Provider) enriched(d posture.Device, facts posture.FactSet) (posture.Device, error) {
	if !p.enriches || !facts.Has(posture.Document) {
		return d, nil
	}
	data, err := vendorhttp.DocumentOf(&d)
	if err != nil {
		return posture.Device{}, err
	}
	d.Data = data
	return d, nil
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

// Returns says which data about devices go to step-ca.
func (p *Provider) Returns(posture.DeviceType) string {
	if p.enriches {
		return "device and policy data is returned"
	}
	return "no data is returned"
}

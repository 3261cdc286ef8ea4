// Package iru is the inventory of an Iru tenant, which was called Kandji before.
//
// Iru finds serial numbers that contain the one that is asked for, and its gateway answers 404 in JSON: neither is taken for
// an answer about a device.
package iru

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
)

// Config says which tenant to ask, and what to require of a device.
type Config struct {
	// The API of your tenant, as Iru shows it under Settings, Access: `https://` and a host such as `example.api.iru.com` or `example.api.eu.kandji.io`.
	BaseURL string `env:"IRU_BASE_URL,required" example:"https://example.api.iru.com" accepted:"the URL of the API: https://SUB.api.iru.com, SUB.api.eu.iru.com, SUB.api.kandji.io or SUB.api.eu.kandji.io, with your SUB"`
	// An API token of that tenant with the permission `Device list`.
	Token config.Secret `env:"IRU_TOKEN,required" example:"the-token-that-iru-shows-once" accepted:"the API token, without Bearer in front of it"`
	// The exact name of the tag that a device must have, or, better with `blueprint:` before it, of its blueprint; without it none is required.
	Group string `env:"IRU_GROUP" example:"wifi" accepted:"the name of a tag, or blueprint:NAME"`
	// `1`: what Iru knows about a device, its user, its tags and its blueprint goes to step-ca, for the certificate.
	Enrich config.Switch `env:"IRU_ENRICH" envDefault:"0" accepted:"0 or 1"`
	// `1`: a device that Iru has a record of but does not manage may pass too.
	AllowUnmanaged config.Switch `env:"IRU_ALLOW_UNMANAGED" envDefault:"0" accepted:"0 or 1"`
	// Seconds for each request to Iru, see [Timing and limits](#timing-and-limits).
	Timeout config.Whole `env:"TIMEOUT" envDefault:"10" range:"1-300"`

	// RootCAs are the CAs that may have issued the server's certificate; nil means the system's.
	RootCAs *x509.CertPool

	facts bool // a policy file may read facts
}

// acceptedURL is what IRU_BASE_URL may be.
const acceptedURL = "the URL of the API: https://SUB.api.iru.com, SUB.api.eu.iru.com, SUB.api.kandji.io or SUB.api.eu.kandji.io, with your SUB"

// Provider asks an Iru tenant.
type Provider struct {
	*vendorhttp.Client
	config Config
	reader vendorhttp.Reader
	host   string
}

// Requirements are what is required of a device.
func (c Config) Requirements() posture.Requirements {
	return posture.Requirements{Groups: posture.RequiredGroup(c.Group), AllowUnmanaged: bool(c.AllowUnmanaged)}
}

// Facts are those that the page has in its table. Iru has no verdict about compliance, and does not say who owns a device.
func (c Config) Facts() posture.FactSet {
	return posture.AllFacts() &^ posture.MustFacts("device.compliant", "device.ownership", "user.position", "user.department")
}

// ReadFacts says that a policy file may read facts: a lookup then fails where one that is read cannot be asked for.
func (c *Config) ReadFacts() { c.facts = true }

// Listable says that devices can be listed.
func (c Config) Listable() {}

// Problems returns what the tags of Config cannot say.
func (c Config) Problems() config.Problems {
	var problems config.Problems
	if c.BaseURL != "" { // else reported as not set
		if _, err := parseBaseURL(c.BaseURL); err != nil {
			problems = append(problems, config.Problem{Variable: "IRU_BASE_URL", Text: err.Error(), Accepted: acceptedURL})
		}
	}
	if token := string(c.Token.Reveal()); token != "" && !regexp.MustCompile(`^[!-~]+$`).MatchString(token) {
		problems = append(problems, config.Problem{
			Variable: "IRU_TOKEN", Text: "holds a space or another character that no token has", Accepted: "the API token, without Bearer in front of it",
		})
	}
	// Fail closed: in other letters it would be a tag, and a user who may write tags could make one of that name.
	if n := len(blueprintPrefix); len(c.Group) >= n && strings.EqualFold(c.Group[:n], blueprintPrefix) {
		if name, exact := strings.CutPrefix(c.Group, blueprintPrefix); !exact || strings.TrimSpace(name) == "" {
			problems = append(problems, config.Problem{
				Variable: "IRU_GROUP", Text: "begins as a blueprint does, and names none", Accepted: "the name of a tag, or blueprint: in small letters and the name of a blueprint",
			})
		}
	}
	return problems
}

// parseBaseURL reads the base URL. A host of the vendor that is not one of the API is refused: the console answers every
// path with a page.
func parseBaseURL(text string) (*url.URL, error) {
	base, err := vendorhttp.ParseBase(text, "/devices", "/v1", "/api")
	if err != nil {
		return nil, err
	}
	host := strings.ToLower(base.Hostname())
	if ofVendor(host) && !isAPI(host) {
		return nil, fmt.Errorf("%s is no host of the API: Iru shows the API's URL under Settings, Access", host)
	}
	return base, nil
}

func ofVendor(host string) bool {
	return regexp.MustCompile(`(^|\.)(kandji\.io|iru\.com)\.?$`).MatchString(host)
}

// isAPI reports whether a host is one of the four that Iru has for the API of a tenant.
func isAPI(host string) bool {
	return regexp.MustCompile(`^[a-z0-9][a-z0-9-]*\.api(\.eu)?\.(kandji\.io|iru\.com)$`).MatchString(host)
}

// Open makes the provider, as New does. It warns of a host that is not the vendor's, because the token is sent to it.
func Open(c Config) (posture.Provider, []string, error) {
	p, err := New(c)
	if err != nil {
		return nil, nil, err
	}
	if !isAPI(p.host) {
		return p, []string{"IRU_BASE_URL: " + p.host + " is no host of Iru, and the token is sent to it"}, nil
	}
	return p, nil, nil
}

// New makes the provider. It does not contact the server; Check does.
func New(c Config) (*Provider, error) {
	return withLimits(c, limits{requestsPerSecond, requestsAtStart, lockout})
}

// limits are those of requests.
type limits struct {
	rate    float64
	burst   int
	lockout time.Duration
}

func withLimits(c Config, l limits) (*Provider, error) {
	base, err := parseBaseURL(c.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("IRU_BASE_URL: %w", err)
	}
	// Data for the certificate have no UDID, which would take another request for every device.
	p := &Provider{config: c, reader: vendorhttp.Reader{Policy: c.facts}, host: strings.ToLower(base.Hostname())}
	p.Client = vendorhttp.New(vendorhttp.Options{
		Vendor: vendorhttp.Vendor{Name: "Iru", Server: "the API of an Iru tenant", Variable: "IRU_BASE_URL"},
		Base:   base, Timeout: c.Timeout.Seconds(), RootCAs: c.RootCAs, Hint: hint,
		AtOnce: maxRequests, Rate: l.rate, Burst: l.burst, Lockout: l.lockout,
		Auth: vendorhttp.StaticHeader{
			Name: "Authorization", Prefix: "Bearer ", Value: c.Token,
			Remedy: "check IRU_TOKEN: the token is wrong, was revoked, or has expired",
		},
	})
	return p, nil
}

// Lookup implements posture.Provider. Concurrent lookups of the same device are one, where they read the same facts.
func (p *Provider) Lookup(ctx context.Context, q posture.Query) (posture.Device, error) {
	// A text that cannot be a serial number is not put into a query: a short one is contained in many.
	if !isSerialNumber(q.Identifier.Key()) {
		return posture.Device{}, fmt.Errorf("%w: Iru is asked for serial numbers of 6 to 64 letters, digits and hyphens", posture.ErrIdentifier)
	}
	return p.Join(ctx, q, func(ctx context.Context) (posture.Device, error) {
		found, err := p.search(ctx, q.Identifier.Key())
		if err != nil {
			return posture.Device{}, err
		}
		now := time.Now()
		r, device, err := vendorhttp.Newest(p.Client, q, vendorhttp.Contains, found, func(r *record) posture.Device { return r.device(now) })
		if err != nil {
			return posture.Device{}, unfiltered(err, q, found)
		}
		if device, err = p.withData(device, q.Facts); err != nil {
			return posture.Device{}, err
		}
		return p.withDetails(ctx, q, r, device)
	})
}

// isSerialNumber reports whether a key can be a serial number. Those of Apple have 8 to 14 letters and digits.
func isSerialNumber(key string) bool {
	const shortest, longest = 6, 64
	strange := func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-'
	}
	return shortest <= len(key) && len(key) <= longest && !strings.ContainsFunc(key, strange)
}

// withData adds the data for the certificate, in lookups and in lists.
func (p *Provider) withData(d posture.Device, facts posture.FactSet) (posture.Device, error) {
	if !facts.Has(posture.Document) || !bool(p.config.Enrich) {
		return d, nil
	}
	var err error
	if d.Data, err = vendorhttp.DocumentOf(&d); err != nil {
		return posture.Device{}, fmt.Errorf("data: %w", err)
	}
	return d, nil
}

// Returns says which data about devices go to step-ca.
func (p *Provider) Returns(posture.DeviceType) string {
	if p.config.Enrich {
		return "device, user and group data is returned"
	}
	return "no data is returned"
}

// Package mosyle is the inventory of Mosyle Business, Mosyle Fuse and Mosyle Manager. It is experimental: Mosyle shows the
// documentation of its API to customers only, and what is known of it was seen in clients that others have written.
package mosyle

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/panics"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
	"step-posture-connector/internal/provider/vendorjson"
)

// Config says which account to ask, and what to require of a device.
type Config struct {
	// `business`: Mosyle Business or Mosyle Fuse; `manager`: Mosyle Manager, the product for schools.
	Product string `env:"MOSYLE_PRODUCT" envDefault:"business" choice:"business,manager"`
	// The access token of the API integration.
	AccessToken config.Secret `env:"MOSYLE_ACCESS_TOKEN,required" example:"the-access-token-of-the-integration" accepted:"the access token of the API integration"`
	// The e-mail address of the administrator that the connector logs in as.
	Email string `env:"MOSYLE_EMAIL,required" example:"connector@example.com" accepted:"the e-mail address of an administrator of Mosyle"`
	// The password of that administrator.
	Password config.Secret `env:"MOSYLE_PASSWORD,required" example:"the-password-of-the-administrator" accepted:"the password of that administrator"`
	// The URL of the API, with its version, where it is not the one of the product.
	BaseURL string `env:"MOSYLE_BASE_URL" example:"https://businessapi.mosyle.com/v1" accepted:"https://… of the API, with its version"`
	// The exact name of the tag that a device must have; without it none is required.
	Group string `env:"MOSYLE_GROUP" example:"wifi" accepted:"the name of a tag"`
	// `1`: what Mosyle knows about a device, its user and its tags goes to step-ca, for the certificate.
	Enrich config.Switch `env:"MOSYLE_ENRICH" envDefault:"0" accepted:"0 or 1"`
	// `1`: a device that Mosyle has a record of but does not manage may pass too.
	AllowUnmanaged config.Switch `env:"MOSYLE_ALLOW_UNMANAGED" envDefault:"0" accepted:"0 or 1"`
	// Seconds for each request to Mosyle, see [Timing and limits](#timing-and-limits).
	Timeout config.Whole `env:"TIMEOUT" envDefault:"10" range:"1-300"`

	// RootCAs are the CAs that may have issued the server's certificate; nil means the system's.
	RootCAs *x509.CertPool
}

// Provider asks Mosyle.
type Provider struct {
	*vendorhttp.Client
	config  Config
	product product
	now     func() time.Time // the age of a refused token is measured with it
}

// Open makes the provider, as New does.
func Open(c Config) (posture.Provider, []string, error) {
	p, err := New(c)
	if err != nil {
		return nil, nil, err
	}
	return p, []string{experimental}, nil
}

// experimental is the warning of each start.
const experimental = "the provider mosyle is experimental: Mosyle documents its API for customers only, and nothing here was tried with a live account; " +
	"compare what the command lookup says with Mosyle before you rely on it"

// Requirements are what is required of a device.
func (c Config) Requirements() posture.Requirements {
	return posture.Requirements{Groups: posture.RequiredGroup(c.Group), AllowUnmanaged: bool(c.AllowUnmanaged)}
}

// Facts are those that the page has in its table.
func (Config) Facts() posture.FactSet {
	return posture.AllFacts() &^ posture.MustFacts("device.compliant", "device.encrypted", "device.ownership", "user.position", "user.department")
}

// Problems returns what the tags of Config cannot say.
func (c Config) Problems() config.Problems {
	if _, err := c.base(); err != nil {
		return config.Problems{{Variable: "MOSYLE_BASE_URL", Text: err.Error(), Accepted: "https://… of the API, with its version"}}
	}
	return nil
}

// base is the URL of the API.
func (c Config) base() (*url.URL, error) {
	of := productOf(c.Product)
	if c.BaseURL == "" {
		return url.Parse(of.base)
	}
	base, err := vendorhttp.ParseBase(c.BaseURL, of.devices, "/login")
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"business", "manager"} {
		whole, err := url.Parse(productOf(name).base)
		if err != nil {
			return nil, fmt.Errorf("the URL of %s: %w", name, err)
		}
		switch {
		case base.Host != whole.Host:
		case name != of.name:
			return nil, errors.New("is the API of another product than MOSYLE_PRODUCT")
		case base.Path != whole.Path:
			return nil, errors.New("has not the version of the API as its path, " + whole.Path)
		}
	}
	return base, nil
}

// New makes the provider. It does not contact the server; Check does.
func New(c Config) (*Provider, error) { return limited(c, perSecond, lockout) }

// limited makes a provider that sends so many requests a second, and none for that long after a 429.
func limited(c Config, rate float64, pause time.Duration) (*Provider, error) {
	base, err := c.base()
	if err != nil {
		return nil, fmt.Errorf("MOSYLE_BASE_URL: %w", err)
	}
	p := &Provider{config: c, product: productOf(c.Product), now: time.Now}
	login := vendorhttp.Login{
		Request: p.login, Token: p.token, Outdated: p.outdated,
		Remedy: "check MOSYLE_ACCESS_TOKEN, MOSYLE_EMAIL and MOSYLE_PASSWORD",
	}
	p.Client = vendorhttp.New(vendorhttp.Options{
		Vendor: vendorhttp.Vendor{Name: "Mosyle", Server: "the API of " + p.product.title, Variable: "MOSYLE_BASE_URL"},
		Base:   base, Timeout: c.Timeout.Seconds(), AtOnce: maxRequests, RootCAs: c.RootCAs, Hint: hint,
		Rate: rate, Burst: burst, Lockout: pause,
		Now:  func() time.Time { return p.now() },
		Auth: login,
	})
	return p, nil
}

// outdated reports whether a new token may be accepted.
func (p *Provider) outdated(why *vendorhttp.Fault, issued time.Time) bool {
	return why.Status == http.StatusForbidden && p.now().Sub(issued) >= refusalMemory
}

// hint says what a status means at Mosyle.
func hint(_ string, status int) string {
	switch status {
	case http.StatusForbidden:
		return "Mosyle may have limited the access token to other addresses, or something on the way to it forbids that"
	case http.StatusNotFound:
		return "the server does not have this endpoint; check MOSYLE_PRODUCT and MOSYLE_BASE_URL"
	}
	return ""
}

// Lookup implements posture.Provider. Concurrent lookups of the same device are one.
func (p *Provider) Lookup(ctx context.Context, q posture.Query) (posture.Device, error) {
	id, err := posture.ParseIdentifier(q.Identifier.Key())
	if err != nil || !isSerialNumber(q.Identifier.Key()) {
		return posture.Device{}, fmt.Errorf("%w: Mosyle is asked for serial numbers of 8 to 14 letters and digits", posture.ErrIdentifier)
	}
	q.Identifier = id
	return p.Join(ctx, q, func(ctx context.Context) (posture.Device, error) {
		found, err := p.find(ctx, q)
		if err != nil {
			return posture.Device{}, err
		}
		_, device, err := vendorhttp.Newest(p.Client, q, vendorhttp.Contains, found, p.device)
		switch {
		case errors.Is(err, posture.ErrNotFound):
			return posture.Device{}, fmt.Errorf("%w: Mosyle has no %s with the serial number", posture.ErrNotFound, kindOf(q.Type))
		case err != nil:
			return posture.Device{}, err
		}
		return p.withData(device, q.Facts)
	})
}

// kindOf names what was searched for.
func kindOf(t posture.DeviceType) string {
	switch t {
	case posture.Computer:
		return "Mac"
	case posture.MobileDevice:
		return "mobile device"
	case posture.AnyDevice:
	}
	return "device"
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

// find asks for the device under each operating system that it may have: a request is for one of them.
func (p *Provider) find(ctx context.Context, q posture.Query) ([]vendorjson.Record[record], error) {
	type answer struct {
		found []vendorjson.Record[record]
		err   error
		panic *panics.Panic
	}
	asked := systemsOf(q.Type)
	answers := make([]answer, len(asked))
	var together sync.WaitGroup
	for i := range asked {
		together.Go(func() {
			defer func() { answers[i].panic = panics.Recovered(recover()) }()
			answers[i].found, answers[i].err = p.search(ctx, asked[i], q.Identifier)
		})
	}
	together.Wait()
	var all []vendorjson.Record[record]
	for _, a := range answers {
		switch {
		case a.panic != nil:
			panic(a.panic) // a fault of the connector, which must not look like one of Mosyle's
		case a.err != nil:
			// Fail closed: the record that was not answered may be a newer one of the same device, or make it ambiguous.
			return nil, a.err
		}
		all = append(all, a.found...)
	}
	return all, nil
}

// search returns the records of the devices with one operating system and the serial number, and others where Mosyle ignores
// the serial number, as some clients have seen it.
func (p *Provider) search(ctx context.Context, s system, id posture.Identifier) ([]vendorjson.Record[record], error) {
	var all []vendorjson.Record[record]
	others, rows := false, 0
	at := ask{system: s, serial: id.Key()}
	for range mostPages {
		got, err := p.page(ctx, at)
		if err != nil {
			return nil, err
		}
		all = append(all, got.devices...)
		for i := range got.devices {
			of := &got.devices[i]
			matches := id.Matches(p.device(&of.Value))
			switch {
			case of.Broken:
				// Fail closed: it may be the one that was asked for.
				return nil, errors.New(s.endpoint() + ": the answer has a record that cannot be read")
			case matches && s.contradicts(&of.Value):
				return nil, fmt.Errorf("%s: the answer has the device under another operating system", s.endpoint())
			}
			others = others || !matches
		}
		rows = max(rows, got.rows)
		switch {
		case got.end && rows > len(all):
			return nil, errors.New(s.endpoint() + ": the answer has fewer devices than it says")
		case got.end, !others && rows <= len(all):
			return all, nil
		}
		if at, err = at.next(got); err != nil {
			return nil, err
		}
	}
	// Fail closed: whether the device is on one of the other pages is not known.
	return nil, fmt.Errorf("%s: Mosyle answers with other devices than the one that was asked for, on more than %d pages", s.endpoint(), mostPages)
}

// Returns says which data about devices go to step-ca.
func (p *Provider) Returns(posture.DeviceType) string {
	if p.config.Enrich {
		return "device, user and group data is returned"
	}
	return "no data is returned"
}

// Package apple is the inventory of Apple Business (formerly Apple Business Manager) or Apple School Manager: which devices
// belong to the organization, and which MDM they are assigned to.
//
// It says nothing of enrollment, so that whether a device is managed is never known.
package apple

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
)

// Config says which organization is asked, and with which key.
type Config struct {
	// The client ID of an API account. It begins with `BUSINESSAPI.` in Apple Business, and with `SCHOOLAPI.` in Apple School Manager.
	ClientID string `env:"APPLE_BUSINESS_CLIENT_ID,required" example:"BUSINESSAPI.9703f56c-10ce-4876-8f59-e78e5e23a152" accepted:"BUSINESSAPI.… or SCHOOLAPI.…, the client ID of an API account"`
	// The ID of that API account's key.
	KeyID string `env:"APPLE_BUSINESS_KEY_ID,required" example:"d136aa66-0c3b-4bd4-9892-c20e8db024ab" accepted:"the key ID of the API account"`
	// The private key of that API account, in PEM, as Apple gives it out once. Use the variable with `_FILE`.
	PrivateKey config.Secret `env:"APPLE_BUSINESS_PRIVATE_KEY,required" example:"the-text-of-the-pem-file-of-apple" lines:"allowed" accepted:"a private key of P-256 in PEM"`
	// The API in place of Apple's own: for proxies and tests.
	BaseURL string `env:"APPLE_BUSINESS_BASE_URL" unset:"the client ID decides" accepted:"https://… of the API"`
	// The token endpoint in place of Apple's own: for proxies and tests.
	TokenURL string `env:"APPLE_BUSINESS_TOKEN_URL" envDefault:"https://account.apple.com/auth/oauth2/token" accepted:"https://… of the token endpoint"`
	// `1`: the serial number goes to step-ca, for the certificate, in the form that the data of all inventories have.
	Enrich config.Switch `env:"APPLE_BUSINESS_ENRICH" envDefault:"0" accepted:"0 or 1"`
	// `1`: a device passes because the organization owns it. Apple never says that a device is managed, so without a policy file none passes otherwise.
	AllowUnmanaged config.Switch `env:"APPLE_BUSINESS_ALLOW_UNMANAGED" envDefault:"0" accepted:"0 or 1"`
	// Seconds for each request to Apple.
	Timeout config.Whole `env:"TIMEOUT" envDefault:"10" range:"1-300"`

	// RootCAs are the CAs that may have issued the server's certificate; nil means the system's.
	RootCAs *x509.CertPool

	facts bool // a policy file may read facts
}

// audience is that of every assertion: not the URL that assertions are sent to, and so no setting changes it.
const audience = "https://account.apple.com/auth/oauth2/v2/token"

// product is what the beginning of a client ID decides.
type product struct{ prefix, name, host, scope string }

func products() []product {
	return []product{
		{"BUSINESSAPI.", "Apple Business", "api-business.apple.com", "business.api"},
		{"SCHOOLAPI.", "Apple School Manager", "api-school.apple.com", "school.api"},
	}
}

// productOf returns the product of a client ID.
func productOf(id string) (product, bool) {
	for _, p := range products() {
		if rest, is := strings.CutPrefix(id, p.prefix); is && regexp.MustCompile(`^[0-9A-Za-z-]+$`).MatchString(rest) {
			return p, true
		}
	}
	return product{}, false
}

// Requirements are what is required of a device.
func (c Config) Requirements() posture.Requirements {
	return posture.Requirements{AllowUnmanaged: bool(c.AllowUnmanaged)}
}

// Facts are those that Apple can ever give.
func (c Config) Facts() posture.FactSet {
	return posture.MustFacts("device.identifier", "device.serial_number", "device.model", "device.type", "device.os", "device.ownership", "device.attributes")
}

// ReadFacts says that a policy file may read facts: a lookup then fails where one that is read cannot be asked for.
func (c *Config) ReadFacts() { c.facts = true }

// Problems returns what the tags of Config cannot say.
func (c Config) Problems() config.Problems {
	var problems config.Problems
	add := func(variable, text, accepted string) {
		problems = append(problems, config.Problem{Variable: variable, Text: text, Accepted: accepted})
	}
	of, known := productOf(c.ClientID)
	if c.ClientID != "" && !known {
		add("APPLE_BUSINESS_CLIENT_ID", "is no client ID of an API account", "BUSINESSAPI.… of Apple Business, or SCHOOLAPI.… of Apple School Manager")
	}
	if c.PrivateKey.IsSet() {
		if _, err := parseKey(c.PrivateKey); err != nil {
			add("APPLE_BUSINESS_PRIVATE_KEY", err.Error(), "the private key of an API account, in PEM")
		}
	}
	if base, err := c.base(of); err != nil {
		add("APPLE_BUSINESS_BASE_URL", err.Error(), "https://… of the API")
	} else if other := otherHost(of); known && base.Host == other {
		add("APPLE_BUSINESS_BASE_URL", other+" is not the API of "+of.name+", to which the client ID belongs", "https://"+of.host)
	}
	if c.TokenURL != "" {
		if _, err := vendorhttp.ParseBase(c.TokenURL); err != nil {
			add("APPLE_BUSINESS_TOKEN_URL", err.Error(), "https://… of the token endpoint")
		}
	}
	return problems
}

// base is the URL of the API, without its version.
func (c Config) base(of product) (*url.URL, error) {
	if c.BaseURL == "" {
		return &url.URL{Scheme: "https", Host: of.host}, nil
	}
	return vendorhttp.ParseBase(c.BaseURL, "/v1")
}

// otherHost is the API of the other product.
func otherHost(of product) string {
	for _, p := range products() {
		if p.host != of.host {
			return p.host
		}
	}
	return ""
}

func parseKey(secret config.Secret) (crypto.Signer, error) {
	key, err := vendorhttp.ParseKey(secret.Reveal())
	if err != nil {
		return nil, fmt.Errorf("it %w", err)
	}
	if _, isEC := key.(*ecdsa.PrivateKey); !isEC {
		return nil, errors.New("it holds a key that is not of the curve P-256, as those of API accounts are")
	}
	return key, nil
}

// Provider asks Apple.
type Provider struct {
	*vendorhttp.Client
	config  Config
	product product
	reader  vendorhttp.Reader
}

// Open makes the provider. Without a policy file, which can say that an unmanaged device may pass or ask an MDM too, the
// variable has to say it: every device would be refused, and the operator would look for the reason elsewhere.
func Open(c Config) (posture.Provider, []string, error) {
	if !c.facts && !bool(c.AllowUnmanaged) {
		return nil, nil, config.Problems{{
			Variable: "APPLE_BUSINESS_ALLOW_UNMANAGED", Text: "is 0, and Apple never says that a device is managed, so that none would pass",
			Accepted: "1: owned is enough; or a policy file (POLICY_PATH) that has this inventory in also_in beside an MDM",
		}}
	}
	p, err := New(c)
	if err != nil {
		return nil, nil, err
	}
	return p, nil, nil
}

// New makes the provider. It does not contact Apple; Check does.
func New(c Config) (*Provider, error) {
	if problems := c.Problems(); len(problems) > 0 {
		return nil, problems
	}
	of, known := productOf(c.ClientID)
	if !known {
		return nil, errors.New("APPLE_BUSINESS_CLIENT_ID: not set")
	}
	key, err := parseKey(c.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("APPLE_BUSINESS_PRIVATE_KEY: %w", err)
	}
	base, err := c.base(of)
	if err != nil {
		return nil, fmt.Errorf("APPLE_BUSINESS_BASE_URL: %w", err)
	}
	token, err := vendorhttp.ParseBase(c.TokenURL)
	if err != nil {
		return nil, fmt.Errorf("APPLE_BUSINESS_TOKEN_URL: %w", err)
	}
	assertion := vendorhttp.Assertion{Key: key, Client: c.ClientID, Audience: audience, Header: map[string]any{"kid": c.KeyID}}
	p := &Provider{config: c, product: of, reader: vendorhttp.Reader{Policy: c.facts, Enriches: bool(c.Enrich)}}
	p.Client = vendorhttp.New(vendorhttp.Options{
		Vendor: vendorhttp.Vendor{Name: of.name, Server: "the API of " + of.name, Variable: "APPLE_BUSINESS_BASE_URL"},
		Base:   base, Timeout: c.Timeout.Seconds(), AtOnce: maxRequests, RootCAs: c.RootCAs, Hint: hint,
		Rate: requestsASecond, Burst: burst, Lockout: lockout,
		Auth: vendorhttp.ClientCredentials{
			ID: c.ClientID, URL: token, Scopes: []string{of.scope}, Assertion: assertion.Sign, Remember: refusalMemory,
			Remedy: "check APPLE_BUSINESS_CLIENT_ID, APPLE_BUSINESS_KEY_ID and the key of APPLE_BUSINESS_PRIVATE_KEY_FILE, that the API account " +
				"still has this key, and that the clock of this machine is right",
		},
	})
	return p, nil
}

// Lookup implements posture.Provider. Concurrent lookups of the same device are one, where they read the same facts.
func (p *Provider) Lookup(ctx context.Context, q posture.Query) (posture.Device, error) {
	// A text that cannot be an Apple serial number is not put into a path.
	if !isSerialNumber(q.Identifier.Key()) {
		return posture.Device{}, fmt.Errorf("%w: Apple is asked for serial numbers of 8 to 14 letters and digits", posture.ErrIdentifier)
	}
	return p.Join(ctx, q, func(ctx context.Context) (posture.Device, error) {
		r, d, err := p.find(ctx, q)
		if err != nil {
			return posture.Device{}, namesToken(err)
		}
		if err := p.addAttributes(ctx, q, r, &d); err != nil {
			return posture.Device{}, namesToken(err)
		}
		return d, p.addData(q.Facts, &d)
	})
}

// isSerialNumber reports whether a key can be the serial number of a device of Apple.
func isSerialNumber(key string) bool {
	return regexp.MustCompile(`^[0-9A-Z]{8,14}$`).MatchString(key)
}

// find asks for one device by its ID, which is its serial number.
func (p *Provider) find(ctx context.Context, q posture.Query) (*deviceRecord, posture.Device, error) {
	answer, err := p.ask(ctx, devicesEndpoint, devicePath(q.Identifier), deviceFields())
	if err != nil {
		return nil, posture.Device{}, err
	}
	if answer == nil {
		return nil, posture.Device{}, fmt.Errorf("%w: %s has no such device; a reseller may not have registered it yet", posture.ErrNotFound, p.product.name)
	}
	found, err := p.decodeDevice(answer)
	if err != nil {
		return nil, posture.Device{}, err
	}
	r, d, err := vendorhttp.Newest(p.Client, q, vendorhttp.Exact, found, deviceOf)
	if err != nil {
		return nil, posture.Device{}, err
	}
	if when, released := r.released(time.Now()); released {
		// A record stays after the device has left the organization: it is not ours any more.
		return nil, posture.Device{}, fmt.Errorf("%w: it was released from the organization%s", posture.ErrNotFound, when)
	}
	return r, d, nil
}

// addData adds the data for the certificate, where they are returned.
func (p *Provider) addData(facts posture.FactSet, d *posture.Device) error {
	if !facts.Has(posture.Document) || !bool(p.config.Enrich) {
		return nil
	}
	data, err := vendorhttp.DocumentOf(d)
	if err != nil {
		return fmt.Errorf("data of the device: %w", err)
	}
	d.Data = data
	return nil
}

// Returns says which data about devices go to step-ca.
func (p *Provider) Returns(posture.DeviceType) string {
	if p.config.Enrich {
		return "the serial number is returned"
	}
	return "no data is returned"
}

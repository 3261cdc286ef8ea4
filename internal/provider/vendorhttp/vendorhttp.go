// Package vendorhttp is the HTTPS client for providers that ask a vendor's server.
//
// It holds what every vendor's API needs and what no vendor is special in: time limits, a limit of requests at once,
// one repetition, Retry-After, credentials, request IDs, metrics, and errors that repeat nothing that the server sent.
package vendorhttp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/flight"
)

// Vendor is how messages name the vendor.
type Vendor struct {
	Name     string // "Jamf"
	Server   string // "a Jamf Pro server"
	Variable string // the environment variable with the base URL: "JAMF_BASE_URL"
}

// Options say which server is asked, and how.
type Options struct {
	Vendor Vendor
	Base   *url.URL // every path begins behind it; see ParseBase
	Auth   Auth
	// Timeout limits each request; 0 is as long as a lookup can take.
	Timeout time.Duration
	// AtOnce is how many requests may run at once; 0 is 5.
	AtOnce int
	// RootCAs are the CAs that may have issued the server's certificate; nil means the system's.
	RootCAs *x509.CertPool
	// Certificate is tls.Config.GetClientCertificate, which is called for each connection; nil means that there is none.
	Certificate func(*tls.CertificateRequestInfo) (*tls.Certificate, error)
	// Rate is how many requests a second may be sent, pages of lists included and tokens not counted, and Burst how many of
	// them at once; 0 is no limit. RateSetting names what sets the limit; empty means that it is the vendor's.
	Rate        float64
	Burst       int
	RateSetting string
	// Lockout is how long no request is sent after a 429, also where that asks for less: that of a vendor that locks
	// out who goes on asking. 0 leaves it to the next lookup.
	Lockout time.Duration
	// Hint says what a status of an endpoint means at this vendor; it may be nil. Where it returns "", the error says
	// what the status means at every server.
	Hint func(endpoint string, status int) string
	// Now is the clock that decides how old tokens are; nil is time.Now.
	Now func() time.Time
}

// Secret is a credential that no output shows; config.Secret is one.
type Secret interface{ Reveal() []byte }

// Client asks one server. A provider embeds it, and so shows its metrics and can trace its requests.
type Client struct {
	*Upstream
	way     *connection
	tokens  *connection // to the host that issues tokens, where that is another one; else nil
	options Options
	turns   turns
	vendor  Vendor
	auth    authorizer
	hint    func(endpoint string, status int) string
	now     func() time.Time
	flight  flight.Group[joined, posture.Device]

	// notBefore is the time until which the server asked not to be asked. It keeps the reading of the monotonic clock:
	// otherwise a clock that is put back by an hour would keep the client away for an hour.
	notBefore atomic.Pointer[time.Time]
}

// New makes a Client. It sends nothing.
func New(o Options) *Client {
	up := newUpstream()
	c := &Client{Upstream: up, way: newConnection(o, up), options: o, vendor: o.Vendor, hint: o.Hint, now: time.Now}
	if o.Rate > 0 {
		c.turns.Limiter = rate.NewLimiter(rate.Limit(o.Rate), max(o.Burst, 1))
	}
	if o.Now != nil {
		c.now = o.Now
	}
	c.auth = o.Auth.bind(c)
	return c
}

// Close closes the connections, those of requests that are under way when these have ended. An inventory that a new
// configuration replaces must not keep them. A lookup after it is still answered, on a connection of its own.
func (c *Client) Close() {
	for _, way := range []*connection{c.way, c.tokens} {
		if way != nil {
			way.closed.Store(true)
			way.http.CloseIdleConnections()
		}
	}
}

// Server is the base URL.
func (c *Client) Server() string { return c.way.base.String() }

// Format implements fmt.Formatter for every verb: neither a client nor a provider that embeds one shows a token.
func (c *Client) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, c.vendor.Name+" at "+c.Server())
}

// joined is what lookups have in common that are made one. Those of doors are made one of their own: a webhook that joined one of
// them would wait for a place as it does.
type joined struct {
	query  posture.Query
	atDoor bool
}

// Join makes lookups of the same device that run at the same time one, which sends the request ID of the first. The
// error at ctx's deadline says which server did not answer.
func (c *Client) Join(ctx context.Context, q posture.Query, find func(context.Context) (posture.Device, error)) (posture.Device, error) {
	// Fail closed: a search for "" may return every device.
	if q.Identifier.Key() == "" {
		return posture.Device{}, fmt.Errorf("%w: it is empty", posture.ErrIdentifier)
	}
	ctx = withRequestID(ctx, q.RequestID)
	q.RequestID = ""
	device, err := c.flight.Do(ctx, joined{q, posture.IsAtDoor(ctx)}, find)
	if said := (*Unreachable)(nil); errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &said) {
		err = &Unreachable{text: c.way.base.Host + " did not answer in time", cause: context.DeadlineExceeded}
	}
	return device, err
}

// Only returns the one record that has the identifier. A search may return other records too: they are dropped. An
// answer that has only other records is an error, and not "not found".
func Only[T any](c *Client, id posture.Identifier, found []T, identifier func(T) string) (T, error) {
	var only T
	matching := 0
	for _, record := range found {
		if id.Matches(posture.Device{Identifier: identifier(record)}) {
			only = record
			matching++
		}
	}
	var none T
	switch {
	case matching == 1:
		return only, nil
	case matching > 1:
		return none, fmt.Errorf("%w: %s has %d records with the serial number", posture.ErrAmbiguous, c.vendor.Name, matching)
	case len(found) > 0:
		return none, fmt.Errorf("the search for the serial number returned %d records, and none has it", len(found))
	default:
		return none, posture.ErrNotFound
	}
}

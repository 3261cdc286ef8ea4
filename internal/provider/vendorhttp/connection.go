package vendorhttp

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

const userAgent = "step-posture-connector"

// connection is the way to one server. Everything that is sent to it, token requests included, goes through run.
type connection struct {
	base    *url.URL
	http    *http.Client
	timeout time.Duration // of one request
	places  *places
	bounds  bounds // of lists
	closed  atomic.Bool
	// findProxy is http.ProxyFromEnvironment, which reads the environment once for the whole process.
	findProxy func(*http.Request) (*url.URL, error)
}

func newConnection(o Options, through *Upstream) *connection {
	atOnce := cmp.Or(o.AtOnce, defaultAtOnce)
	dialer := &net.Dialer{Timeout: connectTimeout, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: probeAfter, Interval: probeInterval, Count: probeCount,
	}}
	c := &connection{
		base: o.Base, timeout: min(cmp.Or(o.Timeout, longestRequest), longestRequest),
		places: newPlaces(atOnce), findProxy: http.ProxyFromEnvironment,
		bounds: bounds{pageTimeout, maxList, maxAnswer, maxListed},
	}
	certificate := noCertificate
	if o.Certificate != nil {
		certificate = o.Certificate
	}
	// Go goes on with a dial when the request that it was for has given up, so dial and handshake have
	// limits of their own.
	transport := &http.Transport{
		Proxy:                  func(r *http.Request) (*url.URL, error) { return c.findProxy(r) },
		DialContext:            dialer.DialContext,
		OnProxyConnectResponse: refusedByProxy,
		TLSClientConfig:        &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12, GetClientCertificate: certificate},
		TLSHandshakeTimeout:    handshakeTimeout,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		MaxConnsPerHost:        atOnce,
		MaxIdleConnsPerHost:    atOnce,
		IdleConnTimeout:        idleTimeout,
	}
	c.http = &http.Client{
		Transport: &agent{through.transport(transport), transport},
		// A redirect would take the credentials to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		// No Jar: a cookie can tie reads to one node of a cluster, which Jamf for one advises against.
	}
	return c
}

// agent names the connector to the server.
type agent struct {
	next http.RoundTripper
	idle interface{ CloseIdleConnections() }
}

// RoundTrip implements http.RoundTripper.
func (a *agent) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context()) // the caller's must stay as it is
	request.Header.Set("User-Agent", userAgent)
	return a.next.RoundTrip(request)
}

// CloseIdleConnections is what http.Client.CloseIdleConnections calls.
func (a *agent) CloseIdleConnections() { a.idle.CloseIdleConnections() }

// run runs one request, its answer included, in one of the places. The time limit begins when the request has a place:
// what waits behind slow requests is not slow itself. begin may let it wait longer, or fail. A request that may be slow is repeated only where
// its connection may be dead; others, such as that for a token, also where the server takes too long.
func (c *connection) run(ctx context.Context, mayBeSlow bool, begin func(context.Context) error, request func(context.Context, *progress) error) error {
	page := pageOf(ctx)
	if !mayBeSlow {
		page = nil // a token is for lookups too
	}
	giveBack, err := c.place(ctx, page != nil)
	if err != nil {
		return err
	}
	defer func() {
		giveBack()
		if c.closed.Load() {
			c.http.CloseIdleConnections() // this request began before
		}
	}()
	if err := begin(ctx); err != nil {
		return err
	}
	timeout := c.timeout
	if page != nil {
		timeout = c.bounds.timeout
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	at := &progress{}
	switch {
	case page != nil: // it takes long, and its own repetitions need no time that is kept for them
		defer func() { page.slow = ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded) }()
	case ctx.Value(lastTry{}) == nil:
		timer := at.giveUpInTime(ctx, limited, mayBeSlow, cancel)
		defer timer.Stop()
	}
	return request(at.follow(limited), at)
}

// place waits for one of the places.
func (c *connection) place(ctx context.Context, forPage bool) (giveBack func(), err error) {
	waiting := ctx
	if forPage {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, longestTurn)
		defer cancel()
	}
	giveBack, err = c.places.take(waiting, forPage)
	if err != nil {
		return nil, fmt.Errorf("%d requests to %s are under way, and none has ended in time: %w", c.places.all, c.base.Host, err)
	}
	return giveBack, nil
}

// failed explains why a request got no answer. It also closes what may be dead: idle connections, and dials that no
// request waits for any more. The next request gets a new connection.
func (c *connection) failed(err error, at *progress) error {
	c.http.CloseIdleConnections()
	return c.explain(err, at)
}

// whole reads an answer to its end before the OAuth library gets it, which returns the errors of reading as text only.
type whole struct{ next http.RoundTripper }

// maxToken bounds the answer of the token endpoint, in bytes.
const maxToken = 1 << 20

// RoundTrip implements http.RoundTripper.
func (w whole) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := w.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxToken))
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

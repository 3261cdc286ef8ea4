package jamf

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"step-posture-connector/internal/provider/upstream"
)

const userAgent = "step-posture-connector"

// connection is the way to one Jamf Pro server. Everything that is sent to it, token requests included,
// goes through run.
type connection struct {
	base    *url.URL
	http    *http.Client
	timeout time.Duration // of one request
	places  chan struct{} // one for each request that runs
	// findProxy is http.ProxyFromEnvironment, which reads the environment once for the whole process.
	findProxy func(*http.Request) (*url.URL, error)
}

func newConnection(base *url.URL, timeout time.Duration, roots *x509.CertPool, through *upstream.Upstream) *connection {
	dialer := &net.Dialer{Timeout: connectTimeout, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: probeAfter, Interval: probeInterval, Count: probeCount,
	}}
	c := &connection{base: base, timeout: min(timeout, longestRequest), places: make(chan struct{}, maxRequests), findProxy: http.ProxyFromEnvironment}
	// Go goes on with a dial when the request that it was for has given up, so dial and handshake have
	// limits of their own.
	transport := &http.Transport{
		Proxy:                  func(r *http.Request) (*url.URL, error) { return c.findProxy(r) },
		DialContext:            dialer.DialContext,
		OnProxyConnectResponse: refusedByProxy,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, GetClientCertificate: noCertificate},
		TLSHandshakeTimeout:    handshakeTimeout,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		MaxConnsPerHost:        maxRequests,
		MaxIdleConnsPerHost:    maxRequests,
		IdleConnTimeout:        idleTimeout,
	}
	c.http = &http.Client{
		Transport: &agent{through.Transport(transport), transport},
		// A redirect would take the bearer token, or the client secret, to another place.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		// No Jar: Jamf advises against pinning reads to a cluster node.
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

// run runs one request, its answer included, in one of the places. Its time limit begins when it has
// got one: what waits behind four slow requests is not slow itself. A request that may be slow is repeated only where
// its connection may be dead; others, such as that for a token, also where the server takes too long.
func (c *connection) run(ctx context.Context, mayBeSlow bool, request func(context.Context, *progress) error) error {
	select {
	case c.places <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%d requests to %s are under way, and none has ended in time: %w", maxRequests, c.base.Host, context.Cause(ctx))
	}
	defer func() { <-c.places }()
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	at := &progress{}
	if ctx.Value(lastTry{}) == nil {
		timer := at.giveUpInTime(ctx, limited, mayBeSlow, cancel)
		defer timer.Stop()
	}
	return request(at.follow(limited), at)
}

// failed explains why a request got no answer. It also closes what may be dead: connections that nobody
// uses, and dials that nobody waits for. The next request gets a new connection.
func (c *connection) failed(err error, at *progress) error {
	c.http.CloseIdleConnections()
	return c.explain(err, at)
}

// whole reads an answer to its end before it is handed on. The OAuth library gives the errors of reading
// an answer as text only.
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

package jamf

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"step-posture-connector/internal/provider/flight"
	"step-posture-connector/internal/provider/upstream"
)

const (
	// maxRequests is how many requests run at once: Jamf asks for no more than five connections.
	// https://developer.jamf.com/developer-guide/docs/jamf-pro-api-scalability-best-practices
	maxRequests = 5
	// maxAnswer bounds an answer, in bytes. A full record of the Classic API can reach some MiB.
	maxAnswer = 16 << 20
	// leastTime is what a repeated request needs; with less than this left it is not begun.
	leastTime = 250 * time.Millisecond
	// retryPause is left between a request that failed and its repetition.
	retryPause = 100 * time.Millisecond
	// longestWait bounds what a Retry-After header can ask for: Jamf Pro sends none itself, and a proxy
	// that names an hour must not keep every device out for an hour.
	longestWait = 10 * time.Second
	userAgent   = "step-posture-connector"
)

// client speaks HTTP with one Jamf Pro server.
type client struct {
	base    *url.URL
	http    *http.Client
	tokens  *tokens
	timeout time.Duration // of one request

	// notBefore is the time before which the server does not want to be asked. It keeps the reading of
	// the monotonic clock: else the server would be left alone for an hour when the clock is put back by one.
	notBefore atomic.Pointer[time.Time]
}

// newHTTPClient makes the http.Client for everything that goes to the server, token requests included.
func newHTTPClient(roots *x509.CertPool, through *upstream.Upstream) *http.Client {
	return &http.Client{
		Transport: &gate{
			slots: make(chan struct{}, maxRequests),
			next: through.Transport(&http.Transport{
				Proxy:               http.ProxyFromEnvironment,
				TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
				ForceAttemptHTTP2:   true,
				MaxConnsPerHost:     maxRequests,
				MaxIdleConnsPerHost: maxRequests,
				IdleConnTimeout:     90 * time.Second,
			}),
		},
		// A redirect would take the bearer token, or the client secret, to another place.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		// No Jar: Jamf advises against pinning reads to a cluster node.
	}
}

// gate lets only so many requests through at once, from their beginning to the end of their answer.
type gate struct {
	slots chan struct{}
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (g *gate) RoundTrip(request *http.Request) (*http.Response, error) {
	select {
	case g.slots <- struct{}{}:
	case <-request.Context().Done():
		return nil, context.Cause(request.Context()) //nolint:wrapcheck // http.Client wraps it
	}
	request = request.Clone(request.Context())
	request.Header.Set("User-Agent", userAgent)
	response, err := g.next.RoundTrip(request)
	if err != nil {
		<-g.slots
		return nil, err //nolint:wrapcheck // http.Client wraps it
	}
	response.Body = &slotBody{ReadCloser: response.Body, slots: g.slots}
	return response, nil
}

// slotBody gives its slot back when it is closed.
type slotBody struct {
	io.ReadCloser
	slots  chan struct{}
	closed atomic.Bool
}

// Close implements io.Closer.
func (b *slotBody) Close() error {
	if !b.closed.Swap(true) {
		defer func() { <-b.slots }()
	}
	return b.ReadCloser.Close() //nolint:wrapcheck // nobody looks at it
}

// fault says that an endpoint did not answer as it should. It holds nothing that the server sent
// but the status.
type fault struct {
	endpoint string
	status   int // 0 when there was no answer
	cause    error
	wait     time.Duration // from Retry-After
}

func (f *fault) Error() string {
	if f.status == 0 {
		return fmt.Sprintf("%s: %v", f.endpoint, f.cause)
	}
	return fmt.Sprintf("%s answered %d%s", f.endpoint, f.status, f.hint())
}

func (f *fault) Unwrap() error { return f.cause }

func (f *fault) hint() string {
	switch {
	case f.status == http.StatusBadRequest:
		return ": the server does not understand the request"
	case f.status == http.StatusUnauthorized:
		return ": the token was refused twice"
	case f.status == http.StatusForbidden && privilegeOf(f.endpoint) != "":
		return ": the API client lacks the privilege " + privilegeOf(f.endpoint)
	case f.status == http.StatusForbidden:
		return ": something on the way to it forbids that"
	case f.status == http.StatusNotFound:
		return ": the server does not have this endpoint; check JAMF_BASE_URL"
	case f.status == http.StatusTooManyRequests:
		return ": too many requests"
	case f.status >= 300 && f.status < 400:
		return ": the server redirects, and redirects are not followed; check JAMF_BASE_URL"
	}
	return ""
}

// privilegeOf is what an API client needs for an endpoint, or "" when any token will do.
func privilegeOf(endpoint string) string {
	switch endpoint {
	case computersEndpoint, classicComputers:
		return readComputers
	case mobileEndpoint, classicMobile:
		return readMobileDevices
	case departmentsEndpoint:
		return readDepartments
	}
	return ""
}

// retriable reports whether the same request may succeed when it is repeated.
func (f *fault) retriable() bool {
	return f.status == 0 || f.status == http.StatusRequestTimeout || f.status == http.StatusTooManyRequests ||
		f.status >= http.StatusInternalServerError
}

// get asks an endpoint with a token and returns the body of a 200. Every other answer is a *fault.
// It repeats once what may succeed the second time, and once more what failed for an old token.
func (c *client) get(ctx context.Context, endpoint, path string, query url.Values) ([]byte, error) {
	var body []byte
	err := c.retry(ctx, func() error {
		var err error
		body, err = c.getWithToken(ctx, endpoint, path, query)
		return err
	})
	return body, err
}

// getWithToken discards a token that the server refuses, fetches one new one and repeats the request
// once. A second refusal is final.
func (c *client) getWithToken(ctx context.Context, endpoint, path string, query url.Values) ([]byte, error) {
	for attempt := 1; ; attempt++ {
		token, err := c.tokens.get(ctx)
		if err != nil {
			return nil, err
		}
		body, err := c.getOnce(ctx, token, endpoint, path, query)
		if refused := (*fault)(nil); attempt == 1 && errors.As(err, &refused) && refused.status == http.StatusUnauthorized {
			c.tokens.discard(token)
			continue
		}
		return body, err
	}
}

func (c *client) getOnce(ctx context.Context, token, endpoint, path string, query url.Values) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	address := *c.base
	address.Path += path
	address.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, errors.New(endpoint + ": the request cannot be made")
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return nil, &fault{endpoint: endpoint, cause: transportError(err)}
	}
	defer response.Body.Close() //nolint:errcheck // nothing was written
	if response.StatusCode != http.StatusOK {
		// What is left of a short answer is read, so that the connection can be used again.
		_, _ = io.CopyN(io.Discard, response.Body, 64<<10)
		return nil, &fault{endpoint: endpoint, status: response.StatusCode, wait: retryAfter(response)}
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, &fault{endpoint: endpoint, cause: transportError(err)}
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("%s: the answer has more than %d bytes", endpoint, maxAnswer)
	}
	return body, nil
}

// retry does work, and does it once more when that may help and there is time for it. It keeps away
// from a server that asked for it.
func (c *client) retry(ctx context.Context, work func() error) error {
	if err := c.keepAway(ctx); err != nil {
		return err
	}
	err := work()
	failed := (*fault)(nil)
	if !errors.As(err, &failed) || !failed.retriable() || ctx.Err() != nil {
		return err
	}
	pause := retryPause
	if failed.wait > 0 {
		until := time.Now().Add(failed.wait)
		c.notBefore.Store(&until)
		pause = failed.wait
	}
	if !sleep(ctx, pause) {
		return err
	}
	return work()
}

// keepAway waits until the server wants to be asked again, or fails when that is not in time.
func (c *client) keepAway(ctx context.Context) error {
	until := c.notBefore.Load()
	if until == nil {
		return nil
	}
	if wait := time.Until(*until); wait > 0 && !sleep(ctx, wait) {
		return errors.New("the server asked not to be asked for a while (Retry-After)")
	}
	return nil
}

// sleep waits, and reports whether enough time is left to go on. It does not begin to wait when
// there will not be.
func sleep(ctx context.Context, pause time.Duration) bool {
	if deadline, ok := flight.Deadline(ctx); ok && time.Until(deadline) < pause+leastTime {
		return false
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// retryAfter reads the Retry-After header (RFC 9110 section 10.2.3), in either of its forms.
func retryAfter(response *http.Response) time.Duration {
	if response.StatusCode != http.StatusTooManyRequests && response.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	text := response.Header.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = time.Until(at)
	}
	return min(max(wait, 0), longestWait)
}

// transportError keeps of an error of http.Client what is surely our own words: its text has the
// address, whose query names the device, and can repeat what a proxy said.
func transportError(err error) error {
	var operation *net.OpError
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errNoAnswer
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &untrusted):
		return untrusted
	case errors.As(err, &operation):
		return operation
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errCutOff
	default:
		return errors.New("the connection failed")
	}
}

var (
	errNoAnswer = fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)
	errCutOff   = errors.New("the answer was cut off")
)

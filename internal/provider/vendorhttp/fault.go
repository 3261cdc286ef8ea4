package vendorhttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Fault says that an endpoint did not answer as it should. It holds nothing that the server sent
// except the status.
type Fault struct {
	Endpoint string
	Status   int // 0 when there was no answer

	cause error         // why there was no answer, or what the status means
	wait  time.Duration // from Retry-After or Options.Lockout
}

func (f *Fault) Error() string {
	switch {
	case f.Status == 0:
		return fmt.Sprintf("%s: %v", f.Endpoint, f.cause)
	case f.cause == nil:
		return fmt.Sprintf("%s answered %d", f.Endpoint, f.Status)
	}
	return fmt.Sprintf("%s answered %d: %v", f.Endpoint, f.Status, f.cause)
}

func (f *Fault) Unwrap() error { return f.cause }

// retriable reports whether the same request may succeed when it is repeated.
func (f *Fault) retriable() bool {
	return f.Status == 0 || f.Status == http.StatusRequestTimeout || f.Status == http.StatusTooManyRequests ||
		f.Status >= http.StatusInternalServerError
}

// HasStatus reports whether err is that an endpoint answered with a status. An empty endpoint stands for every one.
func HasStatus(err error, endpoint string, status int) bool {
	f := (*Fault)(nil)
	return errors.As(err, &f) && f.Status == status && (endpoint == "" || f.Endpoint == endpoint)
}

// refusal is the fault of an answer that is not 200.
func (c *Client) refusal(endpoint string, response *http.Response) *Fault {
	f := &Fault{Endpoint: endpoint, Status: response.StatusCode, wait: retryAfter(response)}
	if f.Status == http.StatusTooManyRequests && c.options.Lockout > f.wait {
		f.wait = c.options.Lockout
	}
	if f.wait > 0 {
		c.holdOff(f.wait) // before another request gets this one's place
	}
	if c.hint != nil {
		if hint := c.hint(endpoint, f.Status); hint != "" {
			f.cause = errors.New(hint)
			return f
		}
	}
	switch {
	case f.Status == http.StatusBadRequest:
		f.cause = errors.New("the server does not understand the request")
	case f.Status == http.StatusUnauthorized && endpoint != tokenEndpoint:
		f.cause = c.auth.unauthorized()
	case f.Status == http.StatusForbidden:
		f.cause = errors.New("something on the way to it forbids that")
	case f.Status == http.StatusNotFound:
		f.cause = errors.New("the server does not have this endpoint; check " + c.vendor.Variable)
	case f.Status == http.StatusTooManyRequests:
		f.cause = errors.New("too many requests")
	case f.Status >= 300 && f.Status < 400:
		f.cause = errors.New("the server redirects, and redirects are not followed; check " + c.vendor.Variable)
	}
	return f
}

// ErrOther says that what answers at the base URL is not the vendor's server.
var ErrOther = errors.New("not the vendor's server")

// other is an ErrOther that names the vendor.
type other struct{ text string }

func (o other) Error() string { return o.text }

func (o other) Is(target error) bool { return target == ErrOther }

// Other is the error of an answer that the vendor's server never gives; it is ErrOther.
func (c *Client) Other() error {
	return other{fmt.Sprintf("%s does not answer as %s does", c.vendor.Variable, c.vendor.Server)}
}

// Explain drops the endpoint where it is of no importance: when there was no answer at all.
func (c *Client) Explain(err error) error {
	unreachable := (*Unreachable)(nil)
	switch {
	case HasStatus(err, tokenEndpoint, http.StatusNotFound):
		return fmt.Errorf("%w: it has no token endpoint", c.Other())
	case errors.Is(err, ErrOther):
		return err
	case errors.As(err, &unreachable):
		return unreachable
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s did not answer in time", c.way.base.Host)
	default:
		return err
	}
}

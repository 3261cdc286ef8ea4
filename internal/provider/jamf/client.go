package jamf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// client asks the endpoints of one Jamf Pro server.
type client struct {
	*connection
	tokens *tokens

	// notBefore is the time before which the server does not want to be asked. It keeps the reading of
	// the monotonic clock: else the server would be left alone for an hour when the clock is put back by one.
	notBefore atomic.Pointer[time.Time]
}

// get asks an endpoint with a token and returns the body of a 200. Every other answer is a *fault.
// It repeats once what may succeed the second time, and once more what failed for an old token.
func (c *client) get(ctx context.Context, endpoint, path string, query url.Values) ([]byte, error) {
	var body []byte
	err := c.retry(ctx, func(ctx context.Context) error {
		var err error
		body, err = c.getWithToken(ctx, endpoint, path, query)
		return err
	})
	return body, err
}

// authenticate makes sure that there is a token, which the next request takes.
func (c *client) authenticate(ctx context.Context) error {
	return c.retry(ctx, func(ctx context.Context) error {
		_, err := c.tokens.get(ctx)
		return err
	})
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
		if attempt == 1 && c.isOutdated(token, err) {
			c.tokens.discard(token)
			continue
		}
		return body, err
	}
}

// isOutdated reports whether a new token may be accepted where this one was refused.
func (c *client) isOutdated(token string, err error) bool {
	refused := (*fault)(nil)
	switch {
	case !errors.As(err, &refused):
		return false
	case refused.status == http.StatusForbidden:
		// Jamf gives a token the privileges that the API client has at that time. Where the privilege is
		// missing for good, this is one more token each time that privilegeMemory has passed.
		return privilegeOf(refused.endpoint) != "" && c.tokens.age(token) >= privilegeMemory
	}
	return refused.status == http.StatusUnauthorized
}

func (c *client) getOnce(ctx context.Context, token, endpoint, path string, query url.Values) (body []byte, err error) {
	address := *c.base
	address.Path += path
	address.RawQuery = query.Encode()
	err = c.run(ctx, true, func(ctx context.Context, at *progress) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
		if err != nil {
			return errors.New(endpoint + ": the request cannot be made")
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Accept", "application/json")
		response, err := c.http.Do(request)
		if err != nil {
			return &fault{endpoint: endpoint, cause: c.failed(err, at)}
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			// What is left of a short answer is read, so that the connection can be used again.
			_, _ = io.CopyN(io.Discard, response.Body, 64<<10)
			return &fault{endpoint: endpoint, status: response.StatusCode, wait: retryAfter(response)}
		}
		body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
		if err != nil {
			return &fault{endpoint: endpoint, cause: c.failed(err, at)}
		}
		if len(body) > maxAnswer {
			return fmt.Errorf("%s: the answer has more than %d bytes", endpoint, maxAnswer)
		}
		return nil
	})
	return body, err
}

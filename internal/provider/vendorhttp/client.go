package vendorhttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
)

// Get asks an endpoint and returns the body of a 200. Every other answer is a *Fault, which names the endpoint and not
// the path. Get repeats a request once if a second try may succeed, and once more if the server refused an old token.
func (c *Client) Get(ctx context.Context, endpoint, path string, query url.Values) ([]byte, error) {
	var body []byte
	err := c.retry(ctx, func(ctx context.Context) error {
		var err error
		body, err = c.getWithCredentials(ctx, endpoint, path, query)
		return err
	})
	return body, err
}

// Authenticate gets credentials for the next request. Credentials that never change are not tried.
func (c *Client) Authenticate(ctx context.Context) error {
	return c.retry(ctx, func(ctx context.Context) error {
		_, err := c.auth.credentials(ctx)
		return err
	})
}

// getWithCredentials gets new credentials where the server refuses the old ones, and repeats the request once.
// A second refusal is final.
func (c *Client) getWithCredentials(ctx context.Context, endpoint, path string, query url.Values) ([]byte, error) {
	for attempt := 1; ; attempt++ {
		credentials, err := c.auth.credentials(ctx)
		if err != nil {
			return nil, err
		}
		body, err := c.getOnce(ctx, credentials, endpoint, path, query)
		if refused := (*Fault)(nil); attempt == 1 && errors.As(err, &refused) && c.auth.replace(credentials, refused) {
			continue
		}
		return body, err
	}
}

func (c *Client) getOnce(ctx context.Context, credentials header, endpoint, path string, query url.Values) (body []byte, err error) {
	address := *c.way.base
	address.Path += path
	address.RawQuery = query.Encode()
	err = c.way.run(ctx, true, func(ctx context.Context, at *progress) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
		if err != nil {
			return errors.New(endpoint + ": the request cannot be made")
		}
		credentials.set(request.Header)
		request.Header.Set("Accept", "application/json")
		response, err := c.way.http.Do(request)
		if err != nil {
			return &Fault{Endpoint: endpoint, cause: c.way.failed(err, at)}
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			// Read the rest of a short answer: only then can the connection be used again.
			_, _ = io.CopyN(io.Discard, response.Body, 64<<10)
			return c.refusal(endpoint, response)
		}
		most := c.way.bounds.page
		body, err = io.ReadAll(io.LimitReader(response.Body, int64(most)+1))
		if err != nil {
			return &Fault{Endpoint: endpoint, cause: c.way.failed(err, at)}
		}
		pageOf(ctx).read(len(body))
		if len(body) > most {
			return tooLarge{endpoint, most}
		}
		return nil
	})
	return body, err
}

package vendorhttp

import (
	"context"
	"net/http"
	"net/url"
)

// Get asks an endpoint and returns the body of a 200. Every other answer is a *Fault, which names the endpoint and not
// the path. Get repeats a request once if a second try may succeed, and once more if the server refused an old token.
func (c *Client) Get(ctx context.Context, endpoint, path string, query url.Values) ([]byte, error) {
	return c.Ask(ctx, Request{Endpoint: endpoint, Method: http.MethodGet, Path: (&url.URL{Path: path}).EscapedPath(), Query: query})
}

// Ask is Get for requests that need a body, headers, or a path that holds a text, such as a search by POST.
func (c *Client) Ask(ctx context.Context, r Request) ([]byte, error) {
	r.only200 = true
	answer, err := c.Exchange(ctx, r)
	return answer.Body, err
}

// Authenticate gets credentials for the next request. Credentials that never change are not tried.
func (c *Client) Authenticate(ctx context.Context) error {
	return c.retry(ctx, func(ctx context.Context) error {
		_, err := c.auth.credentials(ctx)
		return err
	})
}

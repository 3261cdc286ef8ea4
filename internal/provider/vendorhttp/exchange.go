package vendorhttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Request is any request to the server.
type Request struct {
	Endpoint string // how errors name it
	Method   string
	// Path begins behind the base URL, with a slash; every part of it is escaped (RFC 3986 section 3.3).
	Path   string
	Query  url.Values
	Header http.Header
	Body   []byte // none where it is nil
	// MaxAnswer bounds the body of the answer, in bytes; 0 is as much as Get reads.
	MaxAnswer int

	only200 bool // every other status is a *Fault
	login   bool // it asks for a token, which is repeated also where the server takes too long
}

// Answer is what the server answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Exchange sends a request that changes nothing at the server, and returns any answer that says something about it: the
// caller judges its status. It repeats, renews and backs off as Get does. A *Fault is a redirect, which is never followed;
// credentials that are refused; a server that cannot answer now (408, 425, 429, 5xx); or no answer.
func (c *Client) Exchange(ctx context.Context, r Request) (Answer, error) {
	var answer Answer
	err := c.retry(ctx, func(ctx context.Context) error {
		var err error
		answer, err = c.exchangeWithCredentials(ctx, r)
		return err
	})
	if err != nil {
		return Answer{}, err
	}
	return answer, nil
}

// exchangeWithCredentials gets new credentials where the server refuses the old ones, and repeats the request once.
func (c *Client) exchangeWithCredentials(ctx context.Context, r Request) (Answer, error) {
	for attempt := 1; ; attempt++ {
		credentials, err := c.auth.credentials(ctx)
		if err != nil {
			return Answer{}, err
		}
		answer, err := c.exchangeOnce(ctx, credentials, r)
		if refused := (*Fault)(nil); attempt == 1 && errors.As(err, &refused) && c.auth.replace(credentials, refused) {
			continue
		}
		return answer, err
	}
}

func (c *Client) exchangeOnce(ctx context.Context, credentials header, r Request) (answer Answer, err error) {
	address := *c.way.base
	address.RawPath = address.EscapedPath() + r.Path
	path, err := url.PathUnescape(address.RawPath)
	if err != nil {
		return Answer{}, errors.New(r.Endpoint + ": the path cannot be made")
	}
	address.Path, address.RawQuery = path, r.Query.Encode()
	begin := func(ctx context.Context) error { return c.begin(ctx, r) }
	if !r.login && c.turnsAreTaken(ctx) {
		return Answer{}, fmt.Errorf("%s: %w", r.Endpoint, c.tooMany())
	}
	err = c.way.run(ctx, !r.login, begin, func(ctx context.Context, at *progress) error {
		var body io.Reader
		if r.Body != nil {
			body = bytes.NewReader(r.Body)
		}
		request, err := http.NewRequestWithContext(ctx, r.Method, address.String(), body)
		if err != nil {
			return errors.New(r.Endpoint + ": the request cannot be made")
		}
		request.Header.Set("Accept", "application/json")
		for name, values := range r.Header {
			request.Header[http.CanonicalHeaderKey(name)] = values
		}
		credentials.set(request.Header)
		response, err := c.way.http.Do(request)
		if err != nil {
			return &Fault{Endpoint: r.Endpoint, cause: c.way.failed(err, at)}
		}
		defer response.Body.Close()
		if isFault(response.StatusCode) || r.only200 && response.StatusCode != http.StatusOK {
			// Read the rest of a short answer: only then can the connection be used again.
			_, _ = io.CopyN(io.Discard, response.Body, 64<<10)
			return c.refusal(r.Endpoint, response)
		}
		most := c.way.bounds.page
		if r.MaxAnswer > 0 {
			most = min(most, r.MaxAnswer)
		}
		read, err := io.ReadAll(io.LimitReader(response.Body, int64(most)+1))
		if err != nil {
			return &Fault{Endpoint: r.Endpoint, cause: c.way.failed(err, at)}
		}
		pageOf(ctx).read(len(read))
		if len(read) > most {
			return tooLarge{r.Endpoint, most}
		}
		answer = Answer{response.StatusCode, response.Header, read}
		return nil
	})
	return answer, err
}

// isFault reports whether a status says nothing about what was asked.
func isFault(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired,
		http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status < 200 || status >= 300 && status < 400 || status >= http.StatusInternalServerError
}

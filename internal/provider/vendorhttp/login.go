package vendorhttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"step-posture-connector/internal/posture"
)

// Login exchanges credentials for bearer tokens by a request of the vendor's own.
type Login struct {
	// Request makes the request, which is sent without other credentials than its own.
	Request func() (Request, error)
	// Token finds the token in any answer that Exchange returns, so it judges the status too, and how long the token lives; 0
	// is not known. An error says what is wrong in our own words, and wraps posture.ErrCredentials where the credentials were
	// refused.
	Token func(Answer) (token string, lifetime time.Duration, err error)
	// Remedy is what to check when the server refuses the credentials: "check MOSYLE_EMAIL and MOSYLE_PASSWORD".
	Remedy string
	// Outdated is that of ClientCredentials.
	Outdated func(why *Fault, issued time.Time) bool
	// Remember is how long a login is not tried again that the server has refused, in whatever way: a vendor may lock an account
	// after some of them, and may say neither that nor that the password is wrong.
	Remember time.Duration
}

// refusedLogin is the error of a login that the server has answered with something else than a token.
type refusedLogin struct{ error }

func (r refusedLogin) Unwrap() error { return r.error }

func (l Login) bind(c *Client) authorizer {
	t := &tokens{ClientCredentials: ClientCredentials{Remedy: l.Remedy, Outdated: l.Outdated, Remember: l.Remember}, client: c, way: c.way}
	t.issue = func(ctx context.Context, _ string) (grant, error) {
		r, err := l.Request()
		if err != nil {
			return grant{}, fmt.Errorf("%s: %w", tokenEndpoint, err)
		}
		r.Endpoint, r.login = tokenEndpoint, true
		answer, err := c.exchangeOnce(ctx, header{}, r)
		switch {
		case HasStatus(err, tokenEndpoint, http.StatusUnauthorized):
			return grant{}, fmt.Errorf("%s answered %d: %w: %s", tokenEndpoint, http.StatusUnauthorized, posture.ErrCredentials, l.Remedy)
		case HasStatus(err, tokenEndpoint, http.StatusForbidden):
			return grant{}, refusedLogin{err}
		case err != nil:
			return grant{}, err
		}
		token, lifetime, err := l.Token(answer)
		switch {
		case err != nil:
			return grant{}, refusedLogin{fmt.Errorf("%s: %w", tokenEndpoint, err)}
		case token == "":
			return grant{}, refusedLogin{errors.New(tokenEndpoint + ": the answer holds no token")}
		}
		return grant{token, lifetime}, checkToken(token)
	}
	return t
}

package vendorhttp

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"step-posture-connector/internal/posture"
)

// Basic sends a user name and a password (RFC 7617).
type Basic struct {
	User     Secret // some services have their key here
	Password Secret // may be empty
	Remedy   string // what to check when the server refuses it
}

func (b Basic) bind(*Client) authorizer { return b }

func (b Basic) credentials(context.Context) (header, error) {
	pair := string(b.User.Reveal()) + ":" + string(b.Password.Reveal())
	return header{name: "Authorization", value: "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))}, nil
}

func (Basic) replace(header, *Fault) bool { return false }

func (b Basic) unauthorized() error { return fmt.Errorf("%w: %s", posture.ErrCredentials, b.Remedy) }

// NoAuth sends no credentials: those of the connection, such as a client certificate, are enough.
type NoAuth struct{ Remedy string }

func (n NoAuth) bind(*Client) authorizer { return n }

func (NoAuth) credentials(context.Context) (header, error) { return header{}, nil }

func (NoAuth) replace(header, *Fault) bool { return false }

func (n NoAuth) unauthorized() error { return fmt.Errorf("%w: %s", posture.ErrCredentials, n.Remedy) }

// Several sends the credentials of each of its parts. No two parts may set the same header.
type Several []Auth

func (s Several) bind(c *Client) authorizer {
	all := make(severalBound, len(s))
	for i, one := range s {
		all[i] = one.bind(c)
	}
	return all
}

type severalBound []authorizer

func (s severalBound) credentials(ctx context.Context) (header, error) {
	all := header{more: make([]header, len(s))}
	for i, one := range s {
		var err error
		if all.more[i], err = one.credentials(ctx); err != nil {
			return header{}, err
		}
	}
	return all, nil
}

func (s severalBound) replace(refused header, why *Fault) bool {
	replaced := false
	for i, one := range s {
		if i < len(refused.more) && one.replace(refused.more[i], why) {
			replaced = true
		}
	}
	return replaced
}

func (s severalBound) unauthorized() error {
	var all []error
	for _, one := range s {
		all = append(all, one.unauthorized())
	}
	return errors.Join(all...)
}

// set puts the credentials into the headers of a request.
func (h header) set(into http.Header) {
	if h.name != "" {
		into.Set(h.name, h.value)
	}
	for _, one := range h.more {
		one.set(into)
	}
}

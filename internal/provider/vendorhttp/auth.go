package vendorhttp

import (
	"context"
	"errors"
	"fmt"

	"step-posture-connector/internal/posture"
)

// Auth is how requests show who sends them: StaticHeader, Basic, ClientCredentials, Login, Several of them, or NoAuth.
type Auth interface{ bind(c *Client) authorizer }

// authorizer has the credentials of a client's requests.
type authorizer interface {
	credentials(ctx context.Context) (header, error)
	// replace reports whether others may be accepted where the server refused these. It then sees to it that
	// credentials returns others.
	replace(refused header, why *Fault) bool
	// unauthorized is the error of a 401 that is final.
	unauthorized() error
}

// header is a header of a request, with those that are sent beside it.
type header struct {
	name, value string
	more        []header
}

// StaticHeader sends the same header with every request.
type StaticHeader struct {
	Name   string // "Authorization"
	Prefix string // in front of the value: "Bearer "
	Value  Secret
	Remedy string // what to check when the server refuses it: "check FLEET_TOKEN"
}

func (s StaticHeader) bind(*Client) authorizer { return s }

func (s StaticHeader) credentials(context.Context) (header, error) {
	return header{name: s.Name, value: s.Prefix + string(s.Value.Reveal())}, nil
}

func (StaticHeader) replace(header, *Fault) bool { return false }

func (s StaticHeader) unauthorized() error {
	return fmt.Errorf("%w: %s", posture.ErrCredentials, s.Remedy)
}

// errRefusedTwice is the error of a token that was new.
var errRefusedTwice = errors.New("the token was refused twice")

func (*tokens) unauthorized() error { return errRefusedTwice }

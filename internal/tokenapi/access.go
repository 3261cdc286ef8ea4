// Package tokenapi is the HTTP API of enrolment tokens: its clients issue, list and revoke those of their own policies.
package tokenapi

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/inbound"
	"step-posture-connector/internal/posture"
)

// Client is one of tokens.clients of the policy file.
type Client struct {
	Name string
	// Bearer is its credential. Without one the client cannot call.
	Bearer config.Secret
	// Policies are those whose tokens it issues, lists and revokes.
	Policies []string
}

// Access is who may call, and for which policies. It never changes; Handler.Use replaces it.
type Access struct {
	clients []knownClient
	rules   map[string]*posture.TokenRequirement
}

// knownClient is a Client with the hash of its credential.
type knownClient struct {
	name     string
	bearer   inbound.Credential
	policies []string
}

// NewAccess makes an Access. rules are what the policies require of their tokens, by the name of the policy; for one that is
// missing there no tokens are issued. Without clients every request is refused.
func NewAccess(clients []Client, rules map[string]*posture.TokenRequirement) *Access {
	a := &Access{rules: rules}
	for _, c := range clients {
		if c.Bearer.IsSet() { // fail closed: without a credential nobody is that client
			a.clients = append(a.clients, knownClient{c.Name, inbound.NewCredential(c.Bearer.Reveal()), slices.Clone(c.Policies)})
		}
	}
	return a
}

// authenticate returns the client whose credential the header has. The error says why there is none, and repeats nothing of
// the header.
func (a *Access) authenticate(header http.Header) (*knownClient, error) {
	credential, err := inbound.Bearer(header)
	if err != nil {
		return nil, err
	}
	if len(a.clients) == 0 {
		return nil, errors.New("no client has a credential: see tokens.clients of the policy file")
	}
	// The same work for each client, so that the time shows neither who exists nor how much of a credential is right.
	matching, found := 0, 0
	for i := range a.clients {
		equal := a.clients[i].bearer.Is(credential)
		found = subtle.ConstantTimeSelect(equal, i, found)
		matching += equal
	}
	switch matching {
	case 0:
		return nil, errors.New("the credential is that of no client: compare it with tokens.clients of the policy file")
	case 1:
		return &a.clients[found], nil
	default: // fail closed: it is not known who calls
		return nil, errors.New("the credential is that of more than one client: give each its own in tokens.clients of the policy file")
	}
}

// rule is what a policy of the client requires of tokens; nil where it is none of its policies, or has no tokens.
func (a *Access) rule(c *knownClient, policy string) *posture.TokenRequirement {
	if !slices.Contains(c.policies, policy) {
		return nil
	}
	return a.rules[policy]
}

// issuable are the policies for which the client may issue tokens.
func (a *Access) issuable(c *knownClient) []string {
	return slices.DeleteFunc(slices.Clone(c.policies), func(policy string) bool { return a.rules[policy] == nil })
}

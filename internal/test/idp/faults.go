package idp

import (
	"net/http"
	"strings"
)

// Fault is a way in which the provider answers wrongly.
type Fault string

// The faults. A client must refuse each of them, except None.
const (
	None Fault = ""

	// Faults of the ID token.
	WrongIssuer     Fault = "ID token: another issuer"
	WrongAudience   Fault = "ID token: another audience"
	OtherParty      Fault = "ID token: two audiences, and another authorized party"
	Expired         Fault = "ID token: expired"
	WrongNonce      Fault = "ID token: another nonce"
	NoNonce         Fault = "ID token: no nonce"
	NoSubject       Fault = "ID token: no subject"
	BadSignature    Fault = "ID token: signed by another key"
	AlgorithmNone   Fault = "ID token: not signed (alg none)"
	AlgorithmHMAC   Fault = "ID token: HMAC with the public key"
	UnknownKey      Fault = "ID token: unknown key ID"
	NoGroups        Fault = "ID token: no groups"
	GroupsAsNumbers Fault = "ID token: groups are numbers"
	CutShort        Fault = "ID token: two parts"

	// Faults of the token endpoint.
	TokenSlow      Fault = "token endpoint: no answer"
	TokenError     Fault = "token endpoint: 500"
	TokenGarbage   Fault = "token endpoint: HTML"
	TokenHuge      Fault = "token endpoint: endless answer"
	TokenRedirect  Fault = "token endpoint: redirect"
	TokenWithoutID Fault = "token endpoint: no ID token"

	// Faults of discovery and of the keys.
	DiscoverySlow        Fault = "discovery: no answer"
	DiscoveryError       Fault = "discovery: 500"
	DiscoveryGarbage     Fault = "discovery: HTML"
	DiscoveryRedirect    Fault = "discovery: redirect"
	DiscoveryOtherIssuer Fault = "discovery: another issuer"
	DiscoveryPlainHTTP   Fault = "discovery: endpoints without TLS"
	KeysSlow             Fault = "keys: no answer"
	KeysError            Fault = "keys: 500"
	KeysGarbage          Fault = "keys: HTML"
	KeysEmpty            Fault = "keys: none"

	// Faults of the way back.
	Denied     Fault = "authorization: access_denied"
	WrongState Fault = "authorization: another state"
	WrongCode  Fault = "authorization: another code"

	// GroupsAsString is what some providers do for a person in one group. It is no fault of the token's signature: whether a
	// client accepts it is the client's choice.
	GroupsAsString Fault = "ID token: groups are a string"
)

// Faults returns every fault that a client must refuse.
func Faults() []Fault {
	return []Fault{
		WrongIssuer, WrongAudience, OtherParty, Expired, WrongNonce, NoNonce, NoSubject, BadSignature, AlgorithmNone, AlgorithmHMAC,
		UnknownKey, NoGroups, GroupsAsNumbers, CutShort,
		TokenSlow, TokenError, TokenGarbage, TokenHuge, TokenRedirect, TokenWithoutID,
		DiscoverySlow, DiscoveryError, DiscoveryGarbage, DiscoveryRedirect, DiscoveryOtherIssuer, DiscoveryPlainHTTP,
		KeysSlow, KeysError, KeysGarbage, KeysEmpty, Denied, WrongState, WrongCode,
	}
}

// endpointFaults are those of an endpoint as a whole. The empty fault is one that the endpoint does not have.
type endpointFaults struct{ slow, failed, garbage, huge, redirect Fault }

// spoil answers instead of the endpoint, when one of its faults is planted.
func (p *Provider) spoil(w http.ResponseWriter, r *http.Request, f endpointFaults) bool {
	is := func(fault Fault) bool { return fault != None && p.has(fault) }
	switch {
	case is(f.slow):
		select {
		case <-r.Context().Done():
		case <-p.stopped:
		}
	case is(f.failed):
		http.Error(w, "the provider has a fault", http.StatusInternalServerError)
	case is(f.garbage):
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html><body>Sign in to the guest network</body></html>"))
	case is(f.huge):
		p.flood(w, r)
	case is(f.redirect):
		// A client that follows it sends its secret, or the code, to an address that it was not given.
		http.Redirect(w, r, "/elsewhere"+r.URL.Path, http.StatusTemporaryRedirect) //nolint:gosec // this fault is one; the path is of this provider
	default:
		return false
	}
	return true
}

// flood writes 64 MiB, or until the client goes away.
func (p *Provider) flood(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	block := []byte(strings.Repeat(" ", 1<<20))
	for range 64 {
		if _, err := w.Write(block); err != nil || r.Context().Err() != nil {
			return
		}
	}
}

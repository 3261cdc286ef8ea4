package access

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// login is one log-in at the OpenID provider: all that it needs to be told from others is made of the secret in a cookie, with a key
// that only we have.
type login struct {
	state, nonce, verifier string
	next                   string
	until                  time.Time
}

const timeLength = 8

func (k key) login(s secret, until time.Time, next string) login {
	return login{k.text("oidc state", s[:]), k.text("oidc nonce", s[:]), k.text("oidc verifier", s[:]), next, until}
}

// serveStart sends a person to the OpenID provider.
func (g *Guard) serveStart(x *exchange) {
	p := g.s.Provider
	if p == nil || x.r.Method == http.MethodPost {
		g.refuse(x, refusal{status: http.StatusNotFound, text: "There is nothing here.", reason: "no OpenID provider is configured, or the request is a POST"})
		return
	}
	next := cleanNext(x.r.URL.Query().Get(FieldNext))
	if hostOf(x.r.Host) != hostOf(strings.TrimPrefix(p.s.URL, "https://")) { // the provider returns there, and the cookie must be of that host
		redirect(x.w, p.s.URL+PathOIDC+"?"+queryOf(FieldNext, next))
		return
	}
	known, err := p.endpoints(x.r.Context())
	if err != nil {
		g.providerFault(x, next, err)
		return
	}
	s, until := newSecret(), x.started.Add(oidcLife)
	l := x.key.login(s, until, next)
	more := binary.BigEndian.AppendUint64(nil, uint64(max(until.Unix(), 0)))
	g.setCookie(x.w, oidcCookie, x.key.seal(oidcCookie, s, append(more, next...)), oidcLife)
	redirect(x.w, known.config.AuthCodeURL(l.state, oidc.Nonce(l.nonce), oauth2.S256ChallengeOption(l.verifier)))
}

// providerFault shows the page of the log-in because the OpenID provider does not answer.
func (g *Guard) providerFault(x *exchange, next string, err error) {
	g.retryAfter(x, providerRetry)
	g.showLogIn(x, http.StatusServiceUnavailable, next, "The OpenID provider does not answer as it should. Try again later; if it stays so, tell your administrator.", err.Error())
}

// loginOf is the log-in that a browser has begun; ok is false where there is none that is good.
func (g *Guard) loginOf(x *exchange) (l login, ok bool) {
	s, more, ok := g.cookie(x.r, x.key, oidcCookie)
	if !ok || len(more) < timeLength {
		return login{next: home}, false
	}
	until := time.Unix(int64(binary.BigEndian.Uint64(more)), 0) //nolint:gosec // G115: we have made it
	return x.key.login(s, until, cleanNext(string(more[timeLength:]))), x.started.Before(until)
}

// serveCallback logs a person in who returns from the OpenID provider.
func (g *Guard) serveCallback(x *exchange) {
	p := g.s.Provider
	if p == nil || x.r.Method != http.MethodGet {
		g.refuse(x, refusal{status: http.StatusNotFound, text: "There is nothing here.", reason: "no OpenID provider is configured, or the method is not GET"})
		return
	}
	l, ok := g.loginOf(x)
	g.setCookie(x.w, oidcCookie, "", 0) // each log-in returns once
	query := x.r.URL.Query()
	if !ok || subtle.ConstantTimeCompare([]byte(one(query, "state")), []byte(l.state)) != 1 {
		g.showLogIn(x, http.StatusForbidden, l.next, "The log-in took too long, or was begun in another window. Begin again.", "the state is not that of a log-in that this browser has begun")
		return
	}
	client := clientOf(x.r)
	const noName = "\x00" // names of the form are another thing
	if wait := g.tries.take(client, noName+client, x.started); wait > 0 {
		g.tooMany(x, l.next, wait)
		return
	}
	known, err := p.endpoints(x.r.Context())
	if err != nil {
		g.providerFault(x, l.next, err)
		return
	}
	person, err := p.person(x.r.Context(), known, query, l)
	switch no := (*notAdmitted)(nil); {
	case errors.As(err, &no):
		x.event.Person = person
		_ = g.notice(x, EventLogIn, person, resultRefused) // nobody is let in, whatever the audit log does
		g.showLogIn(x, http.StatusForbidden, l.next, no.text, no.reason)
	case err != nil:
		g.providerFault(x, l.next, err)
	default:
		g.tries.giveBack(client, noName+client)
		g.letIn(x, person, OIDC, p.fingerprint(x.key), l.next)
	}
}

// one is a parameter that is there exactly once; else it is empty.
func one(query url.Values, name string) string {
	if all := query[name]; len(all) == 1 {
		return all[0]
	}
	return ""
}

// notAdmitted says why a person may not log in. Its text is for the person.
type notAdmitted struct{ text, reason string }

func (e *notAdmitted) Error() string { return e.reason }

// refusedBy is about an answer that must not let anybody in.
func refusedBy(reason string) *notAdmitted {
	return &notAdmitted{"The OpenID provider did not log you in. Begin again; if it stays so, tell your administrator.", reason}
}

// person is who has logged in at the provider: its answer in the query (RFC 6749 section 4.1.2), the code exchanged, and the ID token
// verified (OpenID Connect Core 1.0 section 3.1.3.7). With a *notAdmitted, person may be set: who was refused.
func (p *Provider) person(ctx context.Context, known *endpoints, query url.Values, l login) (person string, err error) {
	// RFC 9207: with two providers, the answer of one must not be taken to the other.
	if issuer := query["iss"]; len(issuer) > 1 || len(issuer) == 1 && issuer[0] != p.s.Issuer || len(issuer) == 0 && known.sendsIssuer {
		return "", refusedBy("the answer is of another issuer, or does not say of which")
	}
	if code := query.Get("error"); code != "" {
		if code == "access_denied" {
			return "", &notAdmitted{"The log-in was cancelled, or the OpenID provider does not let you in here.", "the provider says access_denied"}
		}
		return "", refusedBy("the provider says " + word(code))
	}
	code := one(query, "code")
	if code == "" || len(code) > maxCode {
		return "", refusedBy("the answer has no code, or a very long one")
	}
	limited, cancel := context.WithTimeout(p.with(ctx), 2*providerTimeout) // the code, and the keys where they are new
	defer cancel()
	token, err := known.config.Exchange(limited, code, oauth2.VerifierOption(l.verifier))
	if err != nil {
		if refused := (*oauth2.RetrieveError)(nil); errors.As(err, &refused) && refused.ErrorCode == "invalid_grant" {
			return "", refusedBy("the provider does not take the code: invalid_grant")
		}
		return "", fmt.Errorf("exchange of the code: %w", plain(err))
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return "", refusedBy("the answer to the code has no ID token")
	}
	verified, err := known.verifier.Verify(limited, raw)
	if err != nil {
		if inURL := (*url.Error)(nil); errors.As(err, &inURL) || limited.Err() != nil || strings.Contains(err.Error(), "fetching keys") {
			return "", errors.New("keys of the provider: they cannot be had")
		}
		return "", refusedBy("ID token: " + plain(err).Error())
	}
	return p.admit(verified, l)
}

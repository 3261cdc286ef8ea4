// Package access decides who may see the console: the address it was asked by, log-in by password or OpenID Connect, sessions, and
// tokens against cross-site request forgery (CSRF).
package access

import (
	"context"
	"net/http"
	"time"
)

// Source says how a person has logged in.
type Source string

// The sources. Without users everybody on this machine is Local.
const (
	Local Source = "local"
	File  Source = "file"
	OIDC  Source = "oidc"
)

// Session is that of a person.
type Session struct {
	Person           string
	Source           Source
	Created, Expires time.Time
}

// Store keeps sessions. Hash is the SHA-256 of the secret in the cookie. An error is a fault: nobody is logged in then.
type Store interface {
	// CreateSession adds a session. It deletes those that have expired.
	CreateSession(ctx context.Context, hash [32]byte, s Session) error
	// Session returns a session; ok is false where there is none. One that has expired by now may still be returned.
	Session(ctx context.Context, hash [32]byte) (s Session, ok bool, err error)
	// DeleteSession ends a session, if there is one.
	DeleteSession(ctx context.Context, hash [32]byte) error
	// CookieKey returns the key that signs cookies, the same for all replicas. It is candidate where there was none yet.
	CookieKey(ctx context.Context, candidate [32]byte) (key [32]byte, err error)
}

// View is what the page of the log-in shows.
type View struct {
	Password bool   // there is a form for name and password
	OIDC     bool   // there is a link to the OpenID provider
	Problem  string // what was wrong with the last try; empty at first
	CSRF     string
	Next     string // where to go afterwards; a path of the console
}

// Renderer shows the pages of the log-in, in the form of the console's other pages.
type Renderer interface {
	LogIn(w http.ResponseWriter, r *http.Request, status int, v View)
	// Refuse shows that a request is refused; text is for the person.
	Refuse(w http.ResponseWriter, r *http.Request, status int, text string)
}

// The paths of this package. All others belong to the pages. PathStyle needs no log-in: the page of the log-in uses it.
const (
	PathLogIn    = "/login"
	PathLogOut   = "/logout"
	PathOIDC     = "/oidc/start"
	PathCallback = "/oidc/callback"
	PathStyle    = "/style.css"
)

// The names of form fields. Every POST needs FieldCSRF, the token; the others are of the log-in. PathOIDC takes FieldNext as a query.
const (
	FieldCSRF     = "csrf"
	FieldName     = "name"
	FieldPassword = "password"
	FieldNext     = "next"
)

// Event is one request that the Guard has answered itself, for the log and metrics. Those that it hands on are the business of the
// pages.
type Event struct {
	Page          string // login, logout, oidc_start, oidc_callback, or other
	Person        string // who has logged in, or out; empty otherwise
	Status        int
	Duration      time.Duration
	RemoteAddress string
	Reason        string // of a refusal or a fault, for the administrator; never what was typed into a field
}

// The names of what the Guard answers itself. pageOther is every other page, to which it admits a request or not.
const (
	pageLogIn    = "login"
	pageLogOut   = "logout"
	pageOIDC     = "oidc_start"
	pageCallback = "oidc_callback"
	pageOther    = "other"
)

// admitted is what Guard knows of a request that it has admitted.
type admitted struct {
	session Session
	csrf    string
}

type contextKey struct{}

// SessionOf is the session of a request that a Guard has admitted, and the token that its forms need.
func SessionOf(ctx context.Context) (s Session, csrf string) {
	a, _ := ctx.Value(contextKey{}).(admitted)
	return a.session, a.csrf
}

// WithSession is for tests of pages.
func WithSession(ctx context.Context, s Session, csrf string) context.Context {
	return context.WithValue(ctx, contextKey{}, admitted{s, csrf})
}

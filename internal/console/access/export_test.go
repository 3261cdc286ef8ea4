package access

import (
	"net/http"
)

// CleanNext is cleanNext.
func CleanNext(text string) string { return cleanNext(text) }

// IsLocalHost is isLocalHost.
func IsLocalHost(host string) bool { return isLocalHost(host) }

// Opened is what a Guard without users makes of a cookie.
func (g *Guard) Opened(value string) bool {
	r := &http.Request{Header: http.Header{"Cookie": {g.cookieName(sessionCookie) + "=" + value}}}
	_, _, ok := g.cookie(r, g.candidate, sessionCookie)
	return ok
}

// ClientOf is clientOf.
func ClientOf(remote string) string { return clientOf(&http.Request{RemoteAddr: remote}) }

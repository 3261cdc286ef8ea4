package access

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"time"
)

// signingKey is the key that signs cookies. It is read from the store once.
func (g *Guard) signingKey(ctx context.Context) (key, *refusal) {
	if k := g.key.Load(); k != nil {
		return *k, nil
	}
	limited, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	read, err := g.s.Store.CookieKey(limited, g.candidate)
	if err != nil {
		return key{}, storeFault(err)
	}
	if read == [keyLength]byte{} { // fail closed: everybody knows this key
		return key{}, &refusal{status: http.StatusInternalServerError, text: "Nobody can log in at present.", reason: "the key of cookies in the state database is empty"}
	}
	k := key(read)
	g.key.Store(&k)
	return k, nil
}

// storeFault refuses a request because nobody knows who sends it. Fail closed: there are no sessions without the database.
func storeFault(err error) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, text: "The database with the sessions does not answer. Try again later.", reason: "state database: " + err.Error(), after: 10 * time.Second}
}

// session is the session of a request; found is nil where there is none that is good.
func (g *Guard) session(x *exchange) (found *Session, s secret, p *refusal) {
	s, fingerprint, ok := g.cookie(x.r, x.key, sessionCookie) // a cookie that we have not signed costs no query
	if !ok {
		return nil, s, nil
	}
	limited, cancel := context.WithTimeout(x.r.Context(), storeTimeout)
	defer cancel()
	read, ok, err := g.s.Store.Session(limited, sha256.Sum256(s[:]))
	if err != nil {
		return nil, s, storeFault(err)
	}
	if !ok || !g.isGood(x, read, fingerprint) {
		return nil, s, nil
	}
	return &read, s, nil
}

// isGood reports whether a session has not ended. The fingerprint, from its signed cookie, is that of what the person has logged in
// by; a session ends when that has changed, on every replica.
func (g *Guard) isGood(x *exchange, read Session, fingerprint []byte) bool {
	if !x.started.Before(read.Expires) || !x.started.Before(read.Created.Add(sessionLife)) {
		return false
	}
	now := g.fingerprint(x.key, read.Source, read.Person)
	return now != nil && subtle.ConstantTimeCompare(fingerprint, now) == 1
}

// fingerprint is that of what a person logs in by at present; nil where the person cannot.
func (g *Guard) fingerprint(k key, source Source, person string) []byte {
	switch users := g.users.Load(); {
	case source == File && users != nil:
		return users.fingerprint(k, person)
	case source == OIDC && g.s.Provider != nil:
		return g.s.Provider.fingerprint(k)
	default: // fail closed: nobody logs in by it any more
		return nil
	}
}

// begin begins a session, always with a new secret, so that nobody knows it from before. One that the browser had ends.
// Fail closed: a password that was replaced while it was being verified begins no session. That of the new one would last for hours.
func (g *Guard) begin(x *exchange, person string, source Source, fingerprint []byte) *refusal {
	if now := g.fingerprint(x.key, source, person); now == nil || subtle.ConstantTimeCompare(fingerprint, now) != 1 {
		return &refusal{status: http.StatusForbidden, text: "You may not log in with this any more.", reason: "the person was removed, or got another password, during the log-in"}
	}
	limited, cancel := context.WithTimeout(x.r.Context(), storeTimeout)
	defer cancel()
	if before, _, ok := g.cookie(x.r, x.key, sessionCookie); ok {
		if err := g.s.Store.DeleteSession(limited, sha256.Sum256(before[:])); err != nil {
			return storeFault(err)
		}
	}
	s := newSecret()
	made := Session{Person: person, Source: source, Created: x.started, Expires: x.started.Add(sessionLife)}
	if err := g.s.Store.CreateSession(limited, sha256.Sum256(s[:]), made); err != nil {
		return storeFault(err)
	}
	g.setCookie(x.w, sessionCookie, x.key.seal(sessionCookie, s, fingerprint), sessionLife)
	g.setCookie(x.w, formCookie, "", 0)
	return nil
}

// serveLogOut ends the session of a request.
func (g *Guard) serveLogOut(x *exchange) {
	if x.r.Method != http.MethodPost {
		x.w.Header().Set("Allow", http.MethodPost)
		g.refuse(x, refusal{status: http.StatusMethodNotAllowed, text: "Use the button to log out.", reason: "a log-out that is no POST"})
		return
	}
	found, s, p := g.session(x)
	if p != nil {
		g.refuse(x, *p)
		return
	}
	if found != nil {
		x.event.Person = found.Person
		if p := x.checkCSRF(sessionCookie, s, true); p != nil {
			g.refuse(x, *p)
			return
		}
		limited, cancel := context.WithTimeout(x.r.Context(), storeTimeout)
		defer cancel()
		if err := g.s.Store.DeleteSession(limited, sha256.Sum256(s[:])); err != nil {
			g.refuse(x, *storeFault(err)) // the cookie stays, so that it can be tried again
			return
		}
		_ = g.notice(x, EventLogOut, found.Person, resultOK) // the session has ended whatever the audit log does; the daemon logs its error
	}
	g.setCookie(x.w, sessionCookie, "", 0)
	redirect(x.w, PathLogIn)
}

package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"time"
)

// kind is what a cookie is for. Its text is a part of what is signed, so that none can stand for another.
type kind string

// The kinds of cookies. The names change with the format, so that old ones are ignored.
const (
	sessionCookie kind = "session"
	formCookie    kind = "form" // before there is a session, and where there is none
	oidcCookie    kind = "oidc"
)

const (
	keyLength    = 32
	secretLength = 32
)

// key signs cookies and makes tokens. It is the same for all replicas.
type key [keyLength]byte

// mark is the keyed hash of parts, for one use.
func (k key) mark(use string, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, k[:])
	part := func(text []byte) {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(text)))
		_, _ = h.Write(length[:])
		_, _ = h.Write(text)
	}
	part([]byte(use))
	for _, p := range parts {
		part(p)
	}
	return h.Sum(nil)
}

// text is mark as text, in 43 characters of A-Z a-z 0-9 _ -.
func (k key) text(use string, parts ...[]byte) string {
	return base64.RawURLEncoding.EncodeToString(k.mark(use, parts...))
}

// secret is random, and only its cookie has it.
type secret [secretLength]byte

func newSecret() (s secret) {
	_, _ = rand.Read(s[:])
	return s
}

// csrf is the token of the forms of whoever has the cookie.
func (k key) csrf(of kind, s secret) string { return k.text("csrf of "+string(of), s[:]) }

// seal makes the value of a cookie: its secret and more, signed.
func (k key) seal(of kind, s secret, more []byte) string {
	signed := append(s[:], more...)
	return base64.RawURLEncoding.EncodeToString(append(k.mark(string(of), signed), signed...))
}

// open reads the value of a cookie; ok is false for whatever seal has not made.
func (k key) open(of kind, value string) (s secret, more []byte, ok bool) {
	all, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil || len(all) < sha256.Size+secretLength {
		return secret{}, nil, false
	}
	mark, signed := all[:sha256.Size], all[sha256.Size:]
	if subtle.ConstantTimeCompare(mark, k.mark(string(of), signed)) != 1 {
		return secret{}, nil, false
	}
	return secret(signed[:secretLength]), signed[secretLength:], true
}

// cookieName is the name of a cookie. With TLS it has the prefix __Host-: browsers then take it from this very host alone, with
// Secure, and no other host of the domain can set it (RFC 6265bis section 4.1.3.2).
func (g *Guard) cookieName(of kind) string {
	const format = "step-posture-1-"
	if g.s.TLS {
		return "__Host-" + format + string(of)
	}
	return format + string(of)
}

// setCookie sets a cookie for a time; an empty value deletes it.
func (g *Guard) setCookie(w http.ResponseWriter, of kind, value string, life time.Duration) {
	c := &http.Cookie{ //nolint:gosec // G124: Secure is set wherever there is TLS; there is none on loopback without users
		Name: g.cookieName(of), Value: value, Path: "/", MaxAge: int(life.Seconds()), HttpOnly: true, Secure: g.s.TLS,
		// Lax and not Strict: a link in a ticket, and the return from the OpenID provider, are navigations from another site. What changes
		// something is a POST, which needs a token besides.
		SameSite: http.SameSiteLaxMode,
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// cookie is the cookie of a request. One that is there twice is none: which of them is ours?
func (g *Guard) cookie(r *http.Request, k key, of kind) (s secret, more []byte, ok bool) {
	all := r.CookiesNamed(g.cookieName(of))
	if len(all) != 1 {
		return secret{}, nil, false
	}
	return k.open(of, all[0].Value)
}

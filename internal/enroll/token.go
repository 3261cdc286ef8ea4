// Package enroll has the enrolment tokens: single-use secrets that bind an order to a device before it is in any group of an
// inventory. SCEP challenges are the same tokens.
package enroll

import (
	"crypto/sha256"
	"crypto/x509"
	"strings"
	"time"

	"step-posture-connector/internal/posture"
)

// Hash is the SHA-256 of a token. It is all of the token that is kept; a token has 256 random bits, so it needs no salt.
type Hash [sha256.Size]byte

// HashOf is the hash of a token's text.
func HashOf(text string) Hash { return sha256.Sum256([]byte(text)) }

// Key is the SHA-256 of a public key, in the DER of PKIX (RFC 5280 section 4.1, SubjectPublicKeyInfo).
type Key [sha256.Size]byte

// KeyOf makes the Key of a public key. A CSR and a certificate may encode the same key in different ways, so the DER that Go
// makes of it counts.
func KeyOf(public any) (Key, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return Key{}, err
	}
	return sha256.Sum256(der), nil
}

// Token is what is kept of an enrolment token. It has an identifier, a UDID or both.
type Token struct {
	ID     string
	Hash   Hash
	Policy string
	// Identifier and UDID are those of the device that the token is for, as the client wrote them; empty where it has named none.
	Identifier, UDID string
	Client           string // who had it issued
	Created, Expires time.Time
	// Bound is when the token was redeemed, Key by which key, and BoundTo by which device. Bound is zero before.
	Bound   time.Time
	Key     Key
	BoundTo string
	Revoked time.Time // zero where it is not
	// Now is the clock of the database when it was read: all times are by that clock.
	Now time.Time
}

// State says whether a token can be redeemed.
type State string

// The states of a token.
const (
	Live    State = "live"
	Used    State = "used"
	Expired State = "expired"
	Revoked State = "revoked"
)

// State is the state at the time of reading.
func (t *Token) State() State {
	switch {
	case !t.Revoked.IsZero():
		return Revoked
	case !t.Bound.IsZero():
		return Used
	case !t.Now.Before(t.Expires):
		return Expired
	default:
		return Live
	}
}

// KeyExpires is until when a redeemed token is good for its key.
func (t *Token) KeyExpires() time.Time {
	end := t.Bound.Add(KeyLifetime)
	if t.Expires.After(end) {
		end = t.Expires
	}
	return end
}

// FoldIdentifier is the form in which identifiers are compared, and FoldUDID that of UDIDs.
func FoldIdentifier(text string) string {
	id, err := posture.ParseRequested(text)
	if err != nil {
		return ""
	}
	return id.Key()
}

// FoldUDID leaves hyphens and the case of ASCII letters out. Of other letters some would become those: two UDIDs would be one.
func FoldUDID(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '-':
			return -1
		case 'a' <= c && c <= 'z':
			return c - 'a' + 'A'
		default:
			return c
		}
	}, text)
}

package enroll

import "time"

// The limits of enrolment tokens. docs/operation.md lists the time limits; a test compares.
const (
	// KeyLifetime is how long a token stays good for the key that has redeemed it, if it does not expire later.
	KeyLifetime = 10 * time.Minute
	// Kept is how long a token is kept after it has expired, or its key may no longer use it.
	Kept = 7 * 24 * time.Hour
	// MinLifetime and MaxLifetime bound the lifetime of a token.
	MinLifetime = time.Second
	MaxLifetime = 30 * 24 * time.Hour
	// DefaultLifetime is that of a policy that names none.
	DefaultLifetime = 5 * time.Minute
	// MaxLive is how many live tokens an identifier, or a UDID, may have.
	MaxLive = 100
	// MaxListed is how many tokens a list has at most: the newest.
	MaxListed = 1000
	// secretBytes is how many random bytes a token has.
	secretBytes = 32
)

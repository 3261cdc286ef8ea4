package enroll

import (
	"context"
	"errors"
	"time"
)

// Store keeps tokens. An error other than those named is a fault: nothing is known then, and nobody may pass.
type Store interface {
	// Insert adds a live token, which expires after lifetime, and returns it with its times. The error is ErrTooMany where the
	// identifier or the UDID has MaxLive live tokens already.
	Insert(ctx context.Context, t Token, lifetime time.Duration) (Token, error)
	// Find returns the token with a hash, in any state, or ErrUnknown.
	Find(ctx context.Context, h Hash) (Token, error)
	// Bind binds a live token to a key and a device in one atomic step, and returns the token as it is then: bound by this call
	// or an earlier one, or not bound because it is not live. The error is ErrUnknown where there is none.
	Bind(ctx context.Context, h Hash, key Key, identifier string) (Token, error)
	// Bound returns the tokens of a policy that are bound to a key, in any state, the newest first, at most MaxListed.
	Bound(ctx context.Context, policy string, key Key) ([]Token, error)
	// List returns at most MaxListed tokens, the newest first. More says that there are others.
	List(ctx context.Context, f Filter) (tokens []Token, more bool, err error)
	// Revoke revokes a token of these policies; nil means all. One that is revoked stays as it is. The error is ErrUnknown where
	// there is none.
	Revoke(ctx context.Context, id string, policies []string) error
}

// Filter selects tokens.
type Filter struct {
	Policies   []string // nil means all
	Identifier string   // folded; empty means all. Tokens that are for it, or have been redeemed by it
}

// Errors of a Store.
var (
	ErrUnknown = errors.New("there is no such token")
	ErrTooMany = errors.New("there are too many live tokens for this device")
)

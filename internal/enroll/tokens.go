package enroll

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"step-posture-connector/internal/posture"
)

// Tokens issues and redeems tokens of a Store.
type Tokens struct{ Store Store }

// Invalid is why a token is not accepted. It is for the log: a client gets the same words for all of them.
type Invalid struct {
	ID     string // of the token; empty where there is none
	Reason string
}

func (e *Invalid) Error() string { return e.Reason }

// Wanted is a token that a client asks for.
type Wanted struct {
	Identifier, UDID string
	Lifetime         time.Duration // 0 means that of the policy
	Client           string
}

// Refused is why a token is not issued: what is wrong with what the client asks for.
type Refused struct{ Reason string }

func (e *Refused) Error() string { return e.Reason }

// Issue makes a token under a policy. The text is nowhere else afterwards. The error is a *Refused, ErrTooMany, or a fault.
func (s *Tokens) Issue(ctx context.Context, rule *posture.TokenRequirement, w Wanted) (text string, t Token, err error) {
	if err := w.check(rule); err != nil {
		return "", Token{}, err
	}
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // never fails
	text = base64.RawURLEncoding.EncodeToString(secret)
	lifetime := w.Lifetime
	if lifetime == 0 {
		lifetime = rule.Lifetime
	}
	t, err = s.Store.Insert(ctx, Token{
		ID: rand.Text(), Hash: HashOf(text), Policy: rule.Policy, Identifier: w.Identifier, UDID: w.UDID, Client: w.Client,
	}, lifetime)
	if err != nil {
		return "", Token{}, err
	}
	return text, t, nil
}

func (w *Wanted) check(rule *posture.TokenRequirement) error {
	refused := func(format string, a ...any) error { return &Refused{fmt.Sprintf(format, a...)} }
	if w.Identifier == "" && w.UDID == "" {
		return refused("the token is for no device: give its identifier, its UDID, or both")
	}
	if w.Identifier != "" {
		if _, err := posture.ParseRequested(w.Identifier); err != nil {
			return refused("the identifier: %v", err)
		}
	}
	if w.UDID != "" {
		if _, err := posture.ParseIdentifier(w.UDID); err != nil {
			return refused("the UDID: %v", err)
		}
		if FoldUDID(w.UDID) == "" {
			return refused("the UDID has only hyphens")
		}
	}
	switch {
	case w.Lifetime == 0:
	case w.Lifetime < MinLifetime:
		return refused("the lifetime is shorter than %s", MinLifetime)
	case w.Lifetime > rule.Lifetime:
		return refused("the lifetime is longer than %s, the most that the policy gives", rule.Lifetime)
	}
	return nil
}

// Find looks a token up that was shown under a policy, with the key of the order. The error is an *Invalid, or a fault.
func (s *Tokens) Find(ctx context.Context, text, policy string, key Key) (Token, error) {
	// Also for a text that can be no token: each refusal takes the same time.
	t, err := s.Store.Find(ctx, HashOf(text))
	switch {
	case errors.Is(err, ErrUnknown):
		return Token{}, &Invalid{Reason: "there is no such token"}
	case err != nil:
		return Token{}, err
	}
	return t, t.usable(policy, key)
}

// usable returns an *Invalid where the token may not be redeemed under a policy by a key.
func (t *Token) usable(policy string, key Key) error {
	invalid := func(format string, a ...any) error { return &Invalid{t.ID, fmt.Sprintf(format, a...)} }
	const seconds = time.RFC3339
	switch t.State() {
	case Revoked:
		return invalid("the token was revoked at %s", t.Revoked.UTC().Format(seconds))
	case Used:
		switch {
		case t.Key != key:
			return invalid("the token was redeemed with another key at %s; a device that starts over needs a new one", t.Bound.UTC().Format(seconds))
		case !t.Now.Before(t.KeyExpires()):
			return invalid("the token was redeemed at %s, and was good for its key until %s", t.Bound.UTC().Format(seconds), t.KeyExpires().UTC().Format(seconds))
		}
	case Live:
	case Expired:
		return invalid("the token expired at %s", t.Expires.UTC().Format(seconds))
	}
	if t.Policy != policy {
		return invalid("the token is for the policy %s", t.Policy)
	}
	return nil
}

// MatchesRequest returns an *Invalid where the token is for another device than the one that asks, as far as the request says.
// udids are those in the CSR.
func (t *Token) MatchesRequest(rule *posture.TokenRequirement, id posture.Identifier, udids []string) error {
	if t.Identifier != "" && FoldIdentifier(t.Identifier) != id.Key() {
		return &Invalid{t.ID, fmt.Sprintf("the token is for the device %q", t.Identifier)}
	}
	if t.UDID == "" || rule.UDIDIn == "" {
		return nil
	}
	if len(udids) != 1 {
		return &Invalid{t.ID, fmt.Sprintf("the token is for a UDID, and the CSR has %d in %s, want one", len(udids), rule.UDIDIn)}
	}
	if FoldUDID(udids[0]) != FoldUDID(t.UDID) {
		return &Invalid{t.ID, fmt.Sprintf("the token is for the UDID %q, and the CSR has another one", t.UDID)}
	}
	return nil
}

// MatchesRecord returns an *Invalid where the inventory says that the device has another UDID than the token is for. Without an
// identifier in the token, only that ties the token to the device.
func (t *Token) MatchesRecord(rule *posture.TokenRequirement, e *posture.Evidence) error {
	if t.UDID == "" || rule.UnpairedUDID {
		return nil
	}
	known := false
	for _, d := range e.Records() {
		udid, ok := d.Facts.UDID.Get()
		if !ok || udid == "" {
			continue
		}
		known = true
		if FoldUDID(udid) != FoldUDID(t.UDID) {
			return &Invalid{t.ID, fmt.Sprintf("the token is for the UDID %q, and the inventory says that the device has another one", t.UDID)}
		}
	}
	// Fail closed: the UDID in the CSR is only the client's word.
	if !known && t.Identifier == "" {
		return &Invalid{t.ID, "the token names a UDID and no identifier, and no inventory knows the UDID of the device"}
	}
	return nil
}

// Redeem binds a token that Find has returned to a key, once and for all. With the same key it can be repeated. The error is an
// *Invalid, or a fault; after a fault it is not known whether the token is bound, and the same key may try again.
func (s *Tokens) Redeem(ctx context.Context, found Token, key Key, id posture.Identifier) error {
	t, err := s.Store.Bind(ctx, found.Hash, key, id.String())
	switch {
	case errors.Is(err, ErrUnknown):
		return &Invalid{found.ID, "the token is gone"}
	case err != nil:
		return err
	case t.State() == Live:
		return errors.New("the state database did not bind a live token")
	}
	if err := t.usable(found.Policy, key); err != nil {
		return err
	}
	return t.boundTo(id)
}

// Bound returns the tokens that are bound to a key under a policy, and usable. The error is an *Invalid where there is none, or
// a fault.
func (s *Tokens) Bound(ctx context.Context, policy string, key Key) ([]Token, error) {
	all, err := s.Store.Bound(ctx, policy, key)
	if err != nil {
		return nil, err
	}
	var last error = &Invalid{Reason: "no token was redeemed with this key"}
	usable := slices.DeleteFunc(all, func(t Token) bool {
		err := t.usable(policy, key)
		if err != nil {
			last = err
		}
		return err != nil
	})
	if len(usable) == 0 {
		return nil, last
	}
	return usable, nil
}

// BoundTo are those of tokens that this device has redeemed. The error is an *Invalid where there is none.
func BoundTo(tokens []Token, id posture.Identifier) (own []Token, err error) {
	for i := range tokens {
		if err = tokens[i].boundTo(id); err == nil {
			own = append(own, tokens[i])
		}
	}
	if len(own) == 0 {
		return nil, err
	}
	return own, nil
}

func (t *Token) boundTo(id posture.Identifier) error {
	if FoldIdentifier(t.BoundTo) != id.Key() {
		return &Invalid{t.ID, fmt.Sprintf("the token was redeemed by the device %q", t.BoundTo)}
	}
	return nil
}

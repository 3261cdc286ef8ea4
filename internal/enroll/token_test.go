package enroll_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/posture"
)

func TestState(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	token := func(lifetime, bound, revoked, now time.Duration) enroll.Token {
		k := enroll.Token{Created: begin, Expires: begin.Add(lifetime), Now: begin.Add(now)}
		if bound > 0 {
			k.Bound = begin.Add(bound)
		}
		if revoked > 0 {
			k.Revoked = begin.Add(revoked)
		}
		return k
	}
	for name, test := range map[string]struct {
		token enroll.Token
		want  enroll.State
		until time.Duration // for its key
	}{
		"new":                       {token(time.Minute, 0, 0, 0), enroll.Live, 0},
		"just live":                 {token(time.Minute, 0, 0, time.Minute-1), enroll.Live, 0},
		"just expired":              {token(time.Minute, 0, 0, time.Minute), enroll.Expired, 0},
		"used":                      {token(time.Minute, time.Second, 0, time.Minute), enroll.Used, time.Second + enroll.KeyLifetime},
		"used at the last moment":   {token(time.Minute, time.Minute-1, 0, time.Hour), enroll.Used, time.Minute - 1 + enroll.KeyLifetime},
		"used, with a long life":    {token(time.Hour, time.Second, 0, time.Minute), enroll.Used, time.Hour},
		"revoked":                   {token(time.Minute, 0, time.Second, time.Second), enroll.Revoked, 0},
		"revoked after it was used": {token(time.Minute, time.Second, 2*time.Second, time.Hour), enroll.Revoked, time.Second + enroll.KeyLifetime},
	} {
		if got := test.token.State(); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
		if test.until > 0 && !test.token.KeyExpires().Equal(begin.Add(test.until)) {
			t.Errorf("%s: good for its key until %s, want %s", name, test.token.KeyExpires(), begin.Add(test.until))
		}
	}
}

func TestFold(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "-": "", "4c4c4544-0037": "4C4C45440037", "00008103-001A2B3C4D5E6F70": "00008103001A2B3C4D5E6F70", "a b": "A B",
		"\u017f": "\u017f", "\u0131": "\u0131", "\u212a": "\u212a", // which Unicode folds to S, I and K
	} {
		if got := enroll.FoldUDID(text); got != want {
			t.Errorf("FoldUDID(%q) = %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{"": "", " C02": "", "c02xk1": "C02XK1", "ada@example.com": "ADA@EXAMPLE.COM", "\u212a": "\u212a", "C-02": "C-02"} {
		if got := enroll.FoldIdentifier(text); got != want {
			t.Errorf("FoldIdentifier(%q) = %q, want %q", text, got, want)
		}
	}
}

// A key is the same in a CSR, in a certificate and after it was written and read again. What is no key is nobody's.
func TestKeyOf(t *testing.T) {
	t.Parallel()
	seen := map[enroll.Key]bool{}
	for name, generate := range map[string]func() (crypto.Signer, error){
		"RSA":     func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) },
		"P-256":   func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
		"P-384":   func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) },
		"Ed25519": func() (crypto.Signer, error) { _, key, err := ed25519.GenerateKey(rand.Reader); return key, err },
	} {
		signer, err := generate()
		if err != nil {
			t.Fatal(err)
		}
		key, err := enroll.KeyOf(signer.Public())
		if err != nil || seen[key] || key == (enroll.Key{}) {
			t.Errorf("%s: got %x, %v, want a key of its own", name, key, err)
		}
		seen[key] = true
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, signer)
		if err != nil {
			t.Fatal(err)
		}
		csr, err := x509.ParseCertificateRequest(der)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := enroll.KeyOf(csr.PublicKey); err != nil || got != key {
			t.Errorf("%s: got %x, %v in a CSR, want %x", name, got, err, key)
		}
	}
	for _, none := range []any{nil, "key", struct{}{}} {
		if key, err := enroll.KeyOf(none); err == nil {
			t.Errorf("%v is the key %x", none, key)
		}
	}
}

// inserting keeps what is inserted.
type inserting struct {
	enroll.Store

	token    enroll.Token
	lifetime time.Duration
}

func (i *inserting) Insert(_ context.Context, t enroll.Token, lifetime time.Duration) (enroll.Token, error) {
	i.token, i.lifetime = t, lifetime
	return t, nil
}

func TestIssue(t *testing.T) {
	t.Parallel()
	rule := &posture.TokenRequirement{Policy: "enrolment", Lifetime: 5 * time.Minute}
	for name, test := range map[string]struct {
		wanted  enroll.Wanted
		refused string
	}{
		"identifier":      {enroll.Wanted{Identifier: "C02"}, ""},
		"UDID":            {enroll.Wanted{UDID: "4C4C-4544"}, ""},
		"both":            {enroll.Wanted{Identifier: "C02", UDID: "4C4C", Lifetime: time.Second, Client: "enroll"}, ""},
		"all of the time": {enroll.Wanted{Identifier: "C02", Lifetime: 5 * time.Minute}, ""},
		"no device":       {enroll.Wanted{}, "the token is for no device"},
		"blank":           {enroll.Wanted{Identifier: " "}, "the identifier: "},
		"blank UDID":      {enroll.Wanted{UDID: " "}, "the UDID: "},
		"only hyphens":    {enroll.Wanted{Identifier: "C02", UDID: "--"}, "only hyphens"},
		"foreign UDID":    {enroll.Wanted{UDID: "\u017f"}, "the UDID: "},
		"long":            {enroll.Wanted{Identifier: strings.Repeat("x", 513)}, "the identifier: "},
		"too short":       {enroll.Wanted{Identifier: "C02", Lifetime: time.Second - 1}, "shorter than 1s"},
		"negative":        {enroll.Wanted{Identifier: "C02", Lifetime: -time.Hour}, "shorter than 1s"},
		"too long":        {enroll.Wanted{Identifier: "C02", Lifetime: 5*time.Minute + 1}, "longer than 5m0s"},
	} {
		store := &inserting{}
		text, token, err := (&enroll.Tokens{Store: store}).Issue(t.Context(), rule, test.wanted)
		if test.refused != "" {
			refused := (*enroll.Refused)(nil)
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), test.refused) || text != "" || store.token.ID != "" {
				t.Errorf("%s: got %v, want %q", name, err, test.refused)
			}
			continue
		}
		lifetime := test.wanted.Lifetime
		if lifetime == 0 {
			lifetime = rule.Lifetime
		}
		if err != nil || len(text) != posture.TokenLength || token.Hash != enroll.HashOf(text) || token.Policy != rule.Policy || store.lifetime != lifetime ||
			token.Identifier != test.wanted.Identifier || token.UDID != test.wanted.UDID || token.Client != test.wanted.Client {
			t.Errorf("%s: got %+v for %s, %v", name, token, store.lifetime, err)
		}
		if posture.HideTokens(text) == text || bytes.Contains([]byte(token.ID), []byte(text[:8])) {
			t.Errorf("%s: the ID %s shows the token %s, or the log would", name, token.ID, text)
		}
	}
}

package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"net/http"
	"strings"
	"sync"
)

// The headers that authenticate a request of step-ca. The signature is the hex HMAC-SHA256 of
// the raw body under the webhook's decoded secret; it covers neither URL nor headers.
const (
	idHeader        = "X-Smallstep-Webhook-Id"
	signatureHeader = "X-Smallstep-Signature"
)

const requestIDHeader = "X-Request-Id"

// Webhook is one webhook of step-ca that may call.
type Webhook struct {
	ID     string // UUID
	Secret []byte // decoded signing secret
}

// Authenticator knows the webhooks that may call.
type Authenticator struct {
	signers map[string]*signer // by lower-case ID
	empty   *signer            // signs with the empty key, and stands in for the signer of an unknown ID
}

// NewAuthenticator makes an Authenticator for hooks. Without hooks it refuses everything.
func NewAuthenticator(hooks []Webhook) *Authenticator {
	// HMAC pads a short key with zeros: a block of them is the empty key, in a length that FIPS 140 allows.
	a := &Authenticator{signers: make(map[string]*signer, len(hooks)), empty: newSigner(make([]byte, sha256.BlockSize))}
	for _, hook := range hooks {
		a.signers[strings.ToLower(hook.ID)] = newSigner(hook.Secret)
	}
	return a
}

// SignedBody is a request body whose signature was verified. Only Authenticate makes one.
type SignedBody struct{ raw []byte }

// Authenticate verifies that body was signed by the webhook that the headers name.
func (a *Authenticator) Authenticate(header http.Header, body []byte) (SignedBody, *Problem) {
	id, err := single(header, idHeader)
	if err != nil {
		return SignedBody{}, &Problem{codeUnauthenticated, err}
	}
	text, err := single(header, signatureHeader)
	if err != nil {
		return SignedBody{}, &Problem{codeUnauthenticated, err}
	}
	var signature [sha256.Size]byte
	if len(text) != hex.EncodedLen(len(signature)) {
		err = hex.ErrLength
	} else {
		_, err = hex.Decode(signature[:], []byte(text))
	}
	if err != nil {
		return SignedBody{}, problemf(codeUnauthenticated, "%s is not the hex form of 32 bytes", signatureHeader)
	}
	s, known := a.signers[strings.ToLower(id)]
	if !known {
		// The same work as for a known ID, so that the time shows no client which IDs exist.
		s = a.empty
	}
	equal := s.signed(body, signature[:])
	if known && equal && !s.isEmpty {
		return SignedBody{body}, nil
	}
	byEmptyKey := a.empty.signed(body, signature[:])
	switch {
	case known && s.isEmpty:
		// Fail closed: every client can sign with this secret.
		return SignedBody{}, problemf(codeUnauthenticated, "the webhook's secret in WEBHOOK_SECRETS has only zero bytes, which is as good as none: use the one that step-ca printed when the webhook was added")
	case byEmptyKey:
		return SignedBody{}, problemf(codeUnauthenticated, "signed with the empty key: step-ca ignores a webhook secret that is "+
			"written into ca.json; add the webhook with `step ca provisioner webhook add`, which needs remote management")
	case !known:
		// Fail closed: an unknown ID never passes, no matter which key signed it.
		return SignedBody{}, problemf(codeUnauthenticated, "unknown webhook ID: compare it with WEBHOOK_IDS")
	default:
		return SignedBody{}, problemf(codeUnauthenticated, "wrong signature: compare the webhook's secret with WEBHOOK_SECRETS")
	}
}

// single returns the value of a header that a request must have exactly once. With two values, another part of
// the chain could read one that was not verified.
func single(header http.Header, name string) (string, error) {
	switch values := header[name]; len(values) {
	case 0:
		return "", errors.New("no " + name + " header")
	case 1:
		return values[0], nil
	default:
		return "", errors.New("more than one " + name + " header")
	}
}

// signer computes signatures with one secret. It is safe for concurrent use.
type signer struct {
	macs    sync.Pool // of *mac
	isEmpty bool      // whether it signs as the empty key does
}

// mac is a keyed hash, which is costly to make, and cheap to use again.
type mac struct {
	hash.Hash
	sum [sha256.Size]byte
}

func newSigner(secret []byte) *signer {
	isEmpty := len(secret) <= sha256.BlockSize && len(bytes.Trim(secret, "\x00")) == 0
	return &signer{sync.Pool{New: func() any { return &mac{Hash: hmac.New(sha256.New, secret)} }}, isEmpty}
}

// signed reports whether signature is the one of body. How long that takes says nothing about the signature.
func (s *signer) signed(body, signature []byte) bool {
	m, _ := s.macs.Get().(*mac)
	defer s.macs.Put(m)
	m.Reset()
	_, _ = m.Write(body) // never fails
	return hmac.Equal(signature, m.Sum(m.sum[:0]))
}

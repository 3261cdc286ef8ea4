package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
)

// The headers by which step-ca authenticates a request. The signature is the hex HMAC-SHA256 of
// the raw body under the webhook's decoded secret; it covers neither URL nor headers.
const (
	idHeader        = "X-Smallstep-Webhook-Id"
	signatureHeader = "X-Smallstep-Signature"
)

// MaxBody is the largest request body, in bytes. The largest that step-ca was seen to send has 3.2 KiB.
const MaxBody = 64 << 10

// Webhook is one webhook of step-ca that may call.
type Webhook struct {
	ID     string // UUID
	Secret []byte // decoded signing secret
}

// Authenticator knows the webhooks that may call.
type Authenticator struct {
	secrets map[string][]byte // by lower-case ID
	decoy   []byte            // stands in for the secret of an unknown ID
}

// NewAuthenticator makes an Authenticator for hooks. Without hooks it refuses everything.
func NewAuthenticator(hooks []Webhook) *Authenticator {
	a := &Authenticator{secrets: make(map[string][]byte, len(hooks)), decoy: make([]byte, sha256.BlockSize)}
	for _, hook := range hooks {
		a.secrets[strings.ToLower(hook.ID)] = hook.Secret
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
	signature, err := hex.DecodeString(text)
	if err != nil || len(signature) != sha256.Size {
		return SignedBody{}, problem(codeUnauthenticated, "%s is not the hex form of 32 bytes", signatureHeader)
	}
	secret, known := a.secrets[strings.ToLower(id)]
	if !known {
		// The same work as for a known ID, so that the time tells nobody which IDs exist.
		secret = a.decoy
	}
	equal := hmac.Equal(signature, sign(secret, body))
	switch {
	case known && equal:
		return SignedBody{body}, nil
	case hmac.Equal(signature, sign(nil, body)):
		return SignedBody{}, problem(codeUnauthenticated, "signed with the empty key: step-ca ignores a webhook secret that is "+
			"written into ca.json; add the webhook with `step ca provisioner webhook add`, which needs remote management")
	case !known:
		// Fail closed: an unknown ID never passes, whatever it is signed with.
		return SignedBody{}, problem(codeUnauthenticated, "unknown webhook ID: compare it with WEBHOOK_IDS")
	default:
		return SignedBody{}, problem(codeUnauthenticated, "wrong signature: compare the webhook's secret with WEBHOOK_SECRETS")
	}
}

// single returns the value of a header that must be there exactly once. Two values would let what
// is verified differ from what another part of the chain read.
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

func sign(secret, body []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return mac.Sum(nil)
}

// readBody reads the whole body, at most MaxBody bytes of it.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *Problem) {
	if r.ContentLength > MaxBody {
		return nil, problem(codeTooLarge, "the body has %d bytes", r.ContentLength)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, problem(codeTooLarge, "the body has more than %d bytes", tooLarge.Limit)
	}
	if err != nil {
		return nil, problem(codeMalformed, "read body: %w", err)
	}
	return body, nil
}

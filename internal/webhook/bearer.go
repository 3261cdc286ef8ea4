package webhook

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"time"
)

const authorizationHeader = "Authorization"

// bearer is who may call BearerPath, as step-ca does where a webhook has a bearer token: `step ca provisioner webhook add
// --bearer-token-file`.
type bearer struct {
	hash [sha256.Size]byte
	// unsigned decides about a request without signature; nil demands the signature of a webhook too.
	unsigned *hook
}

// WithBearer adds BearerPath, where the credential authenticates a request. Unsigned decides then; nil demands beside the
// credential that a webhook has signed the request, and that one decides.
func (h *Hooks) WithBearer(credential []byte, unsigned *Hook) *Hooks {
	with := *h
	with.bearer = &bearer{hash: sha256.Sum256(credential)}
	if unsigned != nil {
		with.bearer.unsigned = &hook{Hook: *unsigned}
	}
	return &with
}

// authenticate finds out who calls an endpoint.
func (h *Hooks) authenticate(e *endpoint, header http.Header, body []byte, now time.Time) (Signed, *Problem) {
	if !e.bearer {
		return h.Authenticate(header, body, now)
	}
	if err := h.bearer.check(header); err != nil {
		return Signed{}, &Problem{codeUnauthenticated, err}
	}
	if h.bearer.unsigned == nil {
		return h.Authenticate(header, body, now)
	}
	return Signed{h.bearer.unsigned, body}, nil
}

func (b *bearer) check(header http.Header) error {
	text, err := single(header, authorizationHeader)
	if err != nil {
		return err
	}
	const scheme = "Bearer "
	if len(text) < len(scheme) || !strings.EqualFold(text[:len(scheme)], scheme) {
		return errors.New("the " + authorizationHeader + " header is not of the form Bearer CREDENTIAL")
	}
	if len(text) == len(scheme) {
		return errors.New("the " + authorizationHeader + " header has no credential") // also where none is configured, by whatever mistake
	}
	// Of the hashes: the time to compare them says nothing about the length either.
	hash := sha256.Sum256([]byte(text[len(scheme):]))
	if subtle.ConstantTimeCompare(hash[:], b.hash[:]) != 1 {
		return errors.New("wrong bearer credential: compare that of the webhook in step-ca with WEBHOOK_KEY")
	}
	return nil
}

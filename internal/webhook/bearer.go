package webhook

import (
	"errors"
	"net/http"
	"time"

	"step-posture-connector/internal/inbound"
)

// bearer is who may call BearerPath, as step-ca does where a webhook has a bearer token: `step ca provisioner webhook add
// --bearer-token-file`.
type bearer struct {
	credential inbound.Credential
	// unsigned decides about a request without signature; nil demands the signature of a webhook too.
	unsigned *hook
}

// WithBearer adds BearerPath, where the credential authenticates a request. Unsigned decides then; nil demands beside the
// credential that a webhook has signed the request, and that one decides.
func (h *Hooks) WithBearer(credential []byte, unsigned *Hook) *Hooks {
	with := *h
	with.bearer = &bearer{credential: inbound.NewCredential(credential)}
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
	credential, err := inbound.Bearer(header)
	if err == nil && b.credential.Is(credential) != 1 {
		err = errors.New("wrong bearer credential: compare that of the webhook in step-ca with WEBHOOK_KEY")
	}
	return err
}

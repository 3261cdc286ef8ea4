package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"step-posture-connector/internal/devicecert"
	"step-posture-connector/internal/posture"
)

// The headers that authenticate a request of step-ca. The signature is the hex HMAC-SHA256 of
// the raw body under the webhook's decoded secret; it covers neither URL nor headers.
const (
	idHeader        = "X-Smallstep-Webhook-Id"
	signatureHeader = "X-Smallstep-Signature"
)

const requestIDHeader = "X-Request-Id"

// Hook is one webhook of step-ca that may call.
type Hook struct {
	// Name is for logs, metrics and rules; empty without a policy file.
	Name string
	ID   string // UUID
	// Secrets are the decoded signing secrets: one, or two while one replaces the other.
	Secrets [][]byte
	// Used gets the time, in Unix seconds, at which the secret of the same index signed a request. It may be shorter.
	Used []*atomic.Int64
	// Gate decides about what it asks; nil for a webhook that only notifies.
	Gate *posture.Gate
	// Accepts are the requests that it sends; none means those that are attested.
	Accepts []posture.Accepts
	// Kind is the only kind of requests that it sends; empty means both.
	Kind string
	// Identify gives the identifier of a request that is not attested. One may be missing: nothing is allowed then.
	Identify map[posture.Accepts]Identify
	// Params are the parameters of its URL.
	Params []string
	// ProvisionerType and ProvisionerName are those of the provisioner that has it; empty if not known.
	ProvisionerType, ProvisionerName string
	// Devices says whose certificates are those of devices, and Identity what names one, for a webhook that accepts radius.
	Devices  *devicecert.Trust
	Identity devicecert.Identity
	// Whole says that rules read the names of an attested request by their kind.
	Whole bool
}

// Identify gives the identifier of whoever asks. The error says why there is none, and repeats nothing of the request.
type Identify func(*posture.Request) (string, error)

// accepted are the requests that the webhook sends.
func (h *Hook) accepted() []posture.Accepts {
	if len(h.Accepts) == 0 {
		return []posture.Accepts{posture.Attested}
	}
	return h.Accepts
}

// Hooks are the webhooks that may call. They never change; Handler.Use replaces them by others.
type Hooks struct {
	hooks      map[string]*hook // by lower-case ID
	empty      *signer          // signs with the empty key, and stands in for the signer of an unknown ID
	secrets    int              // the most that a webhook has
	policyFile bool
	bearer     *bearer // nil without BearerPath
}

type hook struct {
	Hook
	signers []*signer
}

// NewHooks makes Hooks. Without any, every request is refused. policyFile says that some may be in a policy file.
func NewHooks(hooks []Hook, policyFile bool) *Hooks {
	// HMAC pads a short key with zeros: a block of them is the empty key, in a length that FIPS 140 allows.
	all := &Hooks{hooks: make(map[string]*hook, len(hooks)), empty: newSigner(make([]byte, sha256.BlockSize)), secrets: 1, policyFile: policyFile}
	for _, h := range hooks {
		known := &hook{Hook: h}
		for _, secret := range h.Secrets {
			known.signers = append(known.signers, newSigner(secret))
		}
		all.secrets = max(all.secrets, len(known.signers))
		all.hooks[strings.ToLower(h.ID)] = known
	}
	return all
}

// Signed is a request body whose signature was verified, with the webhook that signed it. Only Authenticate makes one.
type Signed struct {
	hook *hook
	raw  []byte
}

// Authenticate verifies that body was signed by the webhook that the headers name.
func (h *Hooks) Authenticate(header http.Header, body []byte, now time.Time) (Signed, *Problem) {
	id, err := single(header, idHeader)
	if err != nil {
		return Signed{}, &Problem{codeUnauthenticated, err}
	}
	text, err := single(header, signatureHeader)
	if err != nil {
		return Signed{}, &Problem{codeUnauthenticated, err}
	}
	var signature [sha256.Size]byte
	if len(text) != hex.EncodedLen(len(signature)) {
		err = hex.ErrLength
	} else {
		_, err = hex.Decode(signature[:], []byte(text))
	}
	if err != nil {
		return Signed{}, problemf(codeUnauthenticated, "%s is not the hex form of 32 bytes", signatureHeader)
	}
	known, ok := h.hooks[strings.ToLower(id)]
	if !ok {
		known = &hook{}
	}
	// The same work for each ID, known or not, so that the time shows no client which IDs exist.
	for i := range h.secrets {
		s := h.empty
		if i < len(known.signers) {
			s = known.signers[i]
		}
		if s.signed(body, signature[:]) && i < len(known.signers) && !s.isEmpty {
			if i < len(known.Used) {
				known.Used[i].Store(now.Unix())
			}
			return Signed{known, body}, nil
		}
	}
	return Signed{}, &Problem{codeUnauthenticated, h.unauthenticated(known, body, signature[:])}
}

// unauthenticated says why a signature is not accepted.
func (h *Hooks) unauthenticated(known *hook, body, signature []byte) error {
	byEmptyKey := h.empty.signed(body, signature)
	where := [2]string{"WEBHOOK_IDS", "WEBHOOK_SECRETS"}
	if h.policyFile {
		where = [2]string{"WEBHOOK_IDS and the policy file", "the one in WEBHOOK_SECRETS or the policy file"}
	}
	switch {
	case slices.ContainsFunc(known.signers, func(s *signer) bool { return s.isEmpty }):
		// Fail closed: every client can sign with this secret.
		return errors.New("the webhook's secret in WEBHOOK_SECRETS has only zero bytes, which is as good as none: use the one that step-ca printed when the webhook was added")
	case byEmptyKey:
		return errors.New("signed with the empty key: step-ca ignores a webhook secret that is " +
			"written into ca.json; add the webhook with `step ca provisioner webhook add`, which needs remote management")
	case known.ID == "":
		// Fail closed: an unknown ID never passes, no matter which key signed it.
		return errors.New("unknown webhook ID: compare it with " + where[0])
	default:
		return errors.New("wrong signature: compare the webhook's secret with " + where[1])
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

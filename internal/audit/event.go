// Package audit records decisions: one Event for each request, filled while the request is handled and written once, at
// its end.
package audit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/posture"
)

// The keys of the log event, spelled as in the audit log. docs/logging.md describes them; tests compare.
const (
	KeyReference     = "reference"
	KeyDecision      = "decision"
	KeyCode          = "code"
	KeyEvent         = "event"
	KeyReason        = "reason"
	KeyRemedy        = "remedy"
	KeyIdentifier    = "identifier"
	KeyMode          = "mode"
	KeyProvider      = "provider"
	KeyPolicy        = "policy"
	KeyInventory     = "inventory"
	KeyDoor          = "door"
	KeyCaller        = "caller"
	KeyNAS           = "nas"
	KeyVLAN          = "vlan"
	KeyRepeats       = "repeats"
	KeyWouldDeny     = "would-deny"
	KeyDataUnknown   = "data-unknown"
	KeySnapshotAge   = "snapshot-age"
	KeyProviderMS    = "provider_ms"
	KeyWebhookID     = "webhook_id"
	KeyProvisioner   = "provisioner"
	KeyTokenID       = "token_id"
	KeyRequestID     = "request_id"
	KeyStatus        = "status"
	KeyDurationMS    = "duration_ms"
	KeyMethod        = "method"
	KeyPath          = "path"
	KeyRemoteAddress = "remote_address"
	KeyStack         = "stack"
	KeyChain         = "chain"
	KeyChainHead     = "chain_head"
	KeyUser          = "user"
	KeyPage          = "page"
)

// Event has all that is known about one request. Empty fields are left out of the log.
type Event struct {
	Time          time.Time // when the request arrived
	Reference     string
	Authenticated bool // whether the signature was verified
	Allowed       bool
	Code          string // of the refusal or the fault; empty when allowed
	Reason        string // the full reason, for the administrator only
	Remedy        string // what the administrator can do about it
	Identifier    string
	Mode          string
	Provider      string
	// These are empty without a policy file.
	Policy, Inventory, Caller, Door string

	NAS  string // the access point or switch that a RADIUS server speaks for
	VLAN string // the network that a device was put into
	// Repeats says that the answer is that of an earlier decision, whose reference it has. It is no decision of its own.
	Repeats bool

	ProviderTime time.Duration // zero when the provider was not asked
	// One of these is set when the provider was asked, unless the client left before it answered.
	ProviderAnswered bool
	ProviderErr      error // why it did not answer

	// Verdict is what the rules said.
	Verdict     posture.Verdict
	DataUnknown []string // members of the data that could not be evaluated
	// Evidence is what the decision was made of; nil if no inventory was asked.
	Evidence *posture.Evidence

	// Notification is what step-ca says of a request by SCEP; nil for all other requests.
	Notification *Notification

	// PublicKey is the SHA-256 of the DER SubjectPublicKeyInfo of the key that the certificate is for (RFC 5280, 4.1.2.7); of a key
	// for SSH, that of its wire format (RFC 4253, 6.6). Zero where the key is not known.
	PublicKey [sha256.Size]byte

	Groups        []string // the required groups that the device is a member of
	WebhookID     string
	Provisioner   string
	TokenID       string // of the enrolment token; never the token
	RequestID     string
	Status        int // of the HTTP answer
	Duration      time.Duration
	Method        string
	Path          string
	RemoteAddress string
	Stack         string // of a panic

	// Left is how much of the time for the answer is left, which the audit log must not use up; zero for no limit.
	Left time.Duration

	hidden string // see Hide
}

// Hide keeps the token that the request shows out of all that is written about it, also where the client has put it between
// other characters of its alphabet. A text that can be no token is not hidden: it could be a part of any other one.
func (e *Event) Hide(token string) {
	if len(token) == posture.TokenLength {
		e.hidden = token
	}
}

// clean is Clean for a text of the request.
func (e *Event) clean(text string, limit int) string { return Clean(e.without(text), limit) }

// without is a text without the token of the request.
func (e *Event) without(text string) string { return without(text, e.hidden) }

func without(text, hidden string) string {
	const shown = 4 // as posture.HideTokens shows
	if hidden == "" {
		return text
	}
	return strings.ReplaceAll(text, hidden, hidden[:shown]+"...")
}

// Lookups yields each inventory that was asked, with its answer; Err is why it did not answer. One whose answer was not
// waited for is left out, and so is one whose copy has answered.
func (e *Event) Lookups() iter.Seq2[string, posture.Answer] {
	return func(yield func(string, posture.Answer) bool) {
		if e.Evidence == nil {
			return
		}
		for _, a := range e.Evidence.Answers {
			if a.Recalled || errors.Is(a.Err, context.Canceled) {
				continue
			}
			if !a.Failed() || errors.Is(a.Err, posture.ErrAmbiguous) {
				a.Err = nil
			}
			if !yield(a.Inventory, a) {
				return
			}
		}
	}
}

// snapshotAge is the age of the oldest copy that the decision rests on, in whole seconds; it returns false where all answers
// are the inventories' own.
func (e *Event) snapshotAge() (seconds int, recalled bool) {
	if e.Evidence == nil {
		return 0, false
	}
	age, recalled := e.Evidence.SnapshotAge()
	return int(age / time.Second), recalled
}

// onlyRecalled reports whether copies have given every answer, so that no provider was asked.
func (e *Event) onlyRecalled() bool {
	return e.Evidence != nil && len(e.Evidence.Answers) > 0 &&
		!slices.ContainsFunc(e.Evidence.Answers, func(a posture.Answer) bool { return !a.Recalled })
}

// referenceAlphabet has digits and upper-case letters without I, L, O and U, which people misread.
const (
	referenceAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	referenceLength   = 8
)

// NewReference returns eight random characters that name one decision, short enough to be read out on the telephone.
func NewReference() string {
	var characters [referenceLength]byte
	_, _ = rand.Read(characters[:])
	for i, random := range characters {
		characters[i] = referenceAlphabet[random%byte(len(referenceAlphabet))] // 32 divides 256
	}
	return string(characters[:])
}

// ParseReference returns a reference as lines have it; people may write it in lower case. It returns false for any other text.
func ParseReference(text string) (reference string, ok bool) {
	reference = strings.ToUpper(text)
	if len(text) != referenceLength || len(reference) != referenceLength || strings.Trim(reference, referenceAlphabet) != "" {
		return "", false
	}
	return reference, true
}

// level is info for a decision, warning for an invalid request, error when the connector could not do its work.
func (e *Event) level() string {
	atDoor := e.Door == posture.RADIUSDoor || e.Door == posture.ForwardAuthDoor
	switch {
	case atDoor && e.Authenticated && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden):
		return "info" // the status is how a door says no
	case e.Status >= http.StatusInternalServerError:
		return "error"
	case e.Status >= http.StatusBadRequest:
		return "warning"
	default:
		return "info"
	}
}

// decision is the word for it; empty for a notification, which is none.
func (e *Event) decision() string {
	if e.Notification != nil {
		return ""
	}
	if e.Allowed {
		return allowed
	}
	return denied
}

const (
	allowed = "allow"
	denied  = "deny"
)

func (e *Event) message() string {
	verdict := "[DENY]"
	switch {
	case e.Notification != nil:
		verdict = "[NOTE]"
	case e.Allowed:
		verdict = "[ALLOW]"
	}
	if e.Identifier == "" {
		return verdict
	}
	return verdict + " " + e.clean(e.Identifier, maxShown)
}

// fields writes the known values in the order that an administrator reads: the decision, its reason, its reference, then
// the circumstances.
func (e *Event) fields(now time.Time, to fieldWriter) {
	to.time("time", now)
	to.text("level", e.level())
	to.text("msg", e.message())
	text := func(key, value string) {
		if value != "" {
			to.text(key, value)
		}
	}
	if e.Notification != nil {
		text(KeyEvent, EventNotification)
	}
	text(KeyCode, e.Code)
	text(KeyReason, e.clean(e.Reason, maxReason))
	text(KeyRemedy, e.Remedy)
	to.text(KeyReference, e.Reference)
	text(KeyDecision, e.decision())
	text(KeyIdentifier, e.clean(e.Identifier, maxShown))
	text(KeyMode, e.clean(e.Mode, maxShown))
	text(KeyProvider, e.Provider)
	text(KeyPolicy, e.Policy)
	text(KeyInventory, e.Inventory)
	text(KeyDoor, e.Door)
	text(KeyCaller, e.clean(e.Caller, maxShown))
	text(KeyNAS, e.clean(e.NAS, maxShown))
	text(KeyVLAN, e.clean(e.VLAN, maxShown))
	if e.Repeats {
		to.yes(KeyRepeats)
	}
	list := func(key string, values []string) {
		if len(values) > 0 {
			to.list(key, cleaned(values))
		}
	}
	list(KeyWouldDeny, e.Verdict.WouldDeny)
	list(KeyDataUnknown, e.DataUnknown)
	if age, recalled := e.snapshotAge(); recalled {
		to.number(KeySnapshotAge, age)
	}
	if e.ProviderTime > 0 && !e.onlyRecalled() {
		to.milliseconds(KeyProviderMS, e.ProviderTime)
	}
	to.milliseconds(KeyDurationMS, e.Duration)
	to.number(KeyStatus, e.Status)
	text(KeyWebhookID, e.clean(e.WebhookID, maxShown))
	text(KeyProvisioner, e.clean(e.Provisioner, maxShown))
	text(KeyTokenID, e.TokenID)
	text(KeyRequestID, e.without(e.RequestID))
	text(KeyMethod, Clean(e.Method, maxShown))
	text(KeyPath, e.clean(e.Path, maxShown))
	// For answered requests too: after a secret has leaked, it shows from where requests were allowed.
	text(KeyRemoteAddress, e.RemoteAddress)
	text(KeyStack, e.Stack)
}

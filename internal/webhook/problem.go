// Package webhook speaks step-ca's webhook protocol: it authenticates a request, finds out which
// device it is about, asks for a decision and answers.
//
// https://smallstep.com/docs/step-ca/webhooks/ describes the protocol.
package webhook

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"

	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/posture"
)

// The codes of answers that do not come from the inventory or the policy.
const (
	codeUnauthenticated    = outcome.Unauthenticated
	codeMalformed          = outcome.Malformed
	codeTooLarge           = outcome.TooLarge
	codeMethodNotAllowed   = outcome.MethodNotAllowed
	codeNotFound           = outcome.NotFound
	codeUnavailable        = outcome.Unavailable
	codeInternal           = outcome.Internal
	codeAttestationMissing = outcome.AttestationMissing
	codeCommonNameMismatch = posture.CommonNameMismatch
	codeSANMismatch        = posture.SANMismatch
	codeRequestExpired     = outcome.RequestExpired
	codeModeUnsupported    = outcome.ModeUnsupported
	codeRequestUnexpected  = outcome.RequestUnexpected
	codeIdentifierMissing  = posture.IdentifierMissing
	codeTokenInvalid       = outcome.TokenInvalid
	codeTokenInCertificate = outcome.TokenInCertificate
)

// statusOf is the HTTP status for a code.
//
// Refusals are 200 on purpose: step-ca reads the body of a 2xx only, and then passes the reason to the
// device; a 4xx would reach it as an unexplained server error. A 5xx makes step-ca try once more.
func statusOf(code posture.Code) int {
	switch code {
	case posture.DeviceNotFound, posture.DeviceAmbiguous, posture.DeviceNotManaged, posture.DeviceNotInGroup, posture.DeviceNotCompliant,
		codeAttestationMissing, posture.IdentifierInvalid, codeCommonNameMismatch, codeSANMismatch, codeRequestExpired,
		codeRequestUnexpected, codeIdentifierMissing, codeTokenInvalid, codeTokenInCertificate, codeModeUnsupported,
		posture.CertificateMissing, posture.CertificateUntrusted:
		return http.StatusOK
	case codeUnauthenticated:
		return http.StatusUnauthorized
	case codeMalformed:
		return http.StatusBadRequest
	case codeTooLarge:
		return http.StatusRequestEntityTooLarge
	case codeMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case codeNotFound:
		return http.StatusNotFound
	case codeUnavailable:
		return http.StatusServiceUnavailable
	default:
		// Fail closed: a code that is missing here is a bug, and a bug is never an allow.
		return http.StatusInternalServerError
	}
}

// Message is what the person at the device reads about a decision, without the reference; empty for an allow.
func Message(d posture.Decision) string {
	if d.Allowed() {
		return ""
	}
	return cmp.Or(d.Message(), outcome.Of(d.Code()).Message)
}

// remedyFor is the remedy for a refusal, given the kind of device that was asked for: a device of the other
// kind is not found, although the inventory has it.
func remedyFor(code posture.Code, remedy string, asked posture.DeviceType) string {
	if code != posture.DeviceNotFound {
		return remedy
	}
	switch asked {
	case posture.MobileDevice:
		return remedy + "; if it is a computer, put ?mode=computer, or ?mode=any for both kinds, into the webhook's URL"
	case posture.Computer:
		return remedy + "; if it is a mobile device, put ?mode=mobiledevice, or ?mode=any for both kinds, into the webhook's URL"
	default:
		return remedy
	}
}

// Problem ends a request. Code goes out, with its status and sentence; Err stays in the log.
type Problem struct {
	Code posture.Code
	Err  error
}

func (p *Problem) Error() string { return fmt.Sprintf("%s: %v", p.Code, p.Err) }

func (p *Problem) Unwrap() error { return p.Err }

func problemf(code posture.Code, format string, args ...any) *Problem {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = hidden(text)
		}
	}
	return &Problem{Code: code, Err: fmt.Errorf(format, args...)}
}

// tokenShown is how much of what could be a token a reason shows, in characters.
const tokenShown = 4

// hidden shortens what could have a token, in a text that a client may have chosen. A reason needs no long text as it is, so it
// is stricter than posture.HideTokens: other characters of the alphabet may precede the token or follow it, as those of an escape
// do once the text is quoted.
func hidden(text string) string {
	for _, run := range runs([]byte(text), isBase64URL) {
		text = strings.ReplaceAll(text, string(run), string(run[:tokenShown])+"...")
	}
	return text
}

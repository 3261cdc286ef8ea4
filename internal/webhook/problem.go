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

	"step-posture-connector/internal/posture"
)

// The codes of answers that do not come from the inventory or the policy.
const (
	codeUnauthenticated  posture.Code = "unauthenticated"
	codeMalformed        posture.Code = "malformed"
	codeTooLarge         posture.Code = "tooLarge"
	codeMethodNotAllowed posture.Code = "methodNotAllowed"
	codeNotFound         posture.Code = "notFound"
	codeUnavailable      posture.Code = "unavailable"
	codeInternal         posture.Code = "internal"

	codeAttestationMissing posture.Code = "attestationMissing"
	codeCommonNameMismatch posture.Code = "commonNameMismatch"
	codeSANMismatch        posture.Code = "sanMismatch"
	codeRequestExpired     posture.Code = "requestExpired"
	codeModeUnsupported    posture.Code = "modeUnsupported"
	codeRequestUnexpected  posture.Code = "requestUnexpected"
	codeIdentifierMissing  posture.Code = "identifierMissing"
	codeTokenInvalid       posture.Code = "tokenInvalid"
	codeTokenInCertificate posture.Code = "tokenInCertificate"
)

// Codes returns every code that an answer can have, for those that count them.
func Codes() []posture.Code {
	return []posture.Code{
		posture.DeviceNotFound, posture.DeviceAmbiguous, posture.DeviceNotManaged, posture.DeviceNotInGroup, posture.IdentifierInvalid,
		codeAttestationMissing, codeCommonNameMismatch, codeSANMismatch, codeRequestExpired, codeModeUnsupported,
		codeRequestUnexpected, codeIdentifierMissing, codeTokenInvalid, codeTokenInCertificate,
		codeUnauthenticated, codeMalformed, codeTooLarge, codeMethodNotAllowed, codeNotFound, codeUnavailable, codeInternal,
	}
}

// outcome is the answer for a code. The HTTP status and the sentence for the person at the device
// leave the connector. Any device that can attest can read them, so the sentence names no group, no
// other device and no upstream text. The remedy stays in the log: it says what the administrator can do.
type outcome struct {
	status          int
	message, remedy string
}

// outcomeOf is the one table of everything that is answered other than "allow".
//
// Refusals are 200 on purpose: step-ca reads the body of a 2xx only, and then passes the reason to the
// device; a 4xx would reach it as an unexplained server error. A 5xx makes step-ca try once more.
func outcomeOf(code posture.Code) outcome {
	const url = "correct the webhook's URL with `step ca provisioner webhook update`; it ends in " + AttestPath + ", with ?mode= where it is needed, or in the path for what the webhook accepts"
	switch code {
	case posture.DeviceNotFound:
		return outcome{
			http.StatusOK, "This device is not in the inventory; ask your administrator to enroll it",
			"if it is yours, enroll it or add it to the inventory; `step-posture-connector lookup` shows what the inventory says",
		}
	case posture.DeviceAmbiguous:
		return outcome{
			http.StatusOK, "The inventory has this device more than once; ask your administrator to remove the surplus records",
			"remove the surplus records from the inventory",
		}
	case posture.DeviceNotManaged:
		return outcome{
			http.StatusOK, "This device is not managed; ask your administrator to enroll it again",
			"enroll the device again; or let such devices pass, where the provider has a switch for that",
		}
	case posture.DeviceNotInGroup:
		return outcome{
			http.StatusOK, "This device does not meet the requirements yet; update it, let it check in with device management and try again",
			"find out in device management why it is not a member, and have it check in; `step-posture-connector lookup` shows its groups",
		}
	case posture.DeviceNotCompliant:
		return outcome{
			http.StatusOK, "This device does not meet a requirement of your organization; ask your administrator what to do",
			"the reason says what the data of the policy needs; `step-posture-connector lookup` shows what the inventory says",
		}
	case codeAttestationMissing:
		return outcome{
			http.StatusOK, "The request has no attested device identifier; use a certificate profile with device attestation",
			"add this webhook only to ACME provisioners whose one challenge is device-attest-01",
		}
	case posture.IdentifierInvalid:
		return outcome{
			http.StatusOK, "The attested identifier cannot be looked up; use the serial number of the device in the certificate profile",
			"set ClientIdentifier of the certificate profile to the serial number",
		}
	case codeCommonNameMismatch:
		return outcome{
			http.StatusOK, "The common name asked for is not the attested identifier; correct the subject in the certificate profile",
			"in the certificate profile, make the common name the serial number, or leave it out; in the certificate template, write toJson around every value, which keeps others out",
		}
	case codeSANMismatch:
		return outcome{
			http.StatusOK, "A permanent identifier asked for is not the attested one; correct the certificate profile",
			"take permanent identifiers out of the certificate profile; in the certificate template, write one SAN of the type permanentIdentifier with the attested value, and toJson around every value, which keeps others out",
		}
	case codeRequestExpired:
		return outcome{
			http.StatusOK, "The request is too old or from the future; try again, and ask your administrator to check the clocks if it persists",
			"set the clocks of step-ca and the connector by NTP; if both are right, find out what holds the request back on its way",
		}
	case codeRequestUnexpected:
		return outcome{
			http.StatusOK, "The connector does not expect such a request; ask your administrator to compare the webhook with the configuration",
			"compare the webhook in step-ca with the one in the policy file: the reason says what differs",
		}
	case codeIdentifierMissing:
		return outcome{
			http.StatusOK, "The request does not say who asks for the certificate; ask your administrator to check the webhook",
			"compare identify of the webhook in the policy file with what the provisioner sends; docs/provisioners says what each has",
		}
	case codeTokenInvalid:
		return outcome{
			http.StatusOK, "The enrolment token or challenge is not valid; ask your administrator for a new one",
			"the reason says why; send the device a profile with a new one",
		}
	case codeTokenInCertificate:
		return outcome{
			http.StatusOK, "The certificate would show the enrolment token; ask your administrator to correct the certificate template",
			"keep the token out of the certificate: the reason has the line for the certificate template of the provisioner",
		}
	case codeModeUnsupported:
		return outcome{http.StatusOK, "The webhook asks for an unknown kind of device; ask your administrator to correct its URL", url}
	case codeUnauthenticated:
		return outcome{
			http.StatusUnauthorized, "The webhook request is not authenticated; check the webhook ID and the signing secret",
			"compare WEBHOOK_IDS and WEBHOOK_SECRETS with the ID and the secret that step-ca printed when the webhook was added; if it is not step-ca that calls, keep it out with ENABLE_MTLS",
		}
	case codeMalformed:
		return outcome{
			http.StatusBadRequest, "The webhook request cannot be understood; send it as step-ca does",
			"if it is step-ca that calls, report its version and this line; nothing else should have its secret",
		}
	case codeTooLarge:
		return outcome{
			http.StatusRequestEntityTooLarge, "The webhook request is too large; send at most 64 KiB of body and 16 KiB of header",
			"if it is step-ca that calls, look for a proxy that adds to the request",
		}
	case codeMethodNotAllowed:
		return outcome{http.StatusMethodNotAllowed, "The method is not allowed here; use the one in the Allow header", url}
	case codeNotFound:
		return outcome{http.StatusNotFound, "There is nothing at this path; check the webhook URL", url}
	case codeUnavailable:
		return outcome{
			http.StatusServiceUnavailable, "The inventory could not be asked; try again later",
			"`step-posture-connector check` asks the inventory, and the state database if there is one, and says what is wrong; devices may try again",
		}
	default:
		// Fail closed: a code that is missing here is a bug, and a bug is never an allow.
		return outcome{
			http.StatusInternalServerError, "The connector has a fault; ask your administrator to look into its log",
			"report this line, with its stack, to the makers of the connector",
		}
	}
}

// Message is what the person at the device reads about a decision, without the reference; empty for an allow.
func Message(d posture.Decision) string {
	if d.Allowed() {
		return ""
	}
	return cmp.Or(d.Message(), outcomeOf(d.Code()).message)
}

// ruleOutcome is the answer for a rule that is not met. Its code and message are the policy file's.
func ruleOutcome(message string) outcome {
	return outcome{
		http.StatusOK, message,
		"the reason names the rules that are not met and what the inventory says; `step-posture-connector lookup` shows every rule",
	}
}

// remedyFor is the remedy for a refusal, given the kind of device that was asked for: a device of the other
// kind is not found, although the inventory has it.
func remedyFor(code posture.Code, out outcome, asked posture.DeviceType) string {
	if code != posture.DeviceNotFound {
		return out.remedy
	}
	switch asked {
	case posture.MobileDevice:
		return out.remedy + "; if it is a computer, put ?mode=computer, or ?mode=any for both kinds, into the webhook's URL"
	case posture.Computer:
		return out.remedy + "; if it is a mobile device, put ?mode=mobiledevice, or ?mode=any for both kinds, into the webhook's URL"
	default:
		return out.remedy
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

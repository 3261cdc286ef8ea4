// Package webhook speaks step-ca's webhook protocol: it authenticates a request, finds out which
// device it is about, asks for a decision and answers.
//
// https://smallstep.com/docs/step-ca/webhooks/ describes the protocol.
package webhook

import (
	"fmt"
	"net/http"

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
)

// outcome is what leaves the connector under a code: the HTTP status, and the sentence for the
// person at the device. The sentence names no group, no other device and no upstream text,
// because any device that can attest gets to read it.
type outcome struct {
	status  int
	message string
}

// outcomeOf is the one table of everything that is answered other than "allow".
//
// Refusals are 200 on purpose: step-ca reads the body of a 2xx only, and then tells the device
// why; a 4xx would reach it as an unexplained server error. A 5xx makes step-ca try once more.
func outcomeOf(code posture.Code) outcome {
	switch code {
	case posture.DeviceNotFound:
		return outcome{http.StatusOK, "This device is not in the inventory; ask your administrator to enroll it"}
	case posture.DeviceAmbiguous:
		return outcome{http.StatusOK, "The inventory has this device more than once; ask your administrator to remove the surplus records"}
	case posture.DeviceNotManaged:
		return outcome{http.StatusOK, "This device is not managed; ask your administrator to enroll it again"}
	case posture.DeviceNotInGroup:
		return outcome{http.StatusOK, "This device does not meet the requirements yet; update it, let it check in with device management and try again"}
	case codeAttestationMissing:
		return outcome{http.StatusOK, "The request has no attested device identifier; use a certificate profile with device attestation"}
	case posture.IdentifierInvalid:
		return outcome{http.StatusOK, "The attested identifier cannot be looked up; use the serial number of the device in the certificate profile"}
	case codeCommonNameMismatch:
		return outcome{http.StatusOK, "The common name asked for is not the attested identifier; correct the subject in the certificate profile"}
	case codeSANMismatch:
		return outcome{http.StatusOK, "A permanent identifier asked for is not the attested one; correct the certificate profile"}
	case codeRequestExpired:
		return outcome{http.StatusOK, "The request is too old or from the future; try again, and ask your administrator to check the clocks if it persists"}
	case codeModeUnsupported:
		return outcome{http.StatusOK, "The webhook asks for an unknown kind of device; ask your administrator to correct its URL"}
	case codeUnauthenticated:
		return outcome{http.StatusUnauthorized, "The webhook request is not authenticated; check the webhook ID and the signing secret"}
	case codeMalformed:
		return outcome{http.StatusBadRequest, "The webhook request cannot be understood; send it as step-ca does"}
	case codeTooLarge:
		return outcome{http.StatusRequestEntityTooLarge, "The webhook request is too large; send at most 64 KiB of body and 16 KiB of header"}
	case codeMethodNotAllowed:
		return outcome{http.StatusMethodNotAllowed, "The method is not allowed here; use the one in the Allow header"}
	case codeNotFound:
		return outcome{http.StatusNotFound, "There is nothing at this path; check the webhook URL"}
	case codeUnavailable:
		return outcome{http.StatusServiceUnavailable, "The inventory could not be asked; try again later"}
	default:
		// Fail closed: a code that is missing here is a bug, and a bug is never an allow.
		return outcome{http.StatusInternalServerError, "The connector has a fault; ask your administrator to look into its log"}
	}
}

// Problem ends a request. Code goes out, with its status and sentence; Err stays in the log.
type Problem struct {
	Code posture.Code
	Err  error
}

func (p *Problem) Error() string { return fmt.Sprintf("%s: %v", p.Code, p.Err) }

func (p *Problem) Unwrap() error { return p.Err }

func problem(code posture.Code, format string, args ...any) *Problem {
	return &Problem{Code: code, Err: fmt.Errorf(format, args...)}
}

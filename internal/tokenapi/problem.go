package tokenapi

import (
	"errors"
	"fmt"
	"net/http"

	"step-posture-connector/internal/audit"
)

// The codes of errors.
const (
	codeMalformed        = "malformed"
	codeUnauthenticated  = "unauthenticated"
	codeNotFound         = "notFound"
	codeMethodNotAllowed = "methodNotAllowed"
	codeTooLarge         = "tooLarge"
	codeTooMany          = "tooMany"
	codeUnavailable      = "unavailable"
	codeInternal         = "internal"
)

// Codes returns every code that an error can have. docs/enrolment.md lists them; a test compares.
func Codes() []string {
	return []string{
		codeMalformed, codeUnauthenticated, codeNotFound, codeMethodNotAllowed, codeTooLarge, codeTooMany, codeUnavailable, codeInternal,
	}
}

// problem ends a request. Code and message go out; cause stays in the event.
type problem struct {
	status        int
	code, message string
	cause         error
	allow         string // Allow header
	retryAfter    string // Retry-After header, in seconds
}

// malformed is what is wrong with what the client sent. The reason goes out too.
func malformed(format string, args ...any) *problem {
	cause := fmt.Errorf(format, args...)
	return &problem{status: http.StatusBadRequest, code: codeMalformed, message: "The request cannot be understood: " + cause.Error(), cause: cause}
}

func unauthenticated(cause error) *problem {
	return &problem{
		status: http.StatusUnauthorized, code: codeUnauthenticated, cause: cause,
		message: "The request is not authenticated; send one Authorization header with Bearer and the credential of a client",
	}
}

func noSuchPath() *problem {
	return &problem{
		status: http.StatusNotFound, code: codeNotFound, cause: errors.New("unknown path"),
		message: "There is nothing at this path; use /v1/tokens, or /v1/tokens/ID with the ID of a token",
	}
}

// nothing is the answer where the API does not exist.
func nothing() *problem {
	return &problem{
		status: http.StatusNotFound, code: codeNotFound, cause: errors.New("unknown path, or no client in tokens.clients of the policy file"),
		message: "There is nothing at this path; check the URL",
	}
}

// noSuchToken is the same for a token that does not exist and for one of a policy of others.
func noSuchToken(cause error) *problem {
	return &problem{
		status: http.StatusNotFound, code: codeNotFound, cause: cause,
		message: "There is no such token; use an ID that GET /v1/tokens lists",
	}
}

func methodNotAllowed(allowed string) *problem {
	return &problem{
		status: http.StatusMethodNotAllowed, code: codeMethodNotAllowed, cause: errors.New("allowed is " + allowed), allow: allowed,
		message: "The method is not allowed here; use one in the Allow header",
	}
}

func tooLarge(status int, format string, args ...any) *problem {
	return &problem{
		status: status, code: codeTooLarge, cause: fmt.Errorf(format, args...),
		message: "The request is too large; send at most 4 KiB of body and 16 KiB of header",
	}
}

func tooManyRequests() *problem {
	return &problem{
		status: http.StatusTooManyRequests, code: codeTooMany, retryAfter: "1",
		cause:   fmt.Errorf("the client sends more than %d requests a second", perSecond),
		message: fmt.Sprintf("There are too many requests; send at most %d a second", perSecond),
	}
}

// tooManyTokens asks the client to come back in a minute: tokens of the usual lifetime expire in minutes.
func tooManyTokens(cause error) *problem {
	return &problem{
		status: http.StatusTooManyRequests, code: codeTooMany, cause: cause, retryAfter: "60",
		message: "There are too many live tokens for this device; use one of them, revoke some, or wait until they expire",
	}
}

func unavailable(cause error) *problem {
	return &problem{
		status: http.StatusServiceUnavailable, code: codeUnavailable, cause: cause,
		message: "The tokens are not available; try again later",
	}
}

func internal(cause error) *problem {
	return &problem{
		status: http.StatusInternalServerError, code: codeInternal, cause: cause,
		message: "The connector has a fault; ask your administrator to look into its log",
	}
}

// shown is a text that a client chose, fit for a message and a log line.
func shown(text string) string { return fmt.Sprintf("%q", audit.Clean(text, maxShown)) }

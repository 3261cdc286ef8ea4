package compat

import (
	"errors"
	"fmt"
	"net/http"
)

// The codes of events. No answer has one.
const (
	codeMalformed        = "malformed"
	codeUnauthenticated  = "unauthenticated"
	codeNotFound         = "notFound"
	codeDeviceNotFound   = "deviceNotFound"
	codeMethodNotAllowed = "methodNotAllowed"
	codeTooLarge         = "tooLarge"
	codeTooMany          = "tooMany"
	codeUnavailable      = "unavailable"
	codeInternal         = "internal"
)

// problem ends a request. The status goes out; code and cause stay in the event.
type problem struct {
	status int
	code   string
	cause  error
}

func problemf(status int, code, format string, args ...any) *problem {
	return &problem{status, code, fmt.Errorf(format, args...)}
}

func malformed(format string, args ...any) *problem {
	return problemf(http.StatusBadRequest, codeMalformed, format, args...)
}

func unauthenticated(cause error) *problem {
	return &problem{http.StatusUnauthorized, codeUnauthenticated, cause}
}

func noSuchPath() *problem {
	return &problem{http.StatusNotFound, codeNotFound, errors.New("unknown path; known are /devices/query and /api/key/UDID")}
}

func methodNotAllowed() *problem {
	return &problem{http.StatusMethodNotAllowed, codeMethodNotAllowed, errors.New("allowed is POST")}
}

// unavailable is a fault. It is never 404: the log must not say of a device that it is unknown where nobody could tell.
func unavailable(cause error) *problem {
	return &problem{http.StatusServiceUnavailable, codeUnavailable, cause}
}

func internal(cause error) *problem {
	return &problem{http.StatusInternalServerError, codeInternal, cause}
}

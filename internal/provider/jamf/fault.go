package jamf

import (
	"fmt"
	"net/http"
	"time"
)

// fault says that an endpoint did not answer as it should. It holds nothing that the server sent
// but the status.
type fault struct {
	endpoint string
	status   int // 0 when there was no answer
	cause    error
	wait     time.Duration // from Retry-After
}

func (f *fault) Error() string {
	if f.status == 0 {
		return fmt.Sprintf("%s: %v", f.endpoint, f.cause)
	}
	return fmt.Sprintf("%s answered %d%s", f.endpoint, f.status, f.hint())
}

func (f *fault) Unwrap() error { return f.cause }

func (f *fault) hint() string {
	switch {
	case f.status == http.StatusBadRequest:
		return ": the server does not understand the request"
	case f.status == http.StatusUnauthorized:
		return ": the token was refused twice"
	case f.status == http.StatusForbidden && privilegeOf(f.endpoint) != "":
		return ": the API client lacks the privilege " + privilegeOf(f.endpoint)
	case f.status == http.StatusForbidden:
		return ": something on the way to it forbids that"
	case f.status == http.StatusNotFound:
		return ": the server does not have this endpoint; check JAMF_BASE_URL"
	case f.status == http.StatusTooManyRequests:
		return ": too many requests"
	case f.status >= 300 && f.status < 400:
		return ": the server redirects, and redirects are not followed; check JAMF_BASE_URL"
	}
	return ""
}

// privilegeOf is what an API client needs for an endpoint, or "" when any token will do.
func privilegeOf(endpoint string) string {
	switch endpoint {
	case computersEndpoint, classicComputers:
		return readComputers
	case mobileEndpoint, classicMobile:
		return readMobileDevices
	case departmentsEndpoint:
		return readDepartments
	}
	return ""
}

// retriable reports whether the same request may succeed when it is repeated.
func (f *fault) retriable() bool {
	return f.status == 0 || f.status == http.StatusRequestTimeout || f.status == http.StatusTooManyRequests ||
		f.status >= http.StatusInternalServerError
}

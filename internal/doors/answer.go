package doors

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/posture"
)

// problem ends a question. Code goes out; err stays in the log.
type problem struct {
	code posture.Code
	err  error
}

func problemf(code posture.Code, format string, args ...any) *problem {
	return &problem{code, fmt.Errorf(format, args...)}
}

// answer is an HTTP answer before it is written. It never changes, because it may be remembered.
type answer struct {
	status  int
	headers []header
	body    []byte
	hangUp  bool
}

type header struct{ name, value string }

// statusOf is the status of a refusal. Neither door ever sees 2xx, 3xx, 404 or 410: proxies take each 2xx for yes, and FreeRADIUS
// lets a device in when the server has nothing at the path.
func statusOf(door string, code posture.Code) int {
	isRADIUS := door == posture.RADIUSDoor
	switch code {
	case outcome.Unavailable:
		return http.StatusServiceUnavailable
	case outcome.Internal:
		return http.StatusInternalServerError
	case outcome.Malformed:
		if isRADIUS {
			return http.StatusBadRequest
		}
	case outcome.TooLarge:
		if isRADIUS {
			return http.StatusRequestEntityTooLarge
		}
	case outcome.Unauthenticated, outcome.NotFound, outcome.MethodNotAllowed:
	default:
		if isRADIUS {
			return http.StatusUnauthorized
		}
	}
	return http.StatusForbidden // what a proxy shows to people: they can do nothing about the rest
}

// textOf is what a code means at a door.
func textOf(code posture.Code) outcome.Text {
	switch code {
	case outcome.Unauthenticated:
		return outcome.Text{
			Message: "The caller is not one that may ask here",
			Remedy:  "list a DNS name or an e-mail address in the caller's certificate, or cn: and its common name, in callers of the door in the policy file",
		}
	case outcome.Malformed:
		return outcome.Text{
			Message: "The question cannot be understood; ask your administrator to compare the configuration with the one in docs/doors",
			Remedy:  "compare the configuration of the RADIUS server or web server with the one in docs/doors",
		}
	case outcome.TooLarge:
		return outcome.Text{
			Message: "The question is too large",
			Remedy:  "find out what makes it so large; do not hand on the cookies of browsers",
		}
	case outcome.NotFound, outcome.MethodNotAllowed:
		return outcome.Text{
			Message: "There is no such door; check the URL in the configuration",
			Remedy:  "the paths are POST " + RADIUSPath + " and " + ForwardAuthPath,
		}
	case posture.CommonNameMismatch, posture.SANMismatch, posture.IdentifierMissing, posture.IdentifierInvalid:
		return outcome.Text{
			Message: "The certificate does not name this device in the form that is expected; ask your administrator to check its profile",
			Remedy:  "correct the certificate template of the provisioner; docs/doors has one that both doors accept",
		}
	default:
		return outcome.Of(code)
	}
}

// refuse turns a problem into the answer.
func refuse(event *audit.Event, p *problem) answer { return refuseWith(event, p, "") }

// refuseWith is refuse with the message of a rule, which also says that the code is the rule's.
func refuseWith(event *audit.Event, p *problem, message string) answer {
	event.Allowed, event.Code, event.Reason = false, string(p.code), p.err.Error()
	text, status := textOf(p.code), statusOf(event.Door, p.code)
	if message != "" {
		text = outcome.Rule(message)
	}
	event.Remedy = text.Remedy
	if status == http.StatusUnauthorized {
		return deny(text.Message, event.Reference)
	}
	type responseError struct {
		Code    posture.Code `json:"code"`
		Message string       `json:"message"`
	}
	return jsonAnswer(status, struct {
		Allow bool          `json:"allow"`
		Error responseError `json:"error"`
	}{false, responseError{p.code, fmt.Sprintf("%s (ref %s)", text.Message, event.Reference)}})
}

// jsonAnswer encodes an answer.
func jsonAnswer(status int, content any) answer {
	body, err := json.Marshal(content)
	if err != nil { // cannot happen: texts always encode. Fail closed
		return answer{status: http.StatusInternalServerError}
	}
	return answer{status: status, body: body}
}

// plainText is a text in printable ASCII: control characters are removed, and each other character is a question mark.
func plainText(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c < ' ' || c == 0x7f:
			return -1
		case c > '~':
			return '?'
		}
		return c
	}, text)
}

// respond writes the answer. Errors are dropped: a caller that is gone can get no other answer.
func respond(w http.ResponseWriter, r *http.Request, a answer) {
	to := w.Header()
	values := []string{"application/json", "no-store", strconv.Itoa(len(a.body)), "nosniff"}
	to["Content-Type"], to["Cache-Control"], to["Content-Length"], to["X-Content-Type-Options"] = values[0:1:1], values[1:2:2], values[2:3:3], values[3:4:4]
	for _, h := range a.headers {
		to.Set(h.name, h.value)
	}
	if a.hangUp {
		to.Set("Connection", "close")
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
	// On HTTP/1.1 net/http would keep a short answer until the event is recorded.
	if flusher, ok := w.(http.Flusher); ok && r.ProtoMajor == 1 {
		flusher.Flush()
	}
}

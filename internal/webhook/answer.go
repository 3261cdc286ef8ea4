package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/posture"
)

// answer is an HTTP answer before it is written.
type answer struct {
	status int
	allow  string // Allow header
	body   []byte
	hangUp bool
	budget time.Duration // of the path
}

// responseError is step-ca's webhook.Error.
type responseError struct {
	Code    posture.Code `json:"code"`
	Message string       `json:"message"`
}

// conclude turns a decision into the answer.
func conclude(event *audit.Event, decision posture.Decision) answer {
	if !decision.Allowed() {
		return refuseWith(event, &Problem{decision.Code(), errors.New(decision.Reason())}, decision.Message())
	}
	event.Allowed, event.Reason = true, decision.Reason()
	data := decision.Data()
	if len(data) == 0 {
		// An object even where it is empty: a template that reads .Webhooks.NAME.x fails
		// when data is absent, and leaves the field out when only x is.
		data = json.RawMessage("{}")
	}
	// Assembled by hand so that the data goes out byte for byte; an encoder would rewrite it.
	const begin = `{"allow":true,"data":`
	body := append(append(append(make([]byte, 0, len(begin)+len(data)+1), begin...), data...), '}')
	return answer{status: http.StatusOK, body: body}
}

// refuse turns a problem into the answer; what is behind it stays in the event.
func refuse(event *audit.Event, p *Problem) answer { return refuseWith(event, p, "") }

// refuseWith is refuse with the message of a rule, which also says that the code is the rule's.
func refuseWith(event *audit.Event, p *Problem, message string) answer {
	event.Allowed, event.Code, event.Reason = false, string(p.Code), p.Err.Error()
	text, status := outcome.Of(p.Code), statusOf(p.Code)
	if message != "" { // the code and the message are the policy file's
		text, status = outcome.Rule(message), http.StatusOK
	}
	event.Remedy = remedyFor(p.Code, text.Remedy, posture.DeviceType(event.Mode))
	body, err := json.Marshal(struct {
		Allow bool          `json:"allow"`
		Error responseError `json:"error"`
	}{false, responseError{p.Code, fmt.Sprintf("%s (ref %s)", text.Message, event.Reference)}})
	if err != nil { // cannot happen: strings always encode. Fail closed, without a reason
		body = []byte(`{"allow":false}`)
	}
	return answer{status: status, body: body}
}

func methodNotAllowed(event *audit.Event, allowed string) answer {
	a := refuse(event, problemf(codeMethodNotAllowed, "allowed is %s", allowed))
	a.allow = allowed
	return a
}

// status shows every client that may connect that the listener works.
func status(r *http.Request, event *audit.Event) answer {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return methodNotAllowed(event, "GET, HEAD")
	}
	return answer{status: http.StatusOK, body: []byte(`{"status":"ok"}`)}
}

// respond writes the answer. Errors are dropped: a client that is gone can get no other answer.
//
// On HTTP/1.1 the answer is sent at once: net/http would keep a short one until the handler returns, which is
// after the event was logged. On HTTP/2 only the return of the handler ends the answer, and to send its
// beginning before that costs a twentieth of the whole request.
func respond(w http.ResponseWriter, r *http.Request, a answer) {
	header := w.Header()
	// Not by Set, which makes a list for each value and looks whether the name is in its canonical form.
	// Without Content-Length an answer is sent in chunks.
	values := []string{"application/json", "no-store", strconv.Itoa(len(a.body))}
	header["Content-Type"], header["Cache-Control"], header["Content-Length"] = values[0:1:1], values[1:2:2], values[2:3:3]
	if a.allow != "" {
		header.Set("Allow", a.allow)
	}
	if a.hangUp {
		header.Set("Connection", "close")
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
	if flusher, ok := w.(http.Flusher); ok && r.ProtoMajor == 1 {
		flusher.Flush()
	}
}

package tokenapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// answer is an HTTP answer before it is written.
type answer struct {
	status            int
	body              []byte // nil for none
	allow, retryAfter string // headers
	hangUp            bool
}

// success is an answer with a body.
func success(status int, value any) (answer, *problem) {
	body, err := json.Marshal(value)
	if err != nil {
		return answer{}, internal(err)
	}
	return answer{status: status, body: body}, nil
}

// refuse turns a problem into the answer; what is behind it stays in the event.
func refuse(event *Event, p *problem) answer {
	event.Code, event.Reason = p.code, p.cause.Error()
	type responseError struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	body, err := json.Marshal(struct {
		Allow bool          `json:"allow"`
		Error responseError `json:"error"`
	}{false, responseError{p.code, fmt.Sprintf("%s (ref %s)", p.message, event.Reference)}})
	if err != nil { // cannot happen: strings always encode
		body = []byte(`{"allow":false}`)
	}
	return answer{status: p.status, body: body, allow: p.allow, retryAfter: p.retryAfter}
}

// respond writes the answer. Errors are dropped: a client that is gone can get no other answer.
func respond(w http.ResponseWriter, r *http.Request, a answer) {
	header := w.Header()
	header.Set("Cache-Control", "no-store") // a token is in one
	if a.body != nil {
		header.Set("Content-Type", "application/json")
		header.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	for name, value := range map[string]string{"Allow": a.allow, "Retry-After": a.retryAfter} {
		if value != "" {
			header.Set(name, value)
		}
	}
	if a.hangUp {
		header.Set("Connection", "close") // on HTTP/2 net/http sends GOAWAY
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
	// On HTTP/1.1 net/http would keep a short answer until the event is recorded.
	if flusher, ok := w.(http.Flusher); ok && r.ProtoMajor == 1 {
		flusher.Flush()
	}
}

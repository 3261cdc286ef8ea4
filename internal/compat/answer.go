package compat

import (
	"net/http"
	"strconv"
)

// answer is an HTTP answer before it is written.
type answer struct {
	status      int
	contentType string // empty for none
	body        []byte
}

// refuse turns a problem into the answer. It is the text of the status and never JSON, whatever happened: enrollhandler does
// not look at the status of /api/key/, and would send the device a profile without a key for any JSON object.
func refuse(event *Event, p *problem) answer {
	event.Code, event.Reason = p.code, p.cause.Error()
	return answer{p.status, "text/plain; charset=utf-8", []byte(http.StatusText(p.status) + "\n")}
}

// respond writes the answer. Errors are dropped: a client that is gone can get no other answer.
func respond(w http.ResponseWriter, r *http.Request, a answer) {
	header := w.Header()
	header.Set("Cache-Control", "no-store") // a key is in one
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Length", strconv.Itoa(len(a.body)))
	if a.contentType != "" {
		header.Set("Content-Type", a.contentType)
	}
	switch a.status {
	case http.StatusMethodNotAllowed:
		header.Set("Allow", http.MethodPost)
	case http.StatusTooManyRequests:
		header.Set("Retry-After", "60") // keys expire in minutes
	}
	if a.status != http.StatusOK {
		// enrollhandler neither reads nor closes such an answer, so it does not use the connection again; and unauthenticated
		// clients do not keep one. On HTTP/2 net/http sends GOAWAY.
		header.Set("Connection", "close")
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
	// On HTTP/1.1 net/http would keep a short answer until the event is recorded.
	if flusher, ok := w.(http.Flusher); ok && r.ProtoMajor == 1 {
		flusher.Flush()
	}
}

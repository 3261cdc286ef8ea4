package vendortest

import (
	"encoding/json"
	"net/http"
)

// maxAdmin bounds the body of a request to the admin handler, in bytes.
const maxAdmin = 16 << 20

// Report is what the server has seen.
type Report struct {
	Violations  []string       `json:"violations"`
	Counts      map[string]int `json:"counts"`
	MostAtOnce  int            `json:"most_at_once"`
	Connections int            `json:"connections"` // that were accepted
	Abandoned   int            `json:"abandoned"`   // requests that a fault held until the client left
	RequestIDs  []string       `json:"request_ids"` // the X-Request-Id of each request, "" for none
}

// Report returns what the server has seen so far.
func (s *Server) Report() Report {
	violations := s.Violations()
	if violations == nil {
		violations = []string{}
	}
	return Report{violations, s.Counts(), s.MostAtOnce(), s.Connections(), s.Abandoned(), s.RequestIDs()}
}

// Failure is a fault and where it happens; without endpoints it happens everywhere.
type Failure struct {
	Endpoints []string `json:"endpoints"`
	Fault     Fault    `json:"fault"`
}

// Admin returns a handler for another process, which changes the simulated server with it. It asks for no
// authentication, so it must listen on the loopback only.
//
//	POST /fail       a fault, the JSON of Failure
//	POST /heal       end every fault
//	POST /down /up   reset every connection, and no longer
//	GET  /report     the JSON of Report
//
// A vendor's server has more routes, by their patterns, such as "PUT /devices"; see Receive and Do. One that is named here
// replaces that above.
func (s *Server) Admin(more map[string]http.Handler) http.Handler {
	routes := map[string]http.Handler{
		"POST /fail":  Receive(func(f Failure) { s.Fail(f.Fault, f.Endpoints...) }),
		"POST /heal":  Do(s.Heal),
		"POST /down":  Do(s.Down),
		"POST /up":    Do(s.Up),
		"GET /report": Say(func() any { return s.Report() }),
	}
	mux := http.NewServeMux()
	for pattern, handler := range more {
		routes[pattern] = handler
	}
	for pattern, handler := range routes {
		mux.Handle(pattern, handler)
	}
	return mux
}

// Receive returns a handler that hands the JSON of a request over; a member that is not known is a mistake of the caller.
func Receive[T any](take func(T)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var value T
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAdmin))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&value); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		take(value)
		w.WriteHeader(http.StatusNoContent)
	})
}

// Do returns a handler that does something.
func Do(it func()) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		it()
		w.WriteHeader(http.StatusNoContent)
	})
}

// Say returns a handler that answers with JSON.
func Say(what func() any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(what()) // the client has left
	})
}

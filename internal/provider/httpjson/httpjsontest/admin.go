package httpjsontest

import (
	"encoding/json"
	"net/http"
)

// maxAdmin bounds the body of a request to the admin handler, in bytes.
const maxAdmin = 16 << 20

// Report is what the server has seen.
type Report struct {
	Violations []string       `json:"violations"`
	Counts     map[string]int `json:"counts"`
	RequestIDs []string       `json:"request_ids"` // the X-Request-Id of each request, "" for none
}

// Admin returns a handler for another process, which changes the simulated server with it. It asks for no
// authentication, so it must listen on the loopback only.
//
//	PUT  /devices    the inventory, a JSON list of Device
//	POST /down /up   reset every connection, and no longer
//	GET  /report     the JSON of Report
func (s *Server) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /devices", func(w http.ResponseWriter, r *http.Request) {
		var devices []Device
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAdmin))
		decoder.DisallowUnknownFields() // a member that is not known is a mistake of the caller
		if err := decoder.Decode(&devices); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.Replace(devices...)
		w.WriteHeader(http.StatusNoContent)
	})
	for path, do := range map[string]func(){"/down": s.Down, "/up": s.Up} {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, _ *http.Request) {
			do()
			w.WriteHeader(http.StatusNoContent)
		})
	}
	mux.HandleFunc("GET /report", func(w http.ResponseWriter, _ *http.Request) {
		violations := s.Violations()
		if violations == nil {
			violations = []string{}
		}
		writeJSON(w, http.StatusOK, Report{violations, s.Counts(), s.RequestIDs()})
	})
	return mux
}

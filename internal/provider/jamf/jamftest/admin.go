package jamftest

import (
	"encoding/json"
	"net/http"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// maxAdmin bounds the body of a request to the admin handler, in bytes.
const maxAdmin = 16 << 20

// Report is what the server has seen.
type Report struct {
	Violations   []string       `json:"violations"`
	Counts       map[string]int `json:"counts"`
	MostAtOnce   int            `json:"most_at_once"`
	TokensIssued int            `json:"tokens_issued"`
	Connections  int            `json:"connections"` // that were accepted
	Abandoned    int            `json:"abandoned"`   // requests that a fault held until the client left
	RequestIDs   []string       `json:"request_ids"` // the X-Request-Id of each request, "" for none
}

// Failure is a fault and where it happens; without endpoints it happens everywhere.
type Failure struct {
	Endpoints []string         `json:"endpoints"`
	Fault     vendortest.Fault `json:"fault"`
}

// Admin returns a handler for another process, which changes the simulated server with it. It asks for no
// authentication, so it must listen on the loopback only.
//
//	PUT  /devices    the inventory, a JSON list of Device
//	PUT  /clients    the API clients, a JSON list of Client
//	POST /fail       a fault, the JSON of Failure
//	POST /heal       end every fault
//	POST /down /up   reset every connection, and no longer
//	POST /revoke     make the tokens that were issued invalid
//	POST /expire     put the clock forward until they have expired
//	PUT  /lists      how lists are spoiled, the JSON of Lists
//	PUT  /delay      how long each answer takes, a number of nanoseconds
//	GET  /report     the JSON of Report
func (s *Server) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /devices", func(w http.ResponseWriter, r *http.Request) {
		receive(w, r, func(devices []Device) { s.Replace(devices...) })
	})
	mux.HandleFunc("PUT /clients", func(w http.ResponseWriter, r *http.Request) {
		receive(w, r, func(clients []Client) { s.SetClients(clients...) })
	})
	mux.HandleFunc("PUT /lists", func(w http.ResponseWriter, r *http.Request) { receive(w, r, s.SpoilLists) })
	mux.HandleFunc("PUT /delay", func(w http.ResponseWriter, r *http.Request) { receive(w, r, s.SetDelay) })
	mux.HandleFunc("POST /fail", func(w http.ResponseWriter, r *http.Request) {
		receive(w, r, func(f Failure) { s.Fail(f.Fault, f.Endpoints...) })
	})
	for path, do := range map[string]func(){
		"/heal": s.Heal, "/down": s.Down, "/up": s.Up, "/revoke": s.Revoke, "/expire": s.Expire,
	} {
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
		writeJSON(w, http.StatusOK, Report{
			violations, s.Counts(), s.MostAtOnce(), s.TokensIssued(), s.Connections(), s.Abandoned(), s.RequestIDs(),
		})
	})
	return mux
}

// receive hands the JSON of a request over; a word that is not known is a mistake of the caller.
func receive[T any](w http.ResponseWriter, r *http.Request, take func(T)) {
	var value T
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAdmin))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&value); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	take(value)
	w.WriteHeader(http.StatusNoContent)
}

package addigytest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// path is that of the search.
const path = "/api/v2/devices"

// request is the body of a search.
type request struct {
	Desired       []string `json:"desired_fact_identifiers"`
	Page          int      `json:"page"`
	PerPage       int      `json:"per_page"`
	SortField     string   `json:"sort_field"`
	SortDirection string   `json:"sort_direction"`
	Query         query    `json:"query"`
}

type query struct {
	Filters   []filter `json:"filters"`
	PolicyID  string   `json:"policy_id"`
	SearchAny string   `json:"search_any"`
}

type filter struct {
	AuditField string `json:"audit_field"`
	Operation  string `json:"operation"`
	Type       string `json:"type"`
	Value      any    `json:"value"`
	RangeValue any    `json:"range_value"`
}

// metadata says which part of the list an answer is.
type metadata struct {
	Page        int `json:"page"`
	PerPage     int `json:"per_page"`
	PageCount   int `json:"page_count"`
	ResultCount int `json:"result_count"`
	Total       int `json:"total"`
}

func endpoint(r *http.Request) string {
	if r.URL.EscapedPath() == path {
		return Devices
	}
	return Elsewhere
}

// serve is the server without faults.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if !s.admit() {
		refuse(w, http.StatusTooManyRequests, "Rate limit exceeded")
		return
	}
	s.mu.Lock()
	token, permissions := s.options.Token, s.options.Permissions
	s.mu.Unlock()
	switch {
	case endpoint(r) != Devices:
		s.Violate("%s %s: there is no such endpoint", r.Method, r.URL.EscapedPath())
		http.Error(w, "<html><body>404 page not found "+vendortest.Marker+"</body></html>", http.StatusNotFound)
	case r.Method != http.MethodPost:
		s.Violate("devices: %s is not allowed", r.Method)
		refuse(w, http.StatusMethodNotAllowed, "Method Not Allowed")
	case r.Header.Get("Authorization") != "":
		s.Violate("devices: an Authorization header was sent, which Addigy does not read")
		refuse(w, http.StatusUnauthorized, "Unauthorized")
	case len(r.Header.Values("X-Api-Key")) != 1 || r.Header.Get("X-Api-Key") != token:
		if len(r.Header.Values("X-Api-Key")) != 1 {
			s.Violate("devices: %d x-api-key headers", len(r.Header.Values("X-Api-Key")))
		}
		refuse(w, http.StatusUnauthorized, "Unauthorized")
	case !slices.Contains(permissions, ViewDevices):
		refuse(w, http.StatusForbidden, "Missing permission")
	default:
		s.search(w, r)
	}
}

// search answers a search that may be made.
func (s *Server) search(w http.ResponseWriter, r *http.Request) {
	if accept, kind := r.Header.Get("Accept"), r.Header.Get("Content-Type"); accept != "application/json" || kind != "application/json" {
		s.Violate("devices: Accept is %q and Content-Type %q, want application/json", accept, kind)
		refuse(w, http.StatusBadRequest, "Bad Request")
		return
	}
	if r.URL.RawQuery != "" {
		s.Violate("devices: the search has a query in its URL")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	var asked request
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil || decoder.More() {
		s.Violate("devices: the body is none of a search")
		refuse(w, http.StatusBadRequest, "Bad Request")
		return
	}
	if asked.Page < 1 || asked.PerPage < 1 || asked.PerPage > MaxPage {
		s.Violate("devices: page %d of %d devices, want pages from 1 on, of 1 to %d", asked.Page, asked.PerPage, MaxPage)
		refuse(w, http.StatusBadRequest, "Bad Request")
		return
	}
	s.inspect(asked)
	items, about := s.page(asked)
	answer := map[string]any{"items": items, "metadata": about}
	s.mu.Lock()
	if len(items) == 0 && s.options.NullItems {
		answer["items"] = nil
	}
	s.mu.Unlock()
	write(w, http.StatusOK, answer)
}

// inspect records what Addigy would ignore.
func (s *Server) inspect(asked request) {
	for _, identifier := range asked.Desired {
		if !slices.Contains(identifiers(), identifier) {
			s.Violate("devices: there is no fact %q", identifier)
		}
	}
	if len(asked.Desired) == 0 {
		s.Violate("devices: no facts are named, so few are in the answer")
	}
	if asked.Query.PolicyID != "" || asked.Query.SearchAny != "" || len(asked.Query.Filters) > 1 {
		s.Violate("devices: a search by something else than one filter")
	}
	for _, f := range asked.Query.Filters {
		if !f.usable() {
			s.Violate("devices: the filter of %q by %q is not usable, and Addigy ignores it", f.AuditField, f.Operation)
		}
	}
	if asked.SortField != "" && !slices.Contains(identifiers(), asked.SortField) || !slices.Contains([]string{"", "asc", "desc"}, asked.SortDirection) {
		s.Violate("devices: sorted by %q, %q", asked.SortField, asked.SortDirection)
	}
	if len(asked.Query.Filters) == 0 && (asked.SortField == "" || asked.SortDirection == "") {
		s.Violate("devices: the pages of a list need an order")
	}
}

// usable reports whether Addigy understands a filter; it ignores another one.
func (f filter) usable() bool {
	text, isText := f.Value.(string)
	return f.AuditField == "serial_number" && f.Operation == "=" && f.Type == "string" && isText && text != "" && f.RangeValue == nil
}

// page is one page of what a search finds.
func (s *Server) page(asked request) ([]map[string]any, metadata) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, isList := s.devices, len(asked.Query.Filters) == 0
	if isList {
		s.sizes = append(s.sizes, asked.PerPage)
	}
	for _, f := range asked.Query.Filters {
		if f.usable() && !s.options.IgnoreFilters {
			found = slices.DeleteFunc(slices.Clone(found), func(d Device) bool { return !d.matches(f, s.options.Contains) })
		}
	}
	size := min(asked.PerPage, s.options.PageLimit)
	about := metadata{Page: asked.Page, PerPage: size, PageCount: (len(found) + size - 1) / size, Total: len(found)}
	if len(found) == 0 {
		about.PageCount = s.options.NoPages
	}
	spoiled := Lists{}
	if isList {
		spoiled = s.options.Lists
	}
	at := asked.Page
	if spoiled.RepeatFrom > 0 && at >= spoiled.RepeatFrom {
		at--
	}
	from := min((at-1)*size, len(found))
	found = found[from:min(from+size, len(found))]
	if spoiled.HalfFrom > 0 && at >= spoiled.HalfFrom {
		found = found[:len(found)/2]
	}
	if spoiled.TotalFrom > 0 && at >= spoiled.TotalFrom {
		about.Total += spoiled.Total
		about.PageCount += spoiled.PageCount
	}
	desired := asked.Desired
	if len(desired) == 0 {
		desired = byDefault()
	}
	items := make([]map[string]any, 0, len(found))
	for _, d := range found {
		items = append(items, d.item(desired))
	}
	about.ResultCount = len(items)
	return items, about
}

// refuse answers with Addigy's form of an error.
func refuse(w http.ResponseWriter, status int, message string) {
	inner := map[string]any{"code": status*10 + 1, "message": vendortest.Marker, "error_chain": nil}
	write(w, status, map[string]any{"code": status, "message": message + " " + vendortest.Marker, "error_chain": inner})
}

func write(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(err.Error())
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

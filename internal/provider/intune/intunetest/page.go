package intunetest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// query reads the query of a request, which has no others than the given parameters, and always $select.
func (s *Server) query(w http.ResponseWriter, r *http.Request, endpoint string, known ...string) (url.Values, bool) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	for name, values := range query {
		if !slices.Contains(known, name) || len(values) != 1 {
			s.Violate("%s: the query has %q, which is unknown or repeated", endpoint, name)
			err = http.ErrNotSupported
		}
	}
	if err == nil && query.Get("$select") == "" {
		s.Violate("%s: the query has no $select", endpoint)
		err = http.ErrNotSupported
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "BadRequest")
	}
	return query, err == nil
}

// page returns the size of a page, and how many records come before it; s.mu is held.
func (s *Server) page(w http.ResponseWriter, query url.Values, endpoint string, usual, most int) (size, skip int, ok bool) {
	size = usual
	if query.Has("$top") {
		var err error
		if size, err = strconv.Atoi(query.Get("$top")); err != nil || size < 1 || size > most {
			s.Violate("%s: $top is %q, and at most %d", endpoint, query.Get("$top"), most)
			refuse(w, http.StatusBadRequest, "BadRequest")
			return 0, 0, false
		}
	}
	if s.options.PageLimit > 0 {
		size = min(size, s.options.PageLimit)
	}
	if query.Has("$skiptoken") {
		var err error
		if skip, err = strconv.Atoi(strings.TrimPrefix(query.Get("$skiptoken"), "after-")); err != nil || skip < 0 {
			s.Violate("%s: the $skiptoken is none that this server gave", endpoint)
			refuse(w, http.StatusBadRequest, "BadRequest")
			return 0, 0, false
		}
	}
	return size, skip, true
}

// link adds the link to the next page where there is one.
func (s *Server) link(answer map[string]any, r *http.Request, query url.Values, next, all int) {
	if next >= all {
		return
	}
	if s.options.NextLink != "" {
		answer["@odata.nextLink"] = s.options.NextLink
		return
	}
	following := url.Values{"$skiptoken": {"after-" + strconv.Itoa(next)}}
	for _, name := range []string{"$select", "$top", "$count", "$filter"} {
		if query.Has(name) {
			following.Set(name, query.Get(name))
		}
	}
	answer["@odata.nextLink"] = s.URL() + r.URL.EscapedPath() + "?" + following.Encode()
}

// refuse answers as Graph refuses a request.
func refuse(w http.ResponseWriter, status int, code string) {
	writeJSON(w, status, map[string]any{"error": map[string]any{
		"code": code, "message": vendortest.Marker,
		"innerError": map[string]string{"date": "2026-07-29T08:21:00", "request-id": vendortest.Marker, "client-request-id": vendortest.Marker},
	}})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; odata.metadata=minimal")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

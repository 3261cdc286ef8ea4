package appletest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

const devicesPath = "/v1/orgDevices"

// find returns the endpoint of a request, and the ID in its path as it was sent.
func find(r *http.Request) (endpoint, id string) {
	path := r.URL.EscapedPath()
	switch path {
	case tokenPath, "/auth/oauth2/v2/token":
		return Token, ""
	case devicesPath:
		return OrgDevices, ""
	}
	rest, ok := strings.CutPrefix(path, devicesPath+"/")
	if !ok || rest == "" {
		return Elsewhere, ""
	}
	id, isServer := strings.CutSuffix(rest, "/assignedServer")
	switch {
	case strings.Contains(id, "/"):
		return Elsewhere, ""
	case isServer:
		return AssignedServer, id
	}
	return OrgDevice, id
}

func (*Server) endpoint(r *http.Request) string {
	endpoint, _ := find(r)
	return endpoint
}

// serve is the server without faults.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	endpoint, id := find(r)
	method := http.MethodGet
	if endpoint == Token {
		method = http.MethodPost
	}
	switch {
	case endpoint == Elsewhere:
		s.Violate("%s %s: there is no such endpoint", r.Method, r.URL.EscapedPath())
		writeError(w, http.StatusNotFound, "PATH_ERROR")
		return
	case r.Method != method:
		s.Violate("%s: %s is not allowed", endpoint, r.Method)
		writeError(w, http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED")
		return
	case endpoint == Token:
		s.serveToken(w, r)
		return
	}
	if !s.admit(w, r, endpoint) {
		return
	}
	switch endpoint {
	case OrgDevices:
		s.serveList(w, r)
	case AssignedServer:
		s.serveServer(w, r, id)
	default:
		s.serveDevice(w, r, id)
	}
}

// admit refuses a request of the API as a whole.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, endpoint string) bool {
	if r.Header.Get("Accept") != "application/json" {
		s.Violate("%s: Accept is not application/json", endpoint)
		writeError(w, http.StatusNotAcceptable, "NOT_ACCEPTABLE")
		return false
	}
	values := r.Header.Values("Authorization")
	if len(values) != 1 || !strings.HasPrefix(values[0], "Bearer ") {
		s.Violate("%s: the request has no bearer token", endpoint)
		writeError(w, http.StatusUnauthorized, "NOT_AUTHORIZED")
		return false
	}
	s.mu.Lock()
	t := s.tokens[strings.TrimPrefix(values[0], "Bearer ")]
	valid := t != nil && !t.revoked && s.now().Before(t.expires)
	throttled := tooMany(&s.times, s.options.Now(), time.Second, requestsASecond)
	s.mu.Unlock()
	prefix := businessPrefix
	if s.options.School {
		prefix = schoolPrefix
	}
	switch {
	case t == nil:
		s.Violate("%s: the bearer token was never issued", endpoint)
		writeError(w, http.StatusUnauthorized, "NOT_AUTHORIZED")
		return false
	case !valid:
		writeError(w, http.StatusUnauthorized, "NOT_AUTHORIZED")
		return false
	case throttled:
		s.Violate("%s: more than %d requests in a second", endpoint, requestsASecond)
		writeError(w, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
		return false
	case t.client.NoDevices || !strings.HasPrefix(t.client.ID, prefix):
		writeError(w, http.StatusForbidden, "FORBIDDEN_ERROR")
		return false
	}
	return true
}

// fields reads the names of the wanted attributes, and refuses a query that has anything else.
func (s *Server) fields(w http.ResponseWriter, r *http.Request, of string, known []string, others ...string) (fields []string, ok bool) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	refuse := func(what string) ([]string, bool) {
		s.Violate("%s: %s", s.endpoint(r), what)
		writeError(w, http.StatusBadRequest, "PARAMETER_ERROR.INVALID")
		return nil, false
	}
	if err != nil {
		return refuse("the query cannot be read")
	}
	for name, values := range query {
		switch {
		case len(values) != 1:
			return refuse("a parameter is repeated")
		case name == "fields["+of+"]":
			fields = strings.Split(values[0], ",")
		case !slices.Contains(others, name):
			return refuse("the query has an unknown parameter")
		}
	}
	for _, name := range fields {
		if !slices.Contains(known, name) {
			return refuse("there is no attribute " + strconv.Quote(name))
		}
	}
	return fields, true
}

func deviceFields() []string {
	var names []string
	for name := range (Device{}).all() {
		names = append(names, name)
	}
	return names
}

// device returns the one with an ID, which is compared by its letters' case too.
func (s *Server) device(w http.ResponseWriter, r *http.Request, escaped string) (Device, bool) {
	id, err := url.PathUnescape(escaped)
	if err != nil || url.PathEscape(id) != escaped || strings.ToUpper(id) != id {
		s.Violate("%s: the ID in the path is not in capitals, or not escaped", s.endpoint(r))
	}
	devices := s.devices()
	if i := slices.IndexFunc(devices, func(d Device) bool { return d.id() == id }); err == nil && i >= 0 {
		return devices[i], true
	}
	writeError(w, http.StatusNotFound, "NOT_FOUND")
	return Device{}, false
}

func (s *Server) serveDevice(w http.ResponseWriter, r *http.Request, id string) {
	fields, ok := s.fields(w, r, "orgDevices", deviceFields())
	if !ok {
		return
	}
	d, found := s.device(w, r, id)
	if !found {
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"data": s.resource(d, fields), "links": map[string]string{"self": s.URL() + r.URL.EscapedPath()}})
}

func (s *Server) serveServer(w http.ResponseWriter, r *http.Request, id string) {
	known := []string{"serverName", "serverType", "status", "createdDateTime", "updatedDateTime", "deviceCount", "lastConnectedDateTime"}
	if _, ok := s.fields(w, r, "mdmServers", known); !ok {
		return
	}
	d, found := s.device(w, r, id)
	switch {
	case !found:
	case d.Server != "":
		writeJSON(w, http.StatusOK, map[string]any{"data": d.server()})
	case s.options.Unassigned == "404":
		writeError(w, http.StatusNotFound, "NOT_FOUND")
	default:
		writeJSON(w, http.StatusOK, map[string]any{"data": nil})
	}
}

// serveList answers a page of all devices. There is no filter.
func (s *Server) serveList(w http.ResponseWriter, r *http.Request) {
	fields, ok := s.fields(w, r, "orgDevices", deviceFields(), "limit", "cursor")
	if !ok {
		return
	}
	limit, begin := defaultPage, 0
	var err error
	if text := r.URL.Query().Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxPage {
			s.Violate("%s: limit is not 1 to %d", OrgDevices, maxPage)
			writeError(w, http.StatusBadRequest, "PARAMETER_ERROR.INVALID")
			return
		}
	}
	if s.options.PageLimit > 0 {
		limit = min(limit, s.options.PageLimit)
	}
	devices := s.devices()
	if text := r.URL.Query().Get("cursor"); text != "" {
		mark, errText := base64.URLEncoding.DecodeString(text)
		if begin, err = strconv.Atoi(strings.TrimPrefix(string(mark), "at:")); errText != nil || err != nil || begin < 0 {
			s.Violate("%s: the cursor is none that was given", OrgDevices)
			writeError(w, http.StatusBadRequest, "PARAMETER_ERROR.INVALID")
			return
		}
		begin = min(begin, len(devices))
	}
	end := min(begin+limit, len(devices))
	data := []any{}
	for _, d := range devices[begin:end] {
		data = append(data, s.resource(d, fields))
	}
	s.mu.Lock()
	s.sizes = append(s.sizes, len(data))
	s.mu.Unlock()
	paging := map[string]any{"total": len(devices), "limit": limit}
	links := map[string]any{"self": s.URL() + devicesPath}
	if end < len(devices) {
		cursor := base64.URLEncoding.EncodeToString([]byte("at:" + strconv.Itoa(end)))
		paging["nextCursor"] = cursor
		links["next"] = s.URL() + devicesPath + "?" + url.Values{"cursor": {cursor}, "limit": {strconv.Itoa(limit)}}.Encode()
	}
	writeJSON(w, http.StatusOK, map[string]any{"data": data, "links": links, "meta": map[string]any{"paging": paging}})
}

// writeError answers with an error document. The status in it is a string.
func writeError(w http.ResponseWriter, status int, code string) {
	writeJSON(w, status, map[string]any{"errors": []any{map[string]string{
		"id": "b1c2d3e4", "status": strconv.Itoa(status), "code": code, "title": vendortest.Marker, "detail": vendortest.Marker,
	}}})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

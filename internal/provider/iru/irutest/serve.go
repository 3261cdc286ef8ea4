package irutest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

const (
	devicesPath = "/api/v1/devices"
	detailsEnd  = "/details"
)

// endpointOf names the endpoint of a path, which is taken as it was sent.
func endpointOf(r *http.Request) string {
	path := r.URL.EscapedPath()
	if path == devicesPath {
		return Devices
	}
	if id, ok := deviceIDOf(path); ok && id != "" {
		return Details
	}
	return Elsewhere
}

// deviceIDOf is the ID in the path of details.
func deviceIDOf(path string) (string, bool) {
	id, ok := strings.CutPrefix(path, devicesPath+"/")
	if !ok {
		return "", false
	}
	id, ok = strings.CutSuffix(id, detailsEnd)
	return id, ok && !strings.Contains(id, "/")
}

// serve is the server without faults.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if s.options.Seen != nil {
		s.options.Seen(r)
	}
	endpoint := endpointOf(r)
	if endpoint == Elsewhere {
		s.Violate("%s %s: there is no such endpoint", r.Method, r.URL.EscapedPath())
	}
	if endpoint == Elsewhere || s.options.NoTenant {
		// The gateway answers in JSON, which says nothing about any device.
		writeJSON(w, http.StatusNotFound, map[string]string{"message": "no Route matched with those values " + vendortest.Marker, "request_id": "5f0e1b7c"})
		return
	}
	if !s.spend(w) {
		return
	}
	if r.Method != http.MethodGet {
		s.Violate("%s: %s is not allowed", endpoint, r.Method)
		refuse(w, http.StatusMethodNotAllowed, "method not allowed")
		return
	}
	if !s.authorized(w, r, endpoint) {
		return
	}
	if accept := r.Header.Get("Accept"); accept != "" && !strings.Contains(accept, "json") && !strings.Contains(accept, "*/*") {
		s.Violate("%s: Accept does not allow JSON", endpoint)
		refuse(w, http.StatusNotAcceptable, "not acceptable")
		return
	}
	if endpoint == Details {
		s.serveDetails(w, r)
		return
	}
	s.serveDevices(w, r)
}

// authorized answers where the token is not valid, or lacks the permission of the endpoint.
func (s *Server) authorized(w http.ResponseWriter, r *http.Request, endpoint string) bool {
	s.mu.Lock()
	token, permissions, revoked := s.options.Token, s.options.Permissions, s.revoked
	s.mu.Unlock()
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || len(r.Header.Values("Authorization")) != 1 {
		s.Violate("%s: no bearer token", endpoint)
	}
	switch {
	case slices.Contains(revoked, bearer):
		refuse(w, http.StatusUnauthorized, "the token has expired or was revoked")
		return false
	case !ok || bearer != token:
		refuse(w, http.StatusUnauthorized, "invalid token")
		return false
	}
	if needed := map[string]string{Devices: DeviceList, Details: DeviceDetails}[endpoint]; !slices.Contains(permissions, needed) {
		writeJSON(w, http.StatusForbidden, map[string]string{"detail": "You do not have permission to perform this action. " + vendortest.Marker})
		return false
	}
	return true
}

// serveDevices is the list, with the filter for serial numbers that contain a text.
func (s *Server) serveDevices(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	for name, values := range query {
		switch {
		case !slices.Contains([]string{"serial_number", "limit", "offset"}, name):
			s.Violate("devices: the parameter %s is ignored", name) // as the vendor does with a name it does not know
		case len(values) != 1:
			s.Violate("devices: the parameter %s is given %d times", name, len(values))
		}
	}
	if query.Has("serial_number") && query.Get("serial_number") == "" {
		s.Violate("devices: an empty serial_number finds every device")
	}
	limit, okLimit := s.number(query.Get("limit"), maxPage)
	offset, okOffset := s.number(query.Get("offset"), 0)
	if !okLimit || !okOffset || limit == 0 {
		s.Violate("devices: limit or offset is no number")
		refuse(w, http.StatusBadRequest, "limit and offset must be numbers")
		return
	}
	if limit > maxPage {
		s.Violate("devices: a limit of %d, %d are allowed", limit, maxPage)
	}
	limit = min(limit, maxPage)
	if s.options.PageLimit > 0 {
		limit = min(limit, s.options.PageLimit)
	}
	found := s.matching(query.Get("serial_number"))
	page := make([]any, 0, limit)
	for i := offset; i < len(found) && len(page) < limit; i++ {
		page = append(page, found[i].record())
	}
	writeJSON(w, http.StatusOK, page)
}

func (s *Server) number(text string, without int) (int, bool) {
	if text == "" {
		return without, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 0
}

func (s *Server) serveDetails(w http.ResponseWriter, r *http.Request) {
	if r.URL.RawQuery != "" {
		s.Violate("details: no parameter is known")
	}
	id, _ := deviceIDOf(r.URL.Path)
	d, found := s.byID(id)
	if !found {
		writeJSON(w, http.StatusNotFound, map[string]string{"detail": "Not found. " + vendortest.Marker})
		return
	}
	writeJSON(w, http.StatusOK, d.details())
}

// hour is what the tenant has used of its limit.
type hour struct {
	begin   time.Time
	used    int
	own     int       // of these, requests that came here
	locked  bool      // requests were refused in this hour
	refused time.Time // when the last one was
	again   int       // refused ones in a row, each shortly after the one before
}

// patience is how long a client that was refused must not ask again.
const patience = 10 * time.Second

// spend takes one request of the hourly limit. A tenant that has none left is locked out until the hour ends; to go on asking
// meanwhile is a violation.
func (s *Server) spend(w http.ResponseWriter) bool {
	s.mu.Lock()
	now := s.options.Now()
	h := &s.hour
	if now.Sub(h.begin) >= time.Hour {
		*h = hour{begin: now}
	}
	h.used++
	h.own++
	allowed := h.used <= s.options.HourlyLimit
	tooMany, again := h.own == s.options.HourlyLimit+1, false
	if !allowed {
		if h.locked && now.Sub(h.refused) < patience {
			h.again++
		} else {
			h.again = 0
		}
		h.locked, h.refused = true, now
		again = h.again == atOnce // those that were under way at the first refusal are no offense
	}
	retryAfter, limit := s.options.RetryAfter, s.options.HourlyLimit
	s.mu.Unlock()
	if allowed {
		return true
	}
	if tooMany {
		s.Violate("more than %d requests in an hour", limit)
	}
	if again {
		s.Violate("the client goes on asking after 429")
	}
	if retryAfter != "" {
		w.Header().Set("Retry-After", retryAfter)
	}
	writeJSON(w, http.StatusTooManyRequests, map[string]string{"message": "API rate limit exceeded " + vendortest.Marker})
	return false
}

// Spend uses up requests of the hour, as other tokens of the tenant and the vendor's MCP server do.
func (s *Server) Spend(requests int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.options.Now(); now.Sub(s.hour.begin) >= time.Hour {
		s.hour = hour{begin: now}
	}
	s.hour.used += requests
}

func refuse(w http.ResponseWriter, status int, text string) {
	writeJSON(w, status, map[string]string{"error": text + " " + vendortest.Marker})
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

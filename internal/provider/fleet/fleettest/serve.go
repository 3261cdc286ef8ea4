package fleettest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// serve is the server without faults.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	o, devices := s.state()
	endpoint := s.endpoint(r)
	switch {
	case endpoint == Elsewhere:
		s.Violate("%s %s: there is no such endpoint", r.Method, r.URL.EscapedPath())
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte("<!DOCTYPE html><html>" + vendortest.Marker + "</html>"))
		return
	case s.tooMany():
		s.Violate("%s: more than %d requests within a second", endpoint, perSecond)
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, "limit exceeded, retry after: 1s")
		return
	case r.Method != http.MethodGet:
		s.Violate("%s: %s is not allowed", endpoint, r.Method)
		refuse(w, http.StatusMethodNotAllowed, "Method Not Allowed")
		return
	case r.Header.Get("Accept") != "application/json":
		s.Violate("%s: the client does not ask for JSON", endpoint)
		refuse(w, http.StatusNotAcceptable, "Not Acceptable")
		return
	case r.Header.Get("Authorization") != "Bearer "+o.Token:
		if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
			s.Violate("%s: the request has no token", endpoint)
		}
		refuse(w, http.StatusUnauthorized, "Authentication required")
		return
	case slices.Contains(o.Forbidden, endpoint):
		refuse(w, http.StatusForbidden, "Permission Denied")
		return
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		s.Violate("%s: the query cannot be read", endpoint)
		refuse(w, http.StatusBadRequest, "Bad request")
		return
	}
	if !s.known(endpoint, query) {
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed")
		return
	}
	seen := o.visible(devices)
	switch endpoint {
	case Me:
		writeMe(w, &o)
	case Count:
		write(w, map[string]any{"count": len(o.search(seen, query.Get("query"))) + o.CountMore})
	case Host:
		s.serveHost(w, r, &o, devices, seen)
	default:
		s.serveHosts(w, &o, seen, query)
	}
}

// known reports whether a request has only parameters that the endpoint knows, each once and with a value.
func (s *Server) known(endpoint string, query url.Values) bool {
	known := map[string][]string{
		Hosts: {"query", "page", "per_page", "order_key", "order_direction"}, Count: {"query"}, Host: {"exclude_software"},
	}[endpoint]
	good := true
	for name, values := range query {
		if !slices.Contains(known, name) || len(values) != 1 || values[0] == "" {
			s.Violate("%s: the parameter %s is not known, or stands twice, or is empty", endpoint, name)
			good = false
		}
	}
	return good
}

// visible are the hosts that the user may see.
func (o *Options) visible(devices []Device) []Device {
	if o.GlobalRole != "none" {
		return devices
	}
	return slices.DeleteFunc(slices.Clone(devices), func(d Device) bool { return d.Team == "" || !slices.Contains(o.Teams, d.Team) })
}

// search compares as Fleet's database does: parts of names, serial numbers, UUIDs and addresses, without regard to case, by
// Unicode's rules: there U+212A (KELVIN SIGN) is a k.
func (o *Options) search(devices []Device, text string) []Device {
	text = strings.TrimSpace(text)
	if text == "" || o.IgnoreQuery {
		return devices
	}
	letters := strings.NewReplacer("\u212a", "K", "\u017f", "S")
	fold := func(s string) string { return letters.Replace(strings.ToUpper(s)) }
	wanted := fold(text)
	var found []Device
	for _, d := range devices {
		if slices.ContainsFunc([]string{d.Hostname, d.ComputerName, d.UUID, d.Serial, d.IP}, func(value string) bool {
			return strings.Contains(fold(value), wanted)
		}) {
			found = append(found, d)
		}
	}
	return found
}

func (s *Server) serveHosts(w http.ResponseWriter, o *Options, seen []Device, query url.Values) {
	page, err := strconv.Atoi(query.Get("page"))
	size, errSize := strconv.Atoi(query.Get("per_page"))
	switch {
	case err != nil || errSize != nil || page < 0 || size < 1 || size > largestPage:
		s.Violate("hosts: page %q, per_page %q", query.Get("page"), query.Get("per_page"))
		refuse(w, http.StatusBadRequest, "invalid page")
		return
	case query.Get("order_key") != "id" || query.Get("order_direction") != "asc":
		// Without an order a host can be on two pages, or on none.
		s.Violate("hosts: pages without an order")
	}
	s.mu.Lock()
	s.sizes = append(s.sizes, size)
	s.mu.Unlock()
	if o.PageLimit > 0 {
		size = min(size, o.PageLimit)
	}
	if o.IgnorePage {
		page = 0
	}
	found := o.search(seen, query.Get("query"))
	begin := min(page*size, len(found))
	rows := []any{}
	for i := range found[begin:min(begin+size, len(found))] {
		rows = append(rows, found[begin+i].row(o))
	}
	write(w, map[string]any{"hosts": rows})
}

func (s *Server) serveHost(w http.ResponseWriter, r *http.Request, o *Options, devices, seen []Device) {
	id, err := strconv.ParseUint(r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:], 10, 64)
	if err != nil {
		s.Violate("host: the ID is no number")
		refuse(w, http.StatusBadRequest, "invalid id")
		return
	}
	if r.URL.Query().Get("exclude_software") != "true" {
		s.Violate("host: the list of its software is not left out")
	}
	is := func(d Device) bool { return d.ID == id }
	switch i := slices.IndexFunc(seen, is); {
	case i >= 0:
		write(w, map[string]any{"host": seen[i].whole(o)})
	case slices.ContainsFunc(devices, is):
		refuse(w, http.StatusForbidden, "Permission Denied")
	default:
		refuse(w, http.StatusNotFound, "Resource Not Found")
	}
}

func writeMe(w http.ResponseWriter, o *Options) {
	user := map[string]any{"id": 7, "name": vendortest.Marker, "api_only": true, "global_role": o.GlobalRole, "teams": []any{}}
	if o.GlobalRole == "none" {
		user["global_role"] = nil
		teams := []any{}
		for i, name := range o.Teams {
			teams = append(teams, map[string]any{"id": i + 1, "name": name, "role": "observer"})
		}
		user["teams"] = teams
	}
	write(w, map[string]any{"user": user})
}

func write(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(body)
}

// refuse answers with an error as Fleet writes it.
func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"message": message, "errors": []any{map[string]any{"name": "base", "reason": vendortest.Marker}},
		"uuid": "ad4e1d3c-0000-4000-8000-" + vendortest.Marker,
	})
}

package intunetest

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	mostDevices = 1000 // on a page
	mostGroups  = 999
	fewGroups   = 100 // without $top

	devicesPath = "/v1.0/deviceManagement/managedDevices"
	noTenant    = ""
)

// route is where a request goes.
type route struct {
	endpoint, method string
	permissions      []string // one of them is needed
	serve            func(w http.ResponseWriter, r *http.Request, permissions []string)
}

// find returns the route of a path.
func (s *Server) find(r *http.Request) route {
	path := r.URL.Path
	if tenant, is := strings.CutSuffix(strings.TrimPrefix(path, "/"), "/oauth2/v2.0/token"); is && tenant != noTenant && !strings.Contains(tenant, "/") {
		return route{endpoint: Token, method: http.MethodPost, serve: func(w http.ResponseWriter, r *http.Request, _ []string) { s.serveToken(w, r, tenant) }}
	}
	if path == devicesPath {
		return route{ManagedDevices, http.MethodGet, []string{ReadDevices}, s.serveDevices}
	}
	if m := regexp.MustCompile(`^/v1\.0/devices\(deviceId='([^']*)'\)/transitiveMemberOf/microsoft\.graph\.group$`).FindStringSubmatch(path); m != nil {
		return route{Groups, http.MethodGet, []string{ReadEntraDevices, "Directory.Read.All"}, func(w http.ResponseWriter, r *http.Request, p []string) { s.serveGroups(w, r, p, m[1]) }}
	}
	if id, is := strings.CutPrefix(path, "/v1.0/users/"); is && id != "" && !strings.Contains(id, "/") {
		return route{Users, http.MethodGet, []string{ReadUsers, "Directory.Read.All"}, func(w http.ResponseWriter, r *http.Request, _ []string) { s.serveUser(w, r, id) }}
	}
	return route{endpoint: Elsewhere}
}

func (s *Server) endpoint(r *http.Request) string { return s.find(r).endpoint }

// serve is the server without faults.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if s.options.Seen != nil {
		s.options.Seen(r)
	}
	if !s.delay(r) {
		return
	}
	to := s.find(r)
	switch {
	case to.serve == nil:
		s.Violate("%s %s: there is no such endpoint", r.Method, r.URL.EscapedPath())
		refuse(w, http.StatusNotFound, "ResourceNotFound")
		return
	case r.Method != to.method:
		s.Violate("%s: %s is not allowed", to.endpoint, r.Method)
		refuse(w, http.StatusMethodNotAllowed, "Request_BadRequest")
		return
	case to.endpoint == Token:
		to.serve(w, r, nil)
		return
	case !s.mayAsk():
		s.Violate("%s: more than %d requests within %v", to.endpoint, s.options.MostRequests, period)
		refuse(w, http.StatusTooManyRequests, "TooManyRequests") // without Retry-After, as Intune does at times
		return
	}
	permissions, good := s.authenticate(r, to.endpoint)
	switch {
	case !good:
		refuse(w, http.StatusUnauthorized, "InvalidAuthenticationToken")
	case !slices.ContainsFunc(to.permissions, func(p string) bool { return slices.Contains(permissions, p) }):
		refuse(w, http.StatusForbidden, "Forbidden")
	case !strings.Contains(r.Header.Get("Accept"), "application/json"):
		s.Violate("%s: the request does not accept JSON", to.endpoint)
		refuse(w, http.StatusNotAcceptable, "NotAcceptable")
	default:
		to.serve(w, r, permissions)
	}
}

func (s *Server) delay(r *http.Request) bool {
	s.mu.Lock()
	by := s.options.Delay
	s.mu.Unlock()
	if by <= 0 {
		return true
	}
	select {
	case <-time.After(by):
		return true
	case <-r.Context().Done():
		return false
	}
}

// mayAsk counts a request, and reports whether the limit allows it.
func (s *Server) mayAsk() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.recent = append(slices.DeleteFunc(s.recent, func(at time.Time) bool { return now.Sub(at) >= period }), now)
	return len(s.recent) <= s.options.MostRequests
}

// serveDevices searches or lists the managed devices.
func (s *Server) serveDevices(w http.ResponseWriter, r *http.Request, _ []string) {
	query, ok := s.query(w, r, ManagedDevices, "$filter", "$select", "$top", "$skiptoken")
	if !ok {
		return
	}
	names := strings.Split(query.Get("$select"), ",")
	known := (&Device{}).record()
	for _, name := range names {
		if _, has := known[name]; !has {
			s.Violate("managed-devices: $select names %q, which is no property of a managedDevice that a list has", name)
			refuse(w, http.StatusBadRequest, "BadRequest")
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	size, skip, ok := s.page(w, query, ManagedDevices, mostDevices, mostDevices)
	if !ok {
		return
	}
	found := s.all()
	if query.Has("$filter") {
		// A filter that Graph does not understand is ignored, and all devices come back.
		m := regexp.MustCompile(`^serialNumber eq '((?:[^']|'')*)'$`).FindStringSubmatch(query.Get("$filter"))
		if m == nil {
			s.Violate("managed-devices: the filter is not one by serialNumber")
		} else if !s.options.IgnoreFilter {
			found = s.search(strings.ReplaceAll(m[1], "''", "'"))
		}
	} else {
		s.sizes = append(s.sizes, size)
	}
	records := []any{}
	for _, i := range found[min(skip, len(found)):min(skip+size, len(found))] {
		records = append(records, s.devices[i].selected(names))
	}
	answer := map[string]any{
		"@odata.context": s.options.Resource + "/v1.0/$metadata#deviceManagement/managedDevices", "@odata.count": len(records), "value": records,
	}
	s.link(answer, r, query, skip+size, len(found))
	writeJSON(w, http.StatusOK, answer)
}

func (s *Server) all() []int {
	all := make([]int, len(s.devices))
	for i := range all {
		all[i] = i
	}
	return all
}

// search returns the places of the devices with the serial number.
func (s *Server) search(serial string) []int {
	if !s.options.Contains {
		return s.serials[fold(serial)]
	}
	var found []int
	for i := range s.devices {
		if strings.Contains(fold(s.devices[i].Serial), fold(serial)) {
			found = append(found, i)
		}
	}
	return found
}

// serveGroups lists the groups of a device, those that it is a member of through others included.
func (s *Server) serveGroups(w http.ResponseWriter, r *http.Request, permissions []string, id string) {
	query, ok := s.query(w, r, Groups, "$select", "$count", "$top", "$skiptoken")
	if !ok {
		return
	}
	if r.Header.Get("ConsistencyLevel") != "eventual" || query.Get("$count") != "true" || query.Get("$select") != "id,displayName" {
		s.Violate("groups: a search for groups needs ConsistencyLevel, $count and $select")
		refuse(w, http.StatusBadRequest, "Request_UnsupportedQuery")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	size, skip, ok := s.page(w, query, Groups, fewGroups, mostGroups)
	if !ok {
		return
	}
	at, has := s.entra[strings.ToLower(id)]
	if !has {
		refuse(w, http.StatusNotFound, "Request_ResourceNotFound")
		return
	}
	groups := s.devices[at].Groups
	records := []any{}
	for _, g := range groups[min(skip, len(groups)):min(skip+size, len(groups))] {
		record := map[string]any{"@odata.type": "#microsoft.graph.group", "id": g.ID, "displayName": g.Name}
		if !slices.Contains(permissions, ReadGroups) && !slices.Contains(permissions, "Directory.Read.All") {
			record["displayName"] = nil
		}
		records = append(records, record)
	}
	answer := map[string]any{
		"@odata.context": s.options.Resource + "/v1.0/$metadata#groups(id,displayName)", "@odata.count": len(groups), "value": records,
	}
	s.link(answer, r, query, skip+size, len(groups))
	writeJSON(w, http.StatusOK, answer)
}

// serveUser answers what Entra has of a user.
func (s *Server) serveUser(w http.ResponseWriter, r *http.Request, id string) {
	query, ok := s.query(w, r, Users, "$select")
	if !ok {
		return
	}
	if query.Get("$select") != "jobTitle,department" {
		s.Violate("user: $select has more than the connector needs")
		refuse(w, http.StatusBadRequest, "Request_BadRequest")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at, has := s.users[id]
	if !has {
		refuse(w, http.StatusNotFound, "Request_ResourceNotFound")
		return
	}
	maybe := func(text string) any {
		if text == "" {
			return nil
		}
		return text
	}
	user := s.devices[at].User
	writeJSON(w, http.StatusOK, map[string]any{
		"@odata.context": s.options.Resource + "/v1.0/$metadata#users(jobTitle,department)/$entity",
		"jobTitle":       maybe(user.Position), "department": maybe(user.Department),
	})
}

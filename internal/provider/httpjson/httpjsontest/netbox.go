package httpjsontest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// NewNetBox prepares a fake NetBox server, of release 4. Start starts it.
//
// A path without the slash at its end is redirected; the next page is a URL; and a release that does not know a filter
// ignores it, and answers with every device. https://netboxlabs.com/docs/netbox/integrations/rest-api/
func NewNetBox(options Options) (*Server, error) { return newServer(options, netBox{}) }

type netBox struct{}

const (
	netBoxDevices = "/api/dcim/devices/"
	// netBoxStandard and netBoxMost are PAGINATE_COUNT and MAX_PAGE_SIZE.
	netBoxStandard, netBoxMost = 50, 1000
)

// endpoint: a filter makes a lookup of the list.
func (netBox) endpoint(r *http.Request) string {
	switch {
	case r.URL.Path != netBoxDevices:
		return Elsewhere
	case r.URL.Query().Has("serial"):
		return Lookup
	}
	return List
}

func netBoxDetail(text string) any {
	return map[string]string{"detail": text + " " + vendortest.Marker}
}

func (netBox) serve(s *Server, w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path+"/" == netBoxDevices:
		s.Violate("%s: a path without a slash at its end is redirected", r.URL.Path)
		w.Header().Set("Location", s.URL()+r.URL.Path+"/?"+r.URL.RawQuery)
		w.WriteHeader(http.StatusMovedPermanently)
		return
	case r.Header.Get("Authorization") != "Token "+s.options.Token:
		writeJSON(w, http.StatusForbidden, netBoxDetail("Invalid token"))
		return
	case !s.checkMethod(w, r, netBoxDetail("Method not allowed.")):
		return
	case r.URL.Path != netBoxDevices:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte("<!DOCTYPE html><title>Page Not Found</title>" + vendortest.Marker))
		return
	}
	s.only(r, "serial", "limit", "offset", "ordering")
	limit, limitOK := number(r, "limit", netBoxStandard, 0, 1<<31-1)
	offset, offsetOK := number(r, "offset", 0, 0, 1<<31-1)
	if !limitOK || !offsetOK || limit == 0 {
		s.Violate("limit and offset are whole numbers, and a limit of 0 asks for everything")
		limit, offset = netBoxStandard, 0
	}
	serial, filtered := strings.ToUpper(r.URL.Query().Get("serial")), r.URL.Query().Has("serial") && !s.options.IgnoresFilters
	// PostgreSQL compares what iexact asks for in upper case.
	all := s.where(func(d Device) bool { return !filtered || strings.ToUpper(d.Serial) == serial })
	writeJSON(w, http.StatusOK, s.netBoxPage(r.URL, all, offset, min(s.limited(limit), netBoxMost)))
}

func (s *Server) netBoxPage(asked *url.URL, all []record, offset, limit int) any {
	rows := page(all, offset, limit)
	results := make([]any, len(rows))
	for i, row := range rows {
		results[i] = netBoxRow(row)
	}
	at := func(offset int) any {
		query := asked.Query()
		query.Set("limit", strconv.Itoa(limit))
		query.Set("offset", strconv.Itoa(offset))
		return s.URL() + netBoxDevices + "?" + query.Encode()
	}
	answer := map[string]any{"count": len(all), "next": nil, "previous": nil, "results": results}
	if offset+len(rows) < len(all) {
		answer["next"] = at(offset + limit)
	}
	if offset > 0 {
		answer["previous"] = at(max(offset-limit, 0))
	}
	return answer
}

// netBoxRow is one device.
func netBoxRow(r record) any {
	status := map[string]string{"value": "active", "label": "Active"}
	if r.Unmanaged {
		status = map[string]string{"value": "decommissioning", "label": "Decommissioning"}
	}
	fields := map[string]any{"owner_mail": nil, "last_mdm_contact": nil}
	if r.User != nil {
		fields["owner_mail"] = r.User.Email
	}
	if !r.LastSeen.IsZero() {
		fields["last_mdm_contact"] = r.LastSeen.UTC().Format(time.DateOnly)
	}
	tags := make([]any, 0, len(r.Groups))
	for i, name := range slices.Sorted(slices.Values(r.Groups)) { // NetBox orders tags by their names
		tags = append(tags, map[string]any{"id": i + 1, "name": name, "slug": "tag-" + strconv.Itoa(i+1), "color": "9e9e9e", "display": name})
	}
	return map[string]any{
		"id": r.id, "name": orNull(r.Name), "display": r.Name, "serial": r.Serial, "asset_tag": nil, "status": status,
		"device_type": map[string]any{"id": 1, "model": r.Model, "slug": "laptop", "manufacturer": map[string]any{"id": 1, "name": "Apple", "slug": "apple"}},
		"role":        map[string]any{"id": 1, "name": "Laptop", "slug": "laptop"},
		"tenant":      map[string]any{"id": 1, "name": "Design", "slug": "design"},
		"site":        map[string]any{"id": 1, "name": "HQ", "slug": "hq"}, "tags": tags, "custom_fields": fields,
		"created": "2025-02-03T09:00:00Z", "last_updated": "2026-07-01T08:00:00Z",
	}
}

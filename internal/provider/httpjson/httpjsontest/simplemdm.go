package httpjsontest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// NewSimpleMDM prepares a fake SimpleMDM service. Start starts it.
//
// Its search finds names, UDIDs and parts of all that, too; the answer has secrets of the device beside what is asked for.
// https://api.simplemdm.com/v1#list-all-devices
func NewSimpleMDM(options Options) (*Server, error) { return newServer(options, simpleMDM{}) }

type simpleMDM struct{}

const (
	simpleDevices = "/api/v1/devices"
	// simpleStandard and simpleMost are the sizes of a page without and with a limit.
	simpleStandard, simpleMost = 10, 100
)

// endpoint: a search is a lookup; the same path without one is the list.
func (simpleMDM) endpoint(r *http.Request) string {
	switch {
	case r.URL.Path != simpleDevices:
		return Elsewhere
	case r.URL.Query().Has("search"):
		return Lookup
	}
	return List
}

func simpleErrors(title string) any {
	return map[string]any{"errors": []any{map[string]string{"title": title + " " + vendortest.Marker}}}
}

func (simpleMDM) serve(s *Server, w http.ResponseWriter, r *http.Request) {
	user, password, basic := r.BasicAuth()
	switch {
	case !basic || user != s.options.Token || password != "":
		writeJSON(w, http.StatusUnauthorized, simpleErrors("unauthorized"))
		return
	case !s.checkMethod(w, r, simpleErrors("method not allowed")):
		return
	case r.URL.Path != simpleDevices:
		writeJSON(w, http.StatusNotFound, simpleErrors("object not found"))
		return
	}
	s.only(r, "search", "limit", "starting_after")
	limit, ok := number(r, "limit", simpleStandard, 1, simpleMost)
	if !ok {
		writeJSON(w, http.StatusUnprocessableEntity, simpleErrors("limit is not included in the list"))
		return
	}
	all := s.where(func(d Device) bool { return s.options.IgnoresFilters || d.simpleHas(r.URL.Query().Get("search")) })
	offset, ok := simpleAfter(all, r.URL.Query().Get("starting_after"))
	if !ok {
		writeJSON(w, http.StatusNotFound, simpleErrors("object not found"))
		return
	}
	rows := page(all, offset, s.limited(limit))
	data := make([]any, len(rows))
	for i, row := range rows {
		data[i] = simpleRow(row)
	}
	writeJSON(w, http.StatusOK, map[string]any{"data": data, "has_more": offset+len(rows) < len(all)})
}

// simpleHas reports whether a search finds a device.
func (d Device) simpleHas(text string) bool {
	return slices.ContainsFunc([]string{d.Serial, d.UDID, d.Name}, func(has string) bool {
		return strings.Contains(strings.ToUpper(has), strings.ToUpper(text))
	})
}

// simpleAfter is where the page after a record begins.
func simpleAfter(all []record, cursor string) (int, bool) {
	if cursor == "" {
		return 0, true
	}
	id, err := strconv.Atoi(cursor)
	at := slices.IndexFunc(all, func(r record) bool { return r.id == id })
	return at + 1, err == nil && at >= 0
}

// simpleRow is one device. An empty text is null.
func simpleRow(r record) any {
	status := "enrolled"
	if r.Unmanaged {
		status = "unenrolled"
	}
	var seen any
	if !r.LastSeen.IsZero() {
		seen = r.LastSeen.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	}
	groups := make([]any, len(r.Groups))
	for i, name := range r.Groups {
		groups[i] = map[string]any{"type": "group", "id": 7 + len(name)}
	}
	return map[string]any{
		"type": "device", "id": r.id,
		"attributes": map[string]any{
			"name": r.Name, "device_name": r.Name, "serial_number": r.Serial, "unique_identifier": orNull(r.UDID), "status": status,
			"last_seen_at": seen, "last_seen_ip": "192.0.2.7", "enrolled_at": time.Date(2025, 2, 3, 9, 0, 0, 0, time.UTC).Format(time.RFC3339),
			"os_version": orNull(r.Version), "model": "Mac15,12", "model_name": orNull(r.Model), "is_supervised": true,
			"is_dep_enrollment": true, "filevault_enabled": true, "passcode_compliant": true,
			// Secrets of the device, which a client must not keep.
			"filevault_recovery_key": vendortest.Marker, "firmware_password": vendortest.Marker, "recovery_lock_password": vendortest.Marker,
		},
		"relationships": map[string]any{
			"device_group": map[string]any{"data": map[string]any{"type": "device_group", "id": 7}},
			"groups":       map[string]any{"data": groups},
		},
	}
}

package httpjsontest

import (
	"net/http"
	"strings"
	"time"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// NewSnipeIT prepares a fake Snipe-IT server, of release 8. Start starts it.
//
// Its API answers 200 for most refusals too: with {"status":"error","messages":…,"payload":null}. Every text is escaped for
// HTML, dates are objects, and a client that does not accept JSON is redirected to the page for users.
// https://snipe-it.readme.io/reference/hardware-by-serial
func NewSnipeIT(options Options) (*Server, error) { return newServer(options, snipeIT{}) }

type snipeIT struct{}

const (
	snipeHardware = "/api/v1/hardware"
	snipeBySerial = snipeHardware + "/byserial/"
	// snipePage is the most rows of a page: MAX_RESULTS.
	snipePage = 500
	// snipeMissing is what a server in English says about a serial number that it does not have.
	snipeMissing = "Asset does not exist."
)

func (snipeIT) endpoint(r *http.Request) string {
	switch {
	case strings.HasPrefix(r.URL.Path, snipeBySerial):
		return Lookup
	case r.URL.Path == snipeHardware:
		return List
	}
	return Elsewhere
}

// snipeRefusal is the form of refusals, whatever their status is.
func snipeRefusal(messages string) any {
	return struct {
		Status   string `json:"status"`
		Messages string `json:"messages"`
		Payload  any    `json:"payload"`
	}{"error", messages, nil}
}

func (snipeIT) serve(s *Server, w http.ResponseWriter, r *http.Request) {
	if !acceptsJSON(r) {
		s.Violate("%s: a client that does not accept JSON is redirected to the page for users", r.URL.Path)
		w.Header().Set("Location", s.URL()+"/login")
		w.WriteHeader(http.StatusFound)
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+s.options.Token {
		writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "Unauthorized or unauthenticated. " + vendortest.Marker})
		return
	}
	if !s.checkMethod(w, r, snipeRefusal("Method not allowed "+vendortest.Marker)) {
		return
	}
	switch (snipeIT{}).endpoint(r) {
	case Lookup:
		s.only(r, "deleted")
		s.snipeBySerial(w, r)
	case List:
		s.only(r, "limit", "offset", "sort", "order")
		s.snipeList(w, r)
	default:
		writeJSON(w, http.StatusNotFound, snipeRefusal("404 endpoint not found "+vendortest.Marker))
	}
}

// snipeBySerial finds by the comparison of the database, whose collation takes more for equal than the case of letters.
// Deleted assets are found only where the client asks for them.
func (s *Server) snipeBySerial(w http.ResponseWriter, r *http.Request) {
	serial := strings.TrimPrefix(r.URL.Path, snipeBySerial)
	if strings.Contains(serial, "/") {
		writeJSON(w, http.StatusNotFound, snipeRefusal("404 endpoint not found "+vendortest.Marker))
		return
	}
	found := s.where(func(d Device) bool {
		return (!d.Deleted || r.URL.Query().Get("deleted") == "true") && (s.options.IgnoresFilters || collated(d.Serial) == collated(serial))
	})
	if len(found) == 0 {
		writeJSON(w, http.StatusOK, snipeRefusal(snipeMissing))
		return
	}
	writeJSON(w, http.StatusOK, snipeTable(found, len(found)))
}

// collated is what utf8mb4_unicode_ci compares: blanks at the end do not count, and letters are folded by Unicode.
func collated(text string) string {
	return strings.ToLower(strings.ToUpper(strings.ReplaceAll(strings.TrimRight(text, " "), "\u212a", "k")))
}

func (s *Server) snipeList(w http.ResponseWriter, r *http.Request) {
	limit, limitOK := number(r, "limit", snipePage, 1, 1<<31-1)
	offset, offsetOK := number(r, "offset", 0, 0, 1<<31-1)
	if !limitOK || !offsetOK {
		s.Violate("limit and offset are whole numbers")
	}
	if r.URL.Query().Get("sort") != "id" || r.URL.Query().Get("order") != "asc" {
		s.Violate("pages of a list that is not sorted by id may lack records")
	}
	all := s.where(func(d Device) bool { return !d.Deleted })
	if offset > len(all) {
		offset = 0 // as the server does
	}
	writeJSON(w, http.StatusOK, snipeTable(page(all, offset, min(s.limited(limit), snipePage)), len(all)))
}

func snipeTable(records []record, total int) any {
	rows := make([]any, len(records))
	for i, r := range records {
		rows[i] = snipeRow(r)
	}
	return struct {
		Total int   `json:"total"`
		Rows  []any `json:"rows"`
	}{total, rows}
}

// snipeRow is one asset.
func snipeRow(r record) any {
	status := map[string]any{"id": 2, "name": "In use", "status_type": "deployable", "status_meta": "deployed"}
	if r.Unmanaged {
		status = map[string]any{"id": 3, "name": "Archived", "status_type": "archived", "status_meta": "archived"}
	}
	row := map[string]any{
		"id": r.id, "name": escaped(r.Name), "asset_tag": "A-1009", "serial": escaped(r.Serial),
		"model": snipeNamed(1, r.Model), "model_number": nil, "byod": false, "status_label": status, "status": status,
		"category": snipeNamed(1, "Laptops"), "company": nil, "location": snipeNamed(1, "HQ"), "rtd_location": nil,
		"assigned_to": nil, "custom_fields": map[string]any{}, "created_at": snipeDate(time.Date(2026, 1, 2, 9, 0, 0, 0, time.UTC)), "deleted_at": nil,
	}
	if r.Deleted {
		row["deleted_at"] = snipeDate(time.Date(2026, 7, 1, 10, 0, 0, 0, time.UTC))
	}
	if u := r.User; u != nil {
		row["assigned_to"] = map[string]any{
			"id": 9, "username": escaped(u.Username), "name": escaped(u.RealName), "first_name": "Ada", "last_name": nil,
			"email": orNull(escaped(u.Email)), "employee_number": nil, "jobtitle": orNull(escaped(u.Position)), "type": "user",
		}
	}
	return row
}

func snipeNamed(id int, name string) any {
	if name == "" {
		return nil
	}
	return map[string]any{"id": id, "name": escaped(name)}
}

// snipeDate is a date as the API has it, in the zone of the server.
func snipeDate(at time.Time) any {
	return map[string]string{"datetime": at.Format(time.DateTime), "formatted": at.Format("2 Jan 2006 15:04")}
}

// escaped is a text as PHP escapes it for HTML.
func escaped(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#039;").Replace(text)
}

package mosyletest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// serveDevices answers with a page of the devices of one operating system.
func (s *Server) serveDevices(w http.ResponseWriter, r *http.Request, endpoint string) {
	var body struct {
		AccessToken string `json:"accessToken"`
		Operation   string `json:"operation"`
		Options     struct {
			OS            string   `json:"os"`
			SerialNumbers []string `json:"serial_numbers"`
			Page          *int     `json:"page"`
			PageSize      int      `json:"page_size"`
		} `json:"options"`
	}
	if !s.decode(w, r, endpoint, &body) || !s.isAccessToken(w, r, endpoint, body.AccessToken) || !s.isLoggedIn(w, r, endpoint) {
		return
	}
	if s.isTooMany() {
		s.Violate("%s: too many requests", endpoint)
		writeError(w, http.StatusTooManyRequests, "Too Many Requests")
		return
	}
	asked, quirks := body.Options, s.options.Quirks
	first := 1
	if quirks.PagesFromZero {
		first = 0
	}
	number := first
	if asked.Page != nil {
		number = *asked.Page
	}
	size := cmp.Or(asked.PageSize, defaultSize)
	switch {
	case quirks.Refuses != "":
		writeStatus(w, s.options.Product, quirks.Refuses)
		return
	case s.options.Product == Business && body.Operation != "list":
		s.Violate("%s: the operation is not list", endpoint)
		writeStatus(w, s.options.Product, "UNKNOWN_OPERATION")
		return
	case s.options.Product == Manager && body.Operation != "":
		s.Violate("%s: Manager knows no operation", endpoint)
	case asked.OS == "":
		s.Violate("%s: there is no os", endpoint)
		writeStatus(w, s.options.Product, "MISSING_DATA")
		return
	case !slices.Contains(systems(), asked.OS):
		s.Violate("%s: the os is unknown", endpoint)
		writeStatus(w, s.options.Product, "UNKNOWN_OS")
		return
	case asked.SerialNumbers != nil && slices.Contains(asked.SerialNumbers, ""):
		s.Violate("%s: a serial number is empty", endpoint)
		writeStatus(w, s.options.Product, "INVALID_DATA")
		return
	case number < first || size < 1 || size > largestSize:
		s.Violate("%s: page %d of %d devices cannot be asked for", endpoint, number, size)
		writeStatus(w, s.options.Product, "INVALID_DATA")
		return
	}
	if quirks.PageLimit > 0 {
		size = min(size, quirks.PageLimit)
	}
	found := s.find(asked.OS, asked.SerialNumbers)
	from := min((number-first)*size, len(found))
	if quirks.IgnoresPage {
		from = 0
	}
	of := found[from:min(from+size, len(found))]
	if len(of) == 0 && !quirks.EmptyList {
		writeStatus(w, s.options.Product, "DEVICES_NOTFOUND")
		return
	}
	records := make([]any, 0, len(of))
	for _, d := range of {
		records = append(records, quirks.record(d))
	}
	payload := map[string]any{"devices": records}
	if !quirks.WithoutPaging {
		rows := len(found)
		if quirks.RowsOfPage {
			rows = len(of)
		}
		if quirks.RowsTooMany {
			rows++
		}
		payload["rows"], payload["page"], payload["page_size"] = strconv.Itoa(rows), number, strconv.Itoa(size)
	}
	writePayload(w, s.options.Product, payload)
}

// find returns the devices that a request is for.
func (s *Server) find(os string, serials []string) []Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Device
	for _, d := range s.devices {
		if cmp.Or(d.OS, "mac") != os && !s.options.Quirks.IgnoresOS {
			continue
		}
		sameSerial := func(serial string) bool { return strings.EqualFold(serial, d.Serial) }
		if serials == nil || s.options.Quirks.IgnoresFilter || slices.ContainsFunc(serials, sameSerial) {
			found = append(found, d)
		}
	}
	return found
}

// record is a device as Mosyle writes it: every value is a text.
func (q Quirks) record(d Device) any {
	if d.Broken {
		return vendortest.Marker
	}
	status := "INSTALLED"
	if q.StatusIN {
		status = "IN"
	}
	record := map[string]any{
		"serial_number": d.Serial, "deviceudid": d.UDID, "device_name": d.Name, "device_model": d.Model, "device_model_name": d.ModelName,
		"os": cmp.Or(d.OS, "mac"), "osversion": d.OSVersion, "date_last_beat": seconds(d.LastBeat), "date_checkin": seconds(d.LastBeat),
		"date_info": seconds(d.LastBeat), "date_enroll": seconds(d.Enrolled), "is_deleted": flag(new(d.Deleted)), "is_supervised": flag(d.Supervised),
		"status": cmp.Or(d.Status, status), "enrollment_type": "DEP", "userid": d.User.ID, "username": d.User.Name, "useremail": d.User.Email,
		"usertype": d.User.Type, "location": d.Location, "asset_tag": d.AssetTag, "needosupdate": "0",
		"tags": strings.Join(d.Tags, ","), "CustomDeviceAttributes": q.attributes(d.Attributes),
	}
	if q.TagsAsList {
		record["tags"] = append([]string{}, d.Tags...)
	}
	for name, value := range d.Raw {
		record[name] = value
	}
	for _, name := range d.Without {
		delete(record, name)
	}
	return record
}

// attributes are a JSON document inside of a text.
func (q Quirks) attributes(all []Attribute) string {
	list := []map[string]any{}
	for i, a := range all {
		id := "UniqueID"
		if q.AttributeUniqueID {
			id = "CustomAttributeUniqueID"
		}
		list = append(list, map[string]any{"Name": a.Name, id: "id-" + strconv.Itoa(i+1), "Value": a.Value})
	}
	text, err := json.Marshal(list)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// seconds is a time in Unix seconds, as a text; empty where there is none.
func seconds(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.Unix(), 10)
}

// flag is "1" or "0"; empty where it is not known.
func flag(b *bool) string {
	switch {
	case b == nil:
		return ""
	case *b:
		return "1"
	}
	return "0"
}

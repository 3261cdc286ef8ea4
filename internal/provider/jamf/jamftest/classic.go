package jamftest

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Quirks are what the conversion of XML to JSON can do to a record of the Classic API.
type Quirks struct {
	// NumbersAsStrings writes IDs as strings.
	NumbersAsStrings bool `json:"numbers_as_strings,omitempty"`
	// StringsAsNumbers writes texts of nothing but digits as numbers.
	StringsAsNumbers bool `json:"strings_as_numbers,omitempty"`
	// SingleElements writes the one element of a list in place of the list.
	SingleElements bool `json:"single_elements,omitempty"`
	// EmptyContainers is written for empty lists and objects: "" or {}; by default [].
	EmptyContainers string `json:"empty_containers,omitempty"`
	// ManagedAsString writes "true" for true.
	ManagedAsString bool `json:"managed_as_string,omitempty"`
}

// classicSubsets are the parts of a record that can be asked for alone, in lower case.
func classicSubsets(computer bool) []string {
	if computer {
		return []string{
			"general", "location", "purchasing", "peripherals", "hardware", "certificates", "security", "software",
			"extensionattributes", "groupsaccounts", "iphones", "configurationprofiles",
		}
	}
	return []string{
		"general", "location", "purchasing", "applications", "security", "network", "certificates",
		"configurationprofiles", "provisioningprofiles", "mobiledevicegroups", "extensionattributes",
	}
}

// serveClassic answers with the first record that has the serial number, as the Classic API does.
// The path's parts come as they were sent.
func (s *Server) serveClassic(w http.ResponseWriter, r *http.Request, computer bool, rawSerial, rawSubset string) {
	serial, err := url.PathUnescape(rawSerial)
	if err != nil || strings.ContainsAny(serial, `/\`) || strings.Trim(serial, ".") == "" {
		s.Violate("classic: the serial number is not one part of the path")
		writeHTML(w, http.StatusBadRequest, "", "")
		return
	}
	subset, err := url.PathUnescape(rawSubset)
	wanted := strings.Split(strings.ToLower(subset), "&")
	for _, name := range wanted {
		if err != nil || subset != "" && !slices.Contains(classicSubsets(computer), name) {
			s.Violate("classic: there is no such subset")
			writeHTML(w, http.StatusBadRequest, "", "")
			return
		}
	}
	if r.URL.RawQuery != "" {
		s.Violate("classic: a query is not understood")
	}
	devices := s.devices(computer)
	i := slices.IndexFunc(devices, func(d Device) bool { return sameText(d.Serial, serial) })
	if i < 0 {
		writeHTML(w, http.StatusNotFound, "", "")
		return
	}
	if !strings.Contains(r.Header.Get("Accept"), "application/json") {
		s.Violate("classic: the request does not ask for JSON, so XML is the answer")
		writeXML(w, devices[i])
		return
	}
	record := s.classicRecord(devices[i])
	if subset != "" {
		for name := range record {
			if !slices.Contains(wanted, strings.ReplaceAll(name, "_", "")) {
				delete(record, name)
			}
		}
	}
	root := "mobile_device"
	if computer {
		root = "computer"
	}
	writeJSON(w, http.StatusOK, map[string]any{root: record})
}

func writeXML(w http.ResponseWriter, d Device) {
	var serial bytes.Buffer
	if err := xml.EscapeText(&serial, []byte(d.Serial)); err != nil {
		writeHTML(w, http.StatusInternalServerError, "", "")
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><device><general><serial_number>%s</serial_number></general></device>`, &serial)
}

func (s *Server) classicRecord(d Device) map[string]any {
	q := s.options.Quirks
	general := map[string]any{
		"id": q.number(d.ID), "name": q.text(d.Name), "display_name": q.text(d.Name), "serial_number": q.text(d.Serial),
		"udid": d.UDID, "supervised": d.Supervised, "site": map[string]any{"id": q.number("-1"), "name": "None"},
	}
	location := map[string]any{
		"username": q.text(d.User.Username), "realname": q.text(d.User.RealName), "real_name": q.text(d.User.RealName), "email_address": d.User.Email,
		"position": q.text(d.User.Position), "phone": q.text(d.User.Phone), "phone_number": q.text(d.User.Phone),
		"department": q.text(d.User.Department), "building": "", "room": q.text(d.User.Room),
	}
	_, _, encrypted := d.Details.fileVault()
	if !d.Computer {
		general["device_name"] = q.text(d.Name)
		general["os_type"], general["managed"] = "iOS", q.truth(d.Managed)
		general["os_version"], general["device_ownership_level"] = q.text(d.Details.osVersion("18")), cmp.Or(d.Details.Ownership, "Institutional")
		general["model"], general["model_identifier"], general["model_display"] = padModel, "iPad13,18", padModel
		q.epoch(general, "last_inventory_update", d.Details.lastContact())
		q.epoch(general, "last_enrollment", d.Details.lastEnrolled())
		var groups []any
		for _, g := range d.Groups {
			groups = append(groups, map[string]any{"id": q.number(s.groupID(g.Name)), "name": q.text(g.Name)})
		}
		return map[string]any{
			"general": general, "location": q.object(location, d.User), "mobile_device_groups": q.list(groups),
			"security": map[string]any{"data_protection": q.truth(d.Details.Encrypted)}, "extension_attributes": q.classicAttributes(d),
		}
	}
	general["platform"] = "Mac"
	general["remote_management"] = map[string]any{"managed": q.truth(d.Managed), "management_username": ""}
	q.epoch(general, "last_contact_time", d.Details.lastContact())
	q.epoch(general, "last_enrolled_date", d.Details.lastEnrolled())
	boot := map[string]any{"name": "Macintosh HD (Boot Partition)", "type": "boot", "filevault_status": encrypted, "filevault2_status": encrypted}
	var names []any
	for _, g := range d.Groups {
		names = append(names, q.text(g.Name))
	}
	return map[string]any{
		"general":  general,
		"location": q.object(location, d.User),
		"hardware": map[string]any{
			"model": macModel, "model_identifier": "Mac15,12", "os_name": "macOS", "os_version": q.text(d.Details.osVersion("15")),
			"storage": q.list([]any{map[string]any{"disk": "disk0", "partitions": q.list([]any{boot})}}),
		},
		"extension_attributes": q.classicAttributes(d),
		"groups_accounts": map[string]any{
			"computer_group_memberships": q.list(names), "local_accounts": q.list(nil),
		},
	}
}

func (q Quirks) number(digits string) any {
	if n, err := strconv.Atoi(digits); err == nil && !q.NumbersAsStrings {
		return n
	}
	return digits
}

func (q Quirks) text(text string) any {
	if n, err := strconv.Atoi(text); err == nil && q.StringsAsNumbers && regexp.MustCompile(`^[1-9][0-9]{0,14}$`).MatchString(text) {
		return n
	}
	return text
}

func (q Quirks) truth(b *bool) any {
	switch {
	case b == nil:
		return nil
	case q.ManagedAsString:
		return strconv.FormatBool(*b)
	}
	return *b
}

func (q Quirks) empty() any {
	switch q.EmptyContainers {
	case "{}":
		return map[string]any{}
	case `""`:
		return ""
	}
	return []any{}
}

func (q Quirks) list(elements []any) any {
	switch {
	case len(elements) == 0:
		return q.empty()
	case len(elements) == 1 && q.SingleElements:
		return elements[0]
	}
	return elements
}

// object is empty where there is no user, but only with the quirk.
func (q Quirks) object(full map[string]any, u User) any {
	if q.EmptyContainers != "" && u == (User{}) {
		return q.empty()
	}
	return full
}

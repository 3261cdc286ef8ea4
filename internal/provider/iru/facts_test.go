package iru_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/iru"
	"step-posture-connector/internal/provider/iru/irutest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// wantFacts is what is known of mac.
func wantFacts(t *testing.T) map[string]any {
	t.Helper()
	version, err := posture.ParseVersion("15.5")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{
		"device.identifier": macSerial, "device.serial_number": macSerial, "device.udid": "5B1D6C1E-7C0B-5E0E-9A55-0C7D1B0A9F11",
		"device.name": "mac-ana-01", "device.model": "MacBook Air (13-inch, M3, 2024)", "device.type": "computer", "device.os": "macOS",
		"device.os_version": version, "device.managed": true, "device.supervised": true, "device.encrypted": true,
		"device.last_seen":   time.Date(2026, 7, 29, 8, 31, 45, 0, time.UTC),
		"device.enrolled_at": time.Date(2025, 2, 3, 9, 0, 0, 0, time.UTC),
		"device.groups":      []string{"wifi", "pilot", "Engineering", "blueprint:Engineering"},
		"device.attributes": map[string]string{
			"asset_tag": "A-1009", "blueprint_id": "0d7e", "device_id": "9b2f6f52-0000-4000-8000-000000000001", "agent_version": "4.7.2",
			"supplemental_build_version": "24F74", "is_missing": "false", "is_removed": "false", "agent_installed": "true", "user_is_archived": "false",
		},
		"user.username": "ana@example.com", "user.realname": "Ana Example", "user.email_address": "ana@example.com",
	}
}

// pageFacts are the rows of the page's table of facts: the fields that it names, or "never known".
func pageFacts(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/providers/iru.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `((?:device|user)\\.[a-z_]+)` \\| (.+) \\|$").FindAllStringSubmatch(string(text), -1) {
		rows[m[1]] = m[2]
	}
	return rows
}

// TestFullRecord: every fact that the page has is known, and no other one.
func TestFullRecord(t *testing.T) {
	t.Parallel()
	server := started(t, irutest.Options{Devices: []irutest.Device{mac(macSerial, "wifi", "pilot"), phone(phoneSerial)}})
	got, want, page := known(reads(t, reading(t, configOf(server)), macSerial)), wantFacts(t), pageFacts(t)
	for _, d := range posture.Vocabulary() {
		if !reflect.DeepEqual(got[d.Name], want[d.Name]) {
			t.Errorf("%s is %v, want %v", d.Name, got[d.Name], want[d.Name])
		}
		row, listed := page[d.Name]
		if _, is := got[d.Name]; !listed || is == strings.HasPrefix(row, "never known") || is != (iru.Config{}).Facts().Has(d.Set()) {
			t.Errorf("%s is known: %v; the page says %q, Facts %v", d.Name, is, row, (iru.Config{}).Facts().Has(d.Set()))
		}
		delete(page, d.Name)
	}
	if len(page) > 0 {
		t.Errorf("the page has facts that do not exist: %v", page)
	}
	if phone := known(reads(t, reading(t, configOf(server)), phoneSerial)); phone["device.encrypted"] != nil || phone["device.os"] != "iOS" || phone["device.supervised"] != true {
		t.Errorf("of a phone is known %v, want no encryption", phone)
	}
}

// TestPageFields: each field that the page names changes the fact, where it is another value or missing.
func TestPageFields(t *testing.T) {
	t.Parallel()
	server := tolerant(t, irutest.Options{})
	provider := reading(t, configOf(server))
	for name, row := range pageFacts(t) {
		for _, m := range regexp.MustCompile("`([a-z_.]+)`").FindAllStringSubmatch(strings.Split(row, ";")[0], -1) {
			field, raw := m[1], map[string]json.RawMessage{}
			section, member, inDetails := strings.Cut(field, ".")
			d := mac(macSerial, "wifi")
			switch {
			case inDetails && section != "user":
				raw[section] = json.RawMessage(fmt.Sprintf(`{%q:[7],"serial_number":%q}`, member, macSerial))
				d.RawDetails = raw
			case section == "serial_number" || section == "device_id":
				continue // without them there is no record
			default:
				raw[section] = json.RawMessage(`[7]`)
				d.Raw = raw
			}
			server.Replace(d)
			before, after := wantFacts(t)[name], known(reads(t, provider, macSerial))[name]
			if reflect.DeepEqual(before, after) {
				t.Errorf("%s is %v also where %s is no text", name, after, field)
			}
		}
	}
}

// TestOddRecords: what a record does not say, or says in another form, is unknown.
func TestOddRecords(t *testing.T) {
	t.Parallel()
	raw := func(pairs ...string) irutest.Device {
		d := mac(macSerial, "wifi")
		d.Raw = map[string]json.RawMessage{}
		for i := 0; i < len(pairs); i += 2 {
			d.Raw[pairs[i]] = json.RawMessage(pairs[i+1])
		}
		return d
	}
	without := func(names ...string) irutest.Device {
		d := mac(macSerial, "wifi")
		d.Omit = names
		return d
	}
	changed := func(change func(*irutest.Device)) irutest.Device {
		d := mac(macSerial, "wifi")
		change(&d)
		return d
	}
	server := started(t, irutest.Options{})
	c := configOf(server)
	c.ReadFacts()
	provider, err := iru.Unlimited(c)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		device irutest.Device
		fact   string
		want   any // nil is unknown
	}{
		"MDM off":                   {raw("mdm_enabled", "false"), "device.managed", false},
		"MDM not said":              {changed(func(d *irutest.Device) { d.MDMEnabled = nil }), "device.managed", nil},
		"MDM null":                  {raw("mdm_enabled", "null"), "device.managed", nil},
		"MDM a text":                {raw("mdm_enabled", `"true"`), "device.managed", nil},
		"MDM one":                   {raw("mdm_enabled", `1`), "device.managed", nil},
		"removed":                   {raw("is_removed", "true"), "device.managed", false},
		"removed, MDM not said":     {raw("is_removed", "true", "mdm_enabled", "null"), "device.managed", false},
		"removed null":              {raw("is_removed", "null"), "device.managed", nil},
		"removed not said":          {without("is_removed"), "device.managed", nil},
		"tags null":                 {raw("tags", "null"), "device.groups", nil},
		"tags missing":              {without("tags"), "device.groups", nil},
		"tags a text":               {raw("tags", `"wifi"`), "device.groups", nil},
		"tags an object":            {raw("tags", `{"wifi":true}`), "device.groups", nil},
		"a tag null":                {raw("tags", `["wifi",null]`), "device.groups", nil},
		"a tag empty":               {raw("tags", `["wifi",""]`), "device.groups", nil},
		"a tag a number":            {raw("tags", `["wifi",7]`), "device.groups", nil},
		"a tag an object":           {raw("tags", `[{"name":"wifi"}]`), "device.groups", nil},
		"a tag like the blueprint":  {raw("tags", `["wifi","blueprint:Engineering"]`), "device.groups", nil},
		"a tag like a blueprint":    {raw("tags", `["blueprint:Executives"]`), "device.groups", nil},
		"blueprint missing":         {without("blueprint_name"), "device.groups", nil},
		"blueprint an object":       {raw("blueprint_name", `{"name":"Engineering"}`), "device.groups", nil},
		"blueprint null":            {raw("blueprint_name", "null"), "device.groups", []string{"wifi"}},
		"blueprint empty":           {raw("blueprint_name", `""`), "device.groups", []string{"wifi"}},
		"neither":                   {raw("blueprint_name", `""`, "tags", "[]"), "device.groups", []string{}},
		"tag of the blueprint name": {raw("blueprint_name", `""`, "tags", `["Engineering"]`), "device.groups", []string{"Engineering"}},
		"no user":                   {changed(func(d *irutest.Device) { d.User = nil }), "user.realname", nil},
		"user null":                 {raw("user", "null"), "user.email_address", nil},
		"user a list":               {raw("user", `["ana"]`), "user.username", nil},
		"email empty":               {raw("user", `{"name":"Ana","email":""}`), "user.username", nil},
		"never seen":                {changed(func(d *irutest.Device) { d.LastCheckIn = "" }), "device.last_seen", nil},
		"seen in the other form":    {raw("last_check_in", `"2026-07-29 08:31:45.5+00:00"`), "device.last_seen", time.Date(2026, 7, 29, 8, 31, 45, 0, time.UTC)},
		"seen in 1970":              {raw("last_check_in", `"1970-01-01T00:00:00Z"`), "device.last_seen", nil},
		"seen in the future":        {raw("last_check_in", `"2999-01-01T00:00:00Z"`), "device.last_seen", nil},
		"enrolled in another zone":  {raw("last_enrollment", `"2025-02-03 11:00:00+02:00"`), "device.enrolled_at", time.Date(2025, 2, 3, 9, 0, 0, 0, time.UTC)},
		"enrolled without zone":     {raw("last_enrollment", `"2025-02-03 09:00:00"`), "device.enrolled_at", nil},
		"enrolled empty":            {raw("last_enrollment", `""`), "device.enrolled_at", nil},
		"another version":           {raw("os_version", `"15.5 (a)"`), "device.os_version", nil},
		"platform of another case":  {raw("platform", `"mac"`), "device.os", nil},
		"platform unknown":          {raw("platform", `"Fridge"`), "device.type", nil},
		"platform null":             {raw("platform", `null`), "device.os", nil},
		"Windows":                   {raw("platform", `"Windows"`), "device.os", "Windows"},
		"Windows, encryption":       {raw("platform", `"Windows"`), "device.encrypted", nil},
		"iPad":                      {raw("platform", `"iPad"`), "device.os", "iPadOS"},
		"AppleTV":                   {raw("platform", `"AppleTV"`), "device.os", "tvOS"},
		"AppleTV, type":             {raw("platform", `"AppleTV"`), "device.type", "mobiledevice"},
		"Vision":                    {raw("platform", `"Vision"`), "device.os", "visionOS"},
		"Android":                   {raw("platform", `"Android"`), "device.os", "Android"},
		"supervised not said":       {changed(func(d *irutest.Device) { d.Supervised = nil }), "device.supervised", nil},
		"not supervised":            {changed(func(d *irutest.Device) { d.Supervised = new(false) }), "device.supervised", false},
		"supervised yes": {changed(func(d *irutest.Device) {
			d.RawDetails = map[string]json.RawMessage{"mdm": json.RawMessage(`{"supervised":"Yes"}`)}
		}), "device.supervised", nil},
		"supervised a truth value": {changed(func(d *irutest.Device) {
			d.RawDetails = map[string]json.RawMessage{"mdm": json.RawMessage(`{"supervised":false}`)}
		}), "device.supervised", false},
		"no section mdm":     {changed(func(d *irutest.Device) { d.OmitDetails = []string{"mdm"} }), "device.supervised", nil},
		"FileVault not said": {changed(func(d *irutest.Device) { d.FileVault = nil }), "device.encrypted", nil},
		"FileVault off":      {changed(func(d *irutest.Device) { d.FileVault = new(false) }), "device.encrypted", false},
		"section filevault null": {changed(func(d *irutest.Device) {
			d.RawDetails = map[string]json.RawMessage{"filevault": json.RawMessage("null")}
		}), "device.encrypted", nil},
		"no UDID": {changed(func(d *irutest.Device) { d.UDID = "" }), "device.udid", nil},
	} {
		server.Replace(row.device)
		if got := known(reads(t, provider, macSerial))[row.fact]; !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s: %s is %v, want %v", name, row.fact, got, row.want)
		}
	}
	missing := raw("is_missing", "true", "lost_mode_status", `"ENABLED"`, "asset_tag", "null")
	server.Replace(missing)
	attributes, _ := reads(t, provider, macSerial).Facts.Attributes.Get()
	if _, has := attributes["asset_tag"]; has || attributes["is_missing"] != "true" || attributes["lost_mode_status"] != "ENABLED" {
		t.Errorf("the attributes are %v", attributes)
	}
}

// TestRecordedAndNotAnswered: what is only recorded does not take the time of the lookup where the server hangs.
func TestRecordedAndNotAnswered(t *testing.T) {
	t.Parallel()
	server := started(t, irutest.Options{Devices: []irutest.Device{mac(macSerial)}})
	server.Fail(vendortest.Fault{Kind: vendortest.Hang}, irutest.Details)
	q := query(t, macSerial, posture.AllFacts())
	q.Recorded = q.Facts
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	if d, err := reading(t, configOf(server)).Lookup(ctx, q); err != nil || d.Identifier != macSerial {
		t.Errorf("Lookup = %q, %v, want the device", d.Identifier, err)
	}
}

package mosyle_test

import (
	"fmt"
	"maps"
	"reflect"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/mosyle/mosyletest"
)

// full is a record in which everything is known.
func full() mosyletest.Device {
	return mosyletest.Device{
		Serial: macSerial, UDID: "5B1D6C1E-7C0B-5E0E-9A55-0C7D1B0A9F11", Name: "mac-ana-01", Model: "Mac15,12", ModelName: "MacBook Air", OSVersion: "15.5",
		Supervised: new(true), LastBeat: time.Unix(1785313905, 0), Enrolled: time.Unix(1738573200, 0), Location: "HQ", AssetTag: "A-1009",
		User: mosyletest.User{ID: "ana", Name: "Ana Example", Email: "ana@example.com", Type: "Employee"}, Tags: []string{"wifi", "pilot"},
		Attributes: []mosyletest.Attribute{{Name: "cost_center", Value: "42"}, {Name: "floor", Value: 3}, {Name: "lists", Value: []string{"a", "b"}}},
	}
}

// TestFacts: each fact comes from its field, in both products, and in lists as in lookups.
func TestFacts(t *testing.T) {
	t.Parallel()
	version, err := posture.ParseVersion("15.5")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"device.identifier": macSerial, "device.serial_number": macSerial, "device.udid": "5B1D6C1E-7C0B-5E0E-9A55-0C7D1B0A9F11",
		"device.name": "mac-ana-01", "device.model": "MacBook Air", "device.type": "computer", "device.os": "macOS", "device.os_version": version,
		"device.managed": true, "device.supervised": true, "device.last_seen": time.Unix(1785313905, 0).UTC(), "device.enrolled_at": time.Unix(1738573200, 0).UTC(),
		"device.groups": []string{"wifi", "pilot"},
		"device.attributes": map[string]string{
			"cost_center": "42", "floor": "3", "lists": `["a","b"]`, "location": "HQ", "asset_tag": "A-1009", "usertype": "Employee",
			"enrollment_type": "DEP", "needosupdate": "0",
		},
		"user.username": "ana", "user.realname": "Ana Example", "user.email_address": "ana@example.com",
	}
	for _, product := range products() {
		for _, asList := range []bool{false, true} {
			server := started(t, mosyletest.Options{Product: product, Quirks: mosyletest.Quirks{TagsAsList: asList, AttributeUniqueID: asList}, Devices: []mosyletest.Device{full()}})
			provider := opened(t, configOf(server, product))
			device := finds(t, provider, macSerial, posture.Computer)
			for _, d := range posture.Vocabulary() {
				value, known := d.Get(&device)
				if expected, has := want[d.Name]; known != has || !reflect.DeepEqual(value, expected) {
					t.Errorf("%s: %s is %v (known: %v), want %v", product, d.Name, value, known, expected)
				}
			}
		}
	}
}

// valueOf looks the full record up after a change, and returns one of its facts as a text; "unknown" where it is unknown.
func valueOf(t *testing.T, fact string, raw map[string]any, without ...string) string {
	t.Helper()
	d := full()
	d.Raw, d.Without = raw, without
	server := started(t, mosyletest.Options{Devices: []mosyletest.Device{d}})
	device, err := lookup(t, opened(t, configOf(server, mosyletest.Business)), macSerial, posture.Computer)
	if err != nil {
		return err.Error()
	}
	for _, d := range posture.Vocabulary() {
		if d.Name != fact {
			continue
		}
		if value, known := d.Get(&device); known {
			return fmt.Sprint(value)
		}
	}
	return "unknown"
}

// TestOddValues: a value that does not say something for certain says nothing.
func TestOddValues(t *testing.T) {
	t.Parallel()
	const unknown = "unknown"
	for _, row := range []struct {
		fact, field string
		values      map[any]string
	}{
		{"device.managed", "status", map[any]string{
			"IN": "true", "INSTALLED": "true", "in": unknown, "installed": unknown, "OUT": unknown, "REMOVED": unknown, "": unknown, nil: unknown, 1: unknown, true: unknown, "INSTALLED ": unknown,
		}},
		{"device.managed", "is_deleted", map[any]string{
			"0": "true", "1": "false", 0: "true", 1: "false", "": "true", nil: unknown, "2": unknown, "true": unknown, true: unknown, "yes": unknown, " 1": unknown,
		}},
		{"device.supervised", "is_supervised", map[any]string{"1": "true", "0": "false", 1: "true", "": unknown, nil: unknown, "true": unknown, true: unknown, "2": unknown}},
		{"device.last_seen", "date_last_beat", map[any]string{
			"1785313905": "2026-07-29 08:31:45 +0000 UTC", 1785313905: "2026-07-29 08:31:45 +0000 UTC", "0": unknown, "": unknown, nil: unknown, "-1": unknown,
			"1785313905.5": unknown, "2026-07-29T08:31:45Z": unknown, "1785313905000": unknown, "99999999999999999999": unknown, "never": unknown,
		}},
		{"device.enrolled_at", "date_enroll", map[any]string{"1738573200": "2025-02-03 09:00:00 +0000 UTC", "": unknown, nil: unknown}},
		{"device.os", "os", map[any]string{"mac": "macOS", "macos": "macOS", "macOS": "macOS", "windows": unknown, "": unknown, nil: unknown, 1: unknown}},
		{"device.os_version", "osversion", map[any]string{"15.5": "15.5", "15.5 beta": unknown, "": unknown, nil: unknown, 15: unknown}},
		{"device.model", "device_model_name", map[any]string{"": "Mac15,12", nil: "Mac15,12", "iMac": "iMac"}},
		{"user.username", "userid", map[any]string{"ana": "ana", "": unknown, nil: unknown, 7: unknown}},
		{"user.realname", "username", map[any]string{"Ana": "Ana", "": unknown, nil: unknown}},
		{"user.email_address", "useremail", map[any]string{"a@b.c": "a@b.c", "": unknown, nil: unknown}},
		{"device.name", "device_name", map[any]string{"x": "x", "": unknown, nil: unknown, true: unknown}},
		{"device.udid", "deviceudid", map[any]string{"x": "x", "": unknown, nil: unknown}},
		{"device.groups", "tags", map[any]string{"": "[]", "a": "[a]", " a , b,,": "[a b]", nil: unknown, 7: unknown, true: unknown}},
	} {
		for value, want := range row.values {
			if got := valueOf(t, row.fact, map[string]any{row.field: value}); got != want {
				t.Errorf("with %s %#v, %s is %q, want %q", row.field, value, row.fact, got, want)
			}
		}
		if got := valueOf(t, row.fact, nil, row.field); got != unknown && row.field != "is_deleted" && row.field != "device_model_name" {
			t.Errorf("without %s, %s is %q, want it unknown", row.field, row.fact, got)
		}
	}
	for _, list := range []any{[]any{"a", nil}, []any{"a", 1}, []any{"a", ""}, []any{[]any{"a"}}, map[string]any{"a": "b"}} {
		if got := valueOf(t, "device.groups", map[string]any{"tags": list}); got != unknown {
			t.Errorf("with tags %v, the groups are %q, want them unknown", list, got)
		}
	}
	if got := valueOf(t, "device.groups", map[string]any{"tags": []any{}}); got != "[]" {
		t.Errorf("with no tags, the groups are %q, want none", got)
	}
}

// TestKinds: Mosyle says ios for iPhones and iPads; the model tells them apart.
func TestKinds(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ os, word, model, name, want string }{
		{"ios", "ios", "iPad13,18", "", "iPadOS"},
		{"ios", "iOS", "iPad", "", "iPadOS"},
		{"ios", "ios", "iPhone17,1", "", "iOS"},
		{"ios", "ios", "", "iPod touch", "iOS"},
		{"ios", "ios", "", "iPad Air", "iPadOS"},
		{"ios", "ipados", "", "", "iPadOS"},
		{"ios", "ios", "", "", ""},
		{"ios", "ios", "iPhone17,1", "iPad Air", ""},
		{"tvos", "tvos", "AppleTV14,1", "", "tvOS"},
		{"visionos", "visionos", "RealityDevice14,1", "", "visionOS"},
	} {
		d := ofKind(padSerial, row.os)
		d.Model, d.ModelName, d.Raw = row.model, row.name, map[string]any{"os": row.word}
		server := started(t, mosyletest.Options{Devices: []mosyletest.Device{d}})
		device := finds(t, opened(t, configOf(server, mosyletest.Business)), padSerial, posture.MobileDevice)
		if os, _ := device.Facts.OS.Get(); os != row.want || device.Type != posture.MobileDevice {
			t.Errorf("%s, %q, %q: the operating system is %q, and the type %q, want %q, a mobile device", row.word, row.model, row.name, os, device.Type, row.want)
		}
	}
}

// TestAttributes: custom attributes are a document inside of a text. One that cannot be read makes all of them unknown.
func TestAttributes(t *testing.T) {
	t.Parallel()
	own := map[string]string{"location": "HQ", "asset_tag": "A-1009", "usertype": "Employee", "enrollment_type": "DEP", "needosupdate": "0"}
	for value, more := range map[any]map[string]string{
		"":   {},
		nil:  {},
		" ":  {},
		"[]": {},
		`[{"Name":"a","UniqueID":"x","Value":"1"},{"Name":"b","CustomAttributeUniqueID":"y","Value":true}]`:     {"a": "1", "b": "true"},
		`[{"Name":"a","Value":""},{"Name":"b","Value":null},{"Name":"c"},{"Name":"d","Value":{"e": 1}}]`:        {"d": `{"e":1}`},
		`[{"Name":"a","Value":"1"},{"Name":"a","Value":"1"},{"Name":"b","Value":"1"},{"Name":"b","Value":"2"}]`: {"a": "1"},
		`[{"Name":"a","Value":"1"},{"Name":"a","Value":""}]`:                                                    {},
		// What a script on the device may set is never taken for what Mosyle says.
		`[{"Name":"location","Value":"Vault"},{"Name":"DeviceAttestationStatus","Value":"ok"},{"Name":"LOCATION","Value":"x"}]`: {"LOCATION": "x"},
		"not JSON": nil, "{}": nil, "7": nil, `"[]"`: nil, "[": nil, `[1]`: nil, `[{"Value":"1"}]`: nil, `[{"Name":"","Value":"1"}]`: nil, `[{"Name":7,"Value":"1"}]`: nil,
		`[{"Name":"a","Name":"b","Value":"1"}]`: nil, `[] []`: nil, true: nil, 7: nil,
	} {
		want := "unknown"
		if more != nil {
			all := maps.Clone(own)
			maps.Copy(all, more)
			want = fmt.Sprint(all)
		}
		if got := valueOf(t, "device.attributes", map[string]any{"CustomDeviceAttributes": value}); got != want {
			t.Errorf("with %v, the attributes are %v, want %v", value, got, want)
		}
	}
	list := []any{map[string]any{"Name": "a", "Value": "1"}}
	if got := valueOf(t, "device.attributes", map[string]any{"CustomDeviceAttributes": list, "location": nil, "asset_tag": ""}); got != "map[a:1 enrollment_type:DEP needosupdate:0 usertype:Employee]" {
		t.Errorf("with the document itself, the attributes are %v", got)
	}
}

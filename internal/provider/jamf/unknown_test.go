package jamf_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// removed stands for a member that is missing.
const removed = "removed"

// changed edits the record in an answer: each of the fields gets the value, which is JSON.
func changed(value string, fields ...string) vendortest.Fault {
	return vendortest.Fault{Kind: vendortest.Edit, Change: func(body []byte) []byte {
		var answer map[string]any
		if json.Unmarshal(body, &answer) != nil {
			return body
		}
		for _, field := range fields {
			set(recordOf(answer), strings.Split(field, "."), value)
		}
		body, _ = json.Marshal(answer)
		return body
	}}
}

// recordOf is the record in an answer of any of the endpoints.
func recordOf(answer map[string]any) map[string]any {
	for _, root := range []string{"computer", "mobile_device"} {
		if record, ok := answer[root].(map[string]any); ok {
			return record
		}
	}
	if results, ok := answer["results"].([]any); ok && len(results) > 0 {
		return results[0].(map[string]any)
	}
	return nil
}

// set changes a member, or adds it to an object that exists.
func set(record map[string]any, path []string, value string) {
	for _, name := range path[:len(path)-1] {
		record, _ = record[name].(map[string]any)
	}
	name := path[len(path)-1]
	switch {
	case record == nil:
	case value == removed:
		delete(record, name)
	default:
		record[name] = json.RawMessage(value)
	}
}

// wrongValues are values with which a fact is unknown, or the answer none. The Classic API makes numbers and truth values of
// texts, and single elements and empty containers of lists, so there such values are right.
func wrongValues(d *posture.Definition, api string) []string {
	all := []string{removed, "null"}
	if api == "classic" {
		switch d.Type {
		case posture.VersionFact:
			return append(all, `{}`, `""`, `15.1`, `true`, `"13.4.1 (a)"`, `["15"]`)
		case posture.ListFact:
			return append(all, `[null]`, `[{}]`, `[""]`, `["a",{}]`)
		case posture.AttributesFact:
			return append(all, `7`, `true`, `"x"`)
		case posture.TextFact, posture.BoolFact, posture.TimeFact: // as below
		}
	}
	texts := map[string][]string{
		"device.os":        {`"macos"`, `"Mac OS X"`, `"MacOS"`},
		"device.ownership": {`"AccountDrivenDeviceEnrollment"`, `"institutional"`},
		"device.encrypted": {`"UNKNOWN"`, `"NOT_APPLICABLE"`, `"SOME_ENCRYPTED"`, `"RESTART_NEEDED"`, `"yes"`},
	}
	all = append(all, texts[d.Name]...)
	switch d.Type {
	case posture.TextFact:
		all = append(all, `""`, `{}`, `[]`, `["x"]`)
		if api == "pro" {
			all = append(all, `7`, `true`)
		}
	case posture.BoolFact:
		all = append(all, `""`, `{}`, `[]`, `7`, `1`, `"yes"`, `[true]`)
		if api == "pro" && d.Name != "device.managed" {
			all = append(all, `"true"`)
		}
	case posture.VersionFact:
		all = append(all, `""`, `{}`, `15`, `15.1`, `"13.4.1 (a)"`, `"1.2.3.4.5"`, `"15.4-beta"`, `"4294967296"`)
	case posture.TimeFact:
		future := time.Now().Add(25 * time.Hour)
		all = append(all, `""`, `{}`, `0`, `-1`, `true`, `"yesterday"`, `"1970-01-01T00:00:00Z"`, `"0001-01-01T00:00:00Z"`, `"2026-07-29 10:31:45"`,
			`"`+future.Format(time.RFC3339)+`"`, fmt.Sprint(future.UnixMilli()), `99999999999999999999`)
	case posture.ListFact:
		all = append(all, `{}`, `""`, `7`, `[null]`, `[{}]`, `[{"groupName":""}]`, `[{"groupName":"a"},{"groupName":{}}]`, `["a"]`)
	case posture.AttributesFact:
		all = append(all, `7`, `true`, `"x"`)
	}
	return all
}

// TestFactsAreUnknown: where the fields that the page names have nothing that can be believed, the fact is unknown, and no
// other becomes so that does not come from the same fields.
func TestFactsAreUnknown(t *testing.T) {
	t.Parallel()
	listed := readPage(t)
	all := versions()
	// The names of fields are the same in the versions between the oldest and the newest.
	for _, name := range []string{"pro 10.49", "pro 11.30", "classic", "classic, other quirks"} {
		v := all[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v.options.Devices = full()
			server := started(t, v.options)
			provider := reading(t, configOf(server, v.api))
			for serial, of := range map[string]posture.DeviceType{macSerial: posture.Computer, phoneSerial: posture.MobileDevice} {
				before := known(reads(t, provider, serial, of, posture.AllFacts()))
				for _, d := range posture.Vocabulary() {
					fields := listed[v.api][of][d.Name].fields
					if len(fields) == 0 || d.Name == "device.identifier" || d.Name == "device.serial_number" {
						continue // without a serial number no record is the device's
					}
					for _, value := range wrongValues(d, v.api) {
						server.Fail(changed(value, fields...), lookupEndpoints()...)
						device, err := lookupAll(t, provider, serial, of)
						server.Heal()
						if err != nil {
							if value == removed || value == "null" {
								t.Errorf("%s %s: Lookup = %v, want the device", d.Name, value, err)
							}
							continue
						}
						after := known(device)
						if got, is := after[d.Name]; is {
							t.Errorf("%s: with %s, %s is %v, want it to be unknown", of, value, d.Name, got)
						}
						for other := range before {
							if other != d.Name && !shares(listed[v.api][of][other].fields, fields) && !reflect.DeepEqual(after[other], before[other]) {
								t.Errorf("%s: with another %s, %s is %v, want %v", of, d.Name, other, after[other], before[other])
							}
						}
					}
				}
			}
		})
	}
}

func lookupAll(t *testing.T, provider posture.Provider, serial string, of posture.DeviceType) (posture.Device, error) {
	t.Helper()
	q := query(t, serial, of)
	q.Facts = posture.AllFacts()
	return provider.Lookup(t.Context(), q)
}

func shares(a, b []string) bool {
	return slices.ContainsFunc(a, func(field string) bool { return slices.Contains(b, field) })
}

// TestFactsFromFields: what the fields of an answer make of a fact.
func TestFactsFromFields(t *testing.T) {
	t.Parallel()
	const boot, all = "diskEncryption.bootPartitionEncryptionDetails.partitionFileVault2State", "operatingSystem.fileVault2Status"
	utc := func(text string) time.Time {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return at.UTC()
	}
	for _, row := range []struct {
		api    string
		of     posture.DeviceType
		fields map[string]string
		fact   string
		want   any // nil: unknown
	}{
		{"pro", posture.Computer, map[string]string{boot: `"ENCRYPTED"`, all: `"NOT_APPLICABLE"`}, "device.encrypted", true},
		{"pro", posture.Computer, map[string]string{boot: `"UNKNOWN"`, all: `"BOOT_ENCRYPTED"`}, "device.encrypted", true},
		{"pro", posture.Computer, map[string]string{boot: `"ENCRYPTED"`, all: `"SOME_ENCRYPTED"`}, "device.encrypted", true},
		{"pro", posture.Computer, map[string]string{boot: removed, all: `"ALL_ENCRYPTED"`}, "device.encrypted", true},
		{"pro", posture.Computer, map[string]string{"diskEncryption": "null"}, "device.encrypted", true},
		{"pro", posture.Computer, map[string]string{"diskEncryption": "[]", "operatingSystem": `""`}, "device.encrypted", nil},
		{"pro", posture.Computer, map[string]string{boot: `"ENCRYPTING"`, all: `"NOT_ENCRYPTED"`}, "device.encrypted", false},
		{"pro", posture.Computer, map[string]string{boot: `"DECRYPTING"`, all: removed}, "device.encrypted", false},
		{"pro", posture.Computer, map[string]string{boot: `"DECRYPTING"`, all: `"ALL_ENCRYPTED"`}, "device.encrypted", nil},
		{"pro", posture.Computer, map[string]string{boot: `"ENCRYPTED"`, all: `"NOT_ENCRYPTED"`}, "device.encrypted", nil},
		{"pro", posture.MobileDevice, map[string]string{"security.dataProtected": "false"}, "device.encrypted", false},
		{"pro", posture.MobileDevice, map[string]string{"deviceType": `"tvOS"`}, "device.os", "tvOS"},
		{"pro", posture.MobileDevice, map[string]string{"deviceType": `"visionOS"`}, "device.os", "visionOS"},
		{"pro", posture.MobileDevice, map[string]string{"deviceType": `"unknown"`}, "device.os", nil},
		{"pro", posture.MobileDevice, map[string]string{"hardware.modelIdentifier": `"iPhone17,1"`}, "device.os", "iOS"},
		{"pro", posture.MobileDevice, map[string]string{"hardware.modelIdentifier": `"iPod9,1"`}, "device.os", "iOS"},
		{"pro", posture.MobileDevice, map[string]string{"hardware.modelIdentifier": "null"}, "device.os", "iPadOS"},
		{"pro", posture.MobileDevice, map[string]string{"hardware.modelIdentifier": "null", "hardware.model": "null"}, "device.os", nil},
		{"pro", posture.MobileDevice, map[string]string{"hardware.modelIdentifier": `"AppleTV14,1"`}, "device.os", nil},
		{"pro", posture.MobileDevice, map[string]string{"general.osVersion": `"12.5.7"`}, "device.os", "iOS"},
		{"pro", posture.MobileDevice, map[string]string{"general.osVersion": `"13.1"`}, "device.os", "iPadOS"},
		{"pro", posture.MobileDevice, map[string]string{"general.deviceOwnershipType": `"UserEnrollment"`}, "device.ownership", "personal"},
		{"pro", posture.MobileDevice, map[string]string{"general.deviceOwnershipType": `"AccountDrivenUserEnrollment"`}, "device.ownership", "personal"},
		{"classic", posture.MobileDevice, map[string]string{"general.device_ownership_level": `"PersonalDeviceProfile"`}, "device.ownership", "personal"},
		// A server that has the newer member, and nothing in it, has had no contact.
		{"pro", posture.MobileDevice, map[string]string{"general.lastContactDate": "null"}, "device.last_seen", nil},
		{"pro", posture.MobileDevice, map[string]string{"general.lastContactDate": removed, "general.lastInventoryUpdateDate": `"2026-01-02T03:04:05.678901Z"`}, "device.last_seen", utc("2026-01-02T03:04:05Z")},
		{"pro", posture.Computer, map[string]string{"general.lastContact": `"2026-01-02T03:04:05+01:00"`}, "device.last_seen", utc("2026-01-02T02:04:05Z")},
		{"pro", posture.Computer, map[string]string{"general.lastContact": removed, "general.lastContactTime": `"2026-01-02T03:04:05Z"`}, "device.last_seen", utc("2026-01-02T03:04:05Z")},
		{"classic", posture.Computer, map[string]string{"general.last_contact_time_epoch": `"1767323045000"`}, "device.last_seen", utc("2026-01-02T03:04:05Z")},
		{"classic", posture.Computer, map[string]string{"general.last_contact_time_epoch": `0`, "general.last_contact_time_utc": `"2026-01-02T03:04:05.000+0000"`}, "device.last_seen", utc("2026-01-02T03:04:05Z")},
		{"classic", posture.Computer, map[string]string{"hardware.os_version": `15.1`}, "device.os_version", nil},
		{"classic", posture.Computer, map[string]string{"hardware.storage": `{"partitions":{"type":"Boot","filevault_status":"Encrypted"}}`}, "device.encrypted", true},
		{"classic", posture.Computer, map[string]string{"hardware.storage": `[{"partitions":[{"type":"other","filevault2_status":"Encrypted"}]}]`}, "device.encrypted", nil},
		{"classic", posture.Computer, map[string]string{"hardware.storage": `[{"partitions":[{"type":"boot","filevault2_status":"Encrypted"},{"type":"boot","filevault2_status":"Not Encrypted"}]}]`}, "device.encrypted", nil},
		{"classic", posture.Computer, map[string]string{"groups_accounts.computer_group_memberships": `""`}, "device.groups", []string{}},
		{"classic", posture.Computer, map[string]string{"groups_accounts": `""`}, "device.groups", nil},
		{"classic", posture.MobileDevice, map[string]string{"mobile_device_groups": `{"name":7}`}, "device.groups", []string{"7"}},
		{"pro", posture.Computer, map[string]string{"groupMemberships": "[]"}, "device.groups", []string{}},
		{"pro", posture.Computer, map[string]string{"extensionAttributes": `[
			{"name":"one","values":["x"]},{"name":"two","values":["x","y"]},{"name":"none","values":[]},{"name":"empty","values":[""]},{"name":"null","values":null},
			{"name":"number","values":[7.50]},{"name":"truth","values":[true]},{"name":"object","values":[{"a": 1}]},
			{"name":"twice","values":["x"]},{"name":"twice","values":["y"]},{"name":"same","values":["x"]},{"name":"same","values":["x"]},
			{"name":"tier","values":["silver"]},{"name":"","values":["x"]},{"values":["x"]},{"name":7,"values":["x"]},null,"x",7]`}, "device.attributes", map[string]string{
			"one": "x", "two": `["x","y"]`, "number": "7.50", "truth": "true", "object": `{"a":1}`, "same": "x",
			"room": "7", "cost center": "4711", "agent": "running", "dock": "D6000",
		}},
		{"classic", posture.MobileDevice, map[string]string{"extension_attributes": `{"name":7,"value":true}`}, "device.attributes", map[string]string{"7": "true"}},
		{"classic", posture.MobileDevice, map[string]string{"extension_attributes": `""`}, "device.attributes", map[string]string{}},
	} {
		t.Run(fmt.Sprint(row.api, row.fields), func(t *testing.T) {
			t.Parallel()
			server := started(t, jamftest.Options{Devices: full()})
			provider := reading(t, configOf(server, row.api))
			server.Fail(vendortest.Fault{Kind: vendortest.Edit, Change: func(body []byte) []byte {
				for _, field := range slices.Sorted(maps.Keys(row.fields)) {
					body = changed(row.fields[field], field).Change(body)
				}
				return body
			}}, lookupEndpoints()...)
			serial := map[posture.DeviceType]string{posture.Computer: macSerial, posture.MobileDevice: phoneSerial}[row.of]
			if got := known(reads(t, provider, serial, row.of, posture.AllFacts()))[row.fact]; !reflect.DeepEqual(got, row.want) {
				t.Errorf("%s is %v, want %v", row.fact, got, row.want)
			}
		})
	}
}

package addigy_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/addigy/addigytest"
)

// unknown stands for a fact that is not known.
type unknown struct{}

func factOf(t *testing.T, d posture.Device, name string) any {
	t.Helper()
	for _, definition := range posture.Vocabulary() {
		if definition.Name == name {
			value, known := definition.Get(&d)
			if version, ok := value.(posture.Version); ok {
				value = version.String()
			}
			if at, ok := value.(time.Time); ok {
				value = at.Format(time.RFC3339)
			}
			if !known {
				return unknown{}
			}
			return value
		}
	}
	t.Fatalf("there is no fact %q", name)
	return nil
}

// TestFacts: every fact of a Mac and of a phone, in a lookup and in a list.
func TestFacts(t *testing.T) {
	t.Parallel()
	computer, mobile := mac(macSerial, "p-root", "p-wifi"), phone(phoneSerial)
	computer.LastOnline, mobile.LastOnline = "2026-07-29T08:31:45.1234567Z", "2026-07-29T10:31:45+02:00"
	mobile.Compliant, mobile.Supervised = new(false), new(false)
	provider := opened(t, configOf(started(t, addigytest.Options{Devices: []addigytest.Device{computer, mobile}})))
	attributes := map[string]string{"current_user": "ana", "agent_version": "2.26.1", "policy_id": "p-root"}
	for serial, want := range map[string]map[string]any{
		macSerial: {
			"device.identifier": macSerial, "device.serial_number": macSerial, "device.name": "mac-ana-01", "device.model": "MacBook Pro (14-inch, 2023)",
			"device.type": "computer", "device.os": "macOS", "device.os_version": "15.5", "device.managed": true, "device.supervised": true,
			"device.compliant": true, "device.encrypted": true, "device.last_seen": "2026-07-29T08:31:45Z", "device.groups": []string{"p-root", "p-wifi"},
			"device.attributes": attributes,
		},
		phoneSerial: {
			"device.identifier": phoneSerial, "device.serial_number": phoneSerial, "device.name": "iphone-ana", "device.model": "iPhone 15",
			"device.type": "mobiledevice", "device.os": "iOS", "device.os_version": "18.5", "device.managed": true, "device.supervised": false,
			"device.compliant": false, "device.last_seen": "2026-07-29T08:31:45Z", "device.groups": []string{}, "device.attributes": attributes,
		},
	} {
		found := finds(t, provider, serial)
		for _, d := range posture.Vocabulary() {
			value, has := want[d.Name]
			if !has {
				value = unknown{}
			}
			if got := factOf(t, found, d.Name); !reflect.DeepEqual(got, value) {
				t.Errorf("%s of %s is %v, want %v", d.Name, serial, got, value)
			}
		}
	}
}

// fact is a fact as Addigy writes it.
func fact(kind string, value any) addigytest.Fact { return addigytest.Fact{Type: kind, Value: value} }

// TestValues: each fact from each field that may have it, and what odd values make of it.
func TestValues(t *testing.T) {
	t.Parallel()
	const gone = "timeout of the agent"
	type facts = map[string]addigytest.Fact
	for _, row := range []struct {
		name  string
		facts facts
		fact  string
		want  any
	}{
		{"no name", facts{"device_name": fact("string", "")}, "device.name", unknown{}},
		{"a number as a name", facts{"device_name": fact("number", 7)}, "device.name", unknown{}},
		{"a name that could not be found out", facts{"device_name": {Value: "old", ErrorMsg: gone}}, "device.name", unknown{}},
		{"the hardware's model", facts{"device_model_name": fact("string", "")}, "device.model", "Mac15,3"},
		{"the product", facts{"device_model_name": fact("string", ""), "hardware_model": fact("string", nil), "product_name": fact("string", "Mac15,3")}, "device.model", "Mac15,3"},
		{"compliant as a text", facts{"is_compliant": fact("string", "true")}, "device.compliant", unknown{}},
		{"compliant as a number", facts{"is_compliant": fact("number", 1)}, "device.compliant", unknown{}},
		{"compliant null", facts{"is_compliant": fact("boolean", nil)}, "device.compliant", unknown{}},
		{"compliance that could not be found out", facts{"is_compliant": {Type: "boolean", Value: true, ErrorMsg: gone}}, "device.compliant", unknown{}},
		{"not compliant", facts{"is_compliant": fact("boolean", false)}, "device.compliant", false},
		{"supervised as a text", facts{"is_supervised": fact("string", "yes")}, "device.supervised", unknown{}},
		{"FileVault off", facts{"filevault_enabled": fact("boolean", false)}, "device.encrypted", false},
		{"FileVault not found out", facts{"filevault_enabled": {Value: true, ErrorMsg: gone}}, "device.encrypted", unknown{}},
		{"FileVault of a phone", facts{"filevault_enabled": fact("boolean", true), "hardware_model": fact("string", "iPhone15,4"), "device_model_name": fact("string", "iPhone 15"), "mac_os_x_version": fact("string", "")}, "device.encrypted", unknown{}},
		{"the version of macOS", facts{"os_version": fact("string", "")}, "device.os_version", "15.5"},
		{"the same version", facts{"os_version": fact("string", "15.5.0")}, "device.os_version", "15.5.0"},
		{"versions that differ", facts{"os_version": fact("string", "15.6")}, "device.os_version", unknown{}},
		{"no version", facts{"os_version": fact("string", "Sequoia"), "mac_os_x_version": fact("string", "")}, "device.os_version", unknown{}},
		{"one place is no group", facts{"policy_ids": fact("list", nil)}, "device.groups", unknown{}},
		{"no groups", facts{"policy_ids": fact("list", []string{})}, "device.groups", []string{}},
		{"a group as a text", facts{"policy_ids": fact("string", "p-root")}, "device.groups", unknown{}},
		{"groups with a number", facts{"policy_ids": fact("list", []any{"p-root", 7})}, "device.groups", unknown{}},
		{"groups with an empty one", facts{"policy_ids": fact("list", []string{"p-root", ""})}, "device.groups", unknown{}},
		{"groups that could not be found out", facts{"policy_ids": {Value: []string{"p-root"}, ErrorMsg: gone}}, "device.groups", unknown{}},
		{"online, milliseconds", facts{"last_online": fact("date", "2026-07-29T08:31:45.123Z")}, "device.last_seen", "2026-07-29T08:31:45Z"},
		{"online, whole seconds", facts{"last_online": fact("date", "2026-07-29T08:31:45Z")}, "device.last_seen", "2026-07-29T08:31:45Z"},
		{"online, nanoseconds", facts{"last_online": fact("date", "2026-07-29T08:31:45.123456789Z")}, "device.last_seen", "2026-07-29T08:31:45Z"},
		{"online, offset without colon", facts{"last_online": fact("date", "2026-07-29T10:31:45.5+0200")}, "device.last_seen", "2026-07-29T08:31:45Z"},
		{"online, without zone", facts{"last_online": fact("date", "2026-07-29T08:31:45.5")}, "device.last_seen", "2026-07-29T08:31:45Z"},
		{"online, with a space", facts{"last_online": fact("date", "2026-07-29 08:31:45.123456+00:00")}, "device.last_seen", "2026-07-29T08:31:45Z"},
		{"online, with a space, without zone", facts{"last_online": fact("date", "2026-07-29 08:31:45")}, "device.last_seen", "2026-07-29T08:31:45Z"},
		{"never online", facts{"last_online": fact("date", "0001-01-01T00:00:00Z")}, "device.last_seen", unknown{}},
		{"online in 1970", facts{"last_online": fact("date", "1970-01-01T00:00:00Z")}, "device.last_seen", unknown{}},
		{"online in the future", facts{"last_online": fact("date", "2199-01-01T00:00:00Z")}, "device.last_seen", unknown{}},
		{"online as a number", facts{"last_online": fact("number", 1785313905)}, "device.last_seen", unknown{}},
		{"online, not found out", facts{"last_online": {Value: "2026-07-29T08:31:45Z", ErrorMsg: gone}}, "device.last_seen", unknown{}},
		{"no user is logged in", facts{"current_user": fact("string", "")}, "device.attributes", map[string]string{"agent_version": "2.26.1", "policy_id": "p-root"}},
		{"who is logged in is no user", nil, "user.username", unknown{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			device := mac(macSerial)
			device.Facts = row.facts
			provider := opened(t, configOf(started(t, addigytest.Options{Devices: []addigytest.Device{device}})))
			found := finds(t, provider, macSerial)
			if got := factOf(t, found, row.fact); !reflect.DeepEqual(got, row.want) {
				t.Errorf("%s is %v, want %v", row.fact, got, row.want)
			}
			all, _, err := listed(t, provider, posture.AllFacts())
			if err != nil || len(all) != 1 {
				t.Fatalf("List = %d records, %v", len(all), err)
			}
			if got := factOf(t, all[0].Device, row.fact); !reflect.DeepEqual(got, row.want) {
				t.Errorf("%s is %v in the list, want %v", row.fact, got, row.want)
			}
		})
	}
}

// TestSystems: the operating system is derived from models, and from nothing that only looks like one.
func TestSystems(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		hardware, model, product, version, mac string
		of                                     posture.DeviceType
		os                                     any
	}{
		{"Mac15,3", "MacBook Pro", "", "15.5", "15.5", posture.Computer, "macOS"},
		{"MacBookPro18,1", "", "", "15.5", "", posture.Computer, "macOS"},
		{"", "iMac (24-inch)", "", "15.5", "", posture.Computer, "macOS"},
		{"VirtualMac2,1", "", "", "15.5", "", posture.Computer, "macOS"},
		{"", "", "", "15.5", "15.5", posture.Computer, "macOS"},
		{"iPhone15,4", "iPhone 15", "iPhone15,4", "18.5", "", posture.MobileDevice, "iOS"},
		{"iPad14,3", "", "", "18.5", "", posture.MobileDevice, "iPadOS"},
		{"iPad5,3", "", "", "12.5.7", "", posture.MobileDevice, "iOS"},
		{"iPad14,3", "", "", "", "", posture.MobileDevice, unknown{}},
		{"AppleTV14,1", "Apple TV 4K", "", "18.5", "", posture.MobileDevice, "tvOS"},
		{"", "Apple Watch Ultra", "Watch7,5", "11.5", "", posture.MobileDevice, "watchOS"},
		{"RealityDevice14,1", "Apple Vision Pro", "", "2.5", "", posture.MobileDevice, "visionOS"},
		// Neither is known where the facts contradict each other, or say nothing.
		{"Mac15,3", "iPhone 15", "", "18.5", "", "", unknown{}},
		{"iPhone15,4", "", "", "18.5", "15.5", "", unknown{}},
		{"", "", "", "15.5", "", "", unknown{}},
		{"Surface Laptop", "ThinkPad", "x", "11", "", "", unknown{}},
	} {
		device := addigytest.Device{
			Serial: macSerial, HardwareModel: row.hardware, Model: row.model, ProductName: row.product, OSVersion: row.version, MacOSVersion: row.mac,
		}
		found := finds(t, opened(t, configOf(started(t, addigytest.Options{Devices: []addigytest.Device{device}}))), macSerial)
		if got := factOf(t, found, "device.os"); found.Type != row.of || got != row.os {
			t.Errorf("%+v is a %q with %v, want a %q with %v", row, found.Type, got, row.of, row.os)
		}
	}
}

// TestData: the document for certificates has its full shape, and no user: Addigy does not know to whom a device is assigned.
func TestData(t *testing.T) {
	t.Parallel()
	server := started(t, addigytest.Options{Devices: []addigytest.Device{mac(macSerial, "p-root")}})
	c := configOf(server)
	c.Enrich = true
	q := query(t, macSerial, posture.AnyDevice)
	q.Facts |= posture.Document
	found, err := opened(t, c).Lookup(t.Context(), q)
	var got, want any
	const text = `{"device":{"udid":"","serial_number":"C02XK1ABJHD2","name":"mac-ana-01"},
		"user":{"username":"","realname":"","email_address":"","position":"","department":""},"groups":["p-root"]}`
	if err != nil || json.Unmarshal(found.Data, &got) != nil || json.Unmarshal([]byte(text), &want) != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("the data are %s, %v, want %s", found.Data, err, text)
	}
	if found, err := opened(t, configOf(server)).Lookup(t.Context(), q); err != nil || found.Data != nil {
		t.Errorf("without ADDIGY_ENRICH the data are %s, %v, want none", found.Data, err)
	}
}

// TestManaged: a record without an agent is none of an enrolled device.
func TestManaged(t *testing.T) {
	t.Parallel()
	server := started(t, addigytest.Options{Devices: []addigytest.Device{mac(macSerial)}})
	server.Change(macSerial, func(d *addigytest.Device) { d.AgentID = "" })
	if got := factOf(t, finds(t, opened(t, configOf(server)), macSerial), "device.managed"); got != (unknown{}) {
		t.Errorf("device.managed of a record without an agent is %v, want unknown", got)
	}
}

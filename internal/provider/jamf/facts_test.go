package jamf_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/jamf"
	"step-posture-connector/internal/provider/jamf/jamftest"
)

// full are a computer and a mobile device about which Jamf knows everything.
func full() []jamftest.Device {
	computer, device := mac(macSerial, "All Managed Clients", "Wi-Fi"), phone(phoneSerial, "Shared iPads")
	computer.Details = jamftest.Details{
		OSVersion: "15", Encrypted: new(true), LastContact: seenThen(), LastEnrolled: enrolledThen(),
		Attributes: []jamftest.Attribute{
			{Name: "asset", Values: []string{"A-1009"}},
			{Name: "room", Values: []string{"7"}, Section: "USER_AND_LOCATION"},
			{Name: "cost center", Values: []string{"4711"}, Section: "PURCHASING"},
			{Name: "agent", Values: []string{"running"}, Section: "OPERATING_SYSTEM"},
			{Name: "dock", Values: []string{"D6000"}, Section: "HARDWARE"},
			{Name: "tier", Values: []string{"gold"}, Section: "GENERAL"},
			{Name: "nothing", Values: []string{""}},
		},
	}
	device.Details = computer.Details
	device.Details.OSVersion = "18"
	device.Details.Attributes = slices.DeleteFunc(slices.Clone(device.Details.Attributes), func(a jamftest.Attribute) bool {
		return a.Section == "OPERATING_SYSTEM"
	})
	return []jamftest.Device{computer, device}
}

func seenThen() time.Time     { return time.Date(2026, 7, 29, 8, 31, 45, 0, time.UTC) }
func enrolledThen() time.Time { return time.Date(2025, 2, 3, 9, 0, 0, 0, time.UTC) }

// wantFacts is what is known of the devices of full, by name.
func wantFacts(t *testing.T, of posture.DeviceType) map[string]any {
	t.Helper()
	version := func(text string) posture.Version {
		v, err := posture.ParseVersion(text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	want := map[string]any{
		"device.supervised": true, "device.managed": true, "device.encrypted": true,
		"device.last_seen": seenThen(), "device.enrolled_at": enrolledThen(),
		"device.attributes": map[string]string{"asset": "A-1009", "room": "7", "cost center": "4711", "dock": "D6000", "tier": "gold"},
	}
	if of == posture.MobileDevice {
		for name, value := range map[string]any{
			"device.identifier": phoneSerial, "device.serial_number": phoneSerial, "device.udid": "00008101-000A11AA22BB001E",
			"device.name": "iPad-Ward3-07", "device.model": "iPad (10th generation)", "device.type": "mobiledevice",
			"device.os": "iPadOS", "device.os_version": version("18"), "device.ownership": "organization", "device.groups": []string{"Shared iPads"},
			"user.username": "bo", "user.realname": "Bo Example", "user.email_address": "bo@example.com", "user.position": "Nurse", "user.department": "Ward 3",
		} {
			want[name] = value
		}
		return want
	}
	want["device.attributes"].(map[string]string)["agent"] = "running"
	for name, value := range map[string]any{
		"device.identifier": macSerial, "device.serial_number": macSerial, "device.udid": "5B1D6C1E-7C0B-5E0E-9A55-0C7D1B0A9F11",
		"device.name": "mac-ana-01", "device.model": "MacBook Air (13-inch, M3, 2024)", "device.type": "computer",
		"device.os": "macOS", "device.os_version": version("15"), "device.groups": []string{"All Managed Clients", "Wi-Fi"},
		"user.username": "ana", "user.realname": "Ana Example", "user.email_address": "ana@example.com", "user.position": "Engineer", "user.department": "Platform",
	} {
		want[name] = value
	}
	return want
}

// known are the facts of a device, by name.
func known(d posture.Device) map[string]any {
	facts := map[string]any{}
	for _, definition := range posture.Vocabulary() {
		if value, is := definition.Get(&d); is {
			facts[definition.Name] = value
		}
	}
	return facts
}

// reading opens a provider as a policy file has it opened.
func reading(t *testing.T, c jamf.Config) *jamf.Provider {
	t.Helper()
	c.ReadFacts()
	return opened(t, c)
}

// reads looks up a device for facts, which must be found.
func reads(t *testing.T, provider posture.Provider, serial string, of posture.DeviceType, facts posture.FactSet) posture.Device {
	t.Helper()
	q := query(t, serial, of)
	q.Facts = facts
	device, err := provider.Lookup(t.Context(), q)
	if err != nil || device.Identifier != serial {
		t.Fatalf("Lookup(%q, %q) = %+v, %v, want the device", serial, of, device, err)
	}
	return device
}

// versions are servers with each version of the endpoint for computers, and of the Classic API with each of its quirks.
func versions() map[string]variant {
	all := variants()
	for n, server := range map[int]string{1: "10.49.0-t1", 2: "11.10.0-t1", 3: "11.29.0-t1", 4: "11.30.1-t1"} {
		all[fmt.Sprintf("pro, version %d", n)] = variant{"pro", jamftest.Options{Version: server, ComputerVersions: []int{n}}}
	}
	return all
}

// TestFullRecord: every fact that the page has is known, with the same value whichever API and version of the server reports
// it; and the page says which are never known.
func TestFullRecord(t *testing.T) {
	t.Parallel()
	listed := readPage(t)
	for name, v := range versions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v.options.Devices = full()
			server := started(t, v.options)
			provider := reading(t, configOf(server, v.api))
			for serial, of := range map[string]posture.DeviceType{macSerial: posture.Computer, phoneSerial: posture.MobileDevice} {
				for _, mode := range []posture.DeviceType{of, posture.AnyDevice} {
					got, want := known(reads(t, provider, serial, mode, posture.AllFacts())), wantFacts(t, of)
					for _, d := range posture.Vocabulary() {
						if !reflect.DeepEqual(got[d.Name], want[d.Name]) {
							t.Errorf("%s, %s: %s is %v, want %v", mode, serial, d.Name, got[d.Name], want[d.Name])
						}
						if _, is := got[d.Name]; is == listed[v.api][of][d.Name].never {
							t.Errorf("%s: %s is known: %v, which is not what the page says", of, d.Name, is)
						}
					}
				}
			}
		})
	}
}

// TestBareRecord: of a device that Jamf hardly knows, little is known, and its groups are known to be none.
func TestBareRecord(t *testing.T) {
	t.Parallel()
	bare := func(computer bool, serial string) jamftest.Device {
		return jamftest.Device{Computer: computer, Serial: serial}
	}
	unknown := []string{
		"device.udid", "device.name", "device.managed", "device.encrypted", "device.compliant",
		"user.username", "user.realname", "user.email_address", "user.position", "user.department",
	}
	for name, v := range versions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v.options.Devices = []jamftest.Device{bare(true, macSerial), bare(false, phoneSerial)}
			server := started(t, v.options)
			provider := reading(t, configOf(server, v.api))
			for serial, of := range map[string]posture.DeviceType{macSerial: posture.Computer, phoneSerial: posture.MobileDevice} {
				got := known(reads(t, provider, serial, of, posture.AllFacts()))
				for _, name := range unknown {
					if value, is := got[name]; is {
						t.Errorf("%s: %s is %q, want it to be unknown", of, name, value)
					}
				}
				if groups, is := got["device.groups"].([]string); !is || len(groups) > 0 {
					t.Errorf("%s: the groups are %v, want known to be none", of, got["device.groups"])
				}
				if got["device.supervised"] != false {
					t.Errorf("%s: supervised is %v, want false", of, got["device.supervised"])
				}
			}
		})
	}
}

// TestGroupWithoutName: a list of groups is not known if one has no name, because a rule may ask that a device is not in
// a group. Without a policy file only membership of the required group is asked, which the list shows.
func TestGroupWithoutName(t *testing.T) {
	t.Parallel()
	for _, api := range []string{"pro", "classic"} {
		server := started(t, jamftest.Options{Devices: full()})
		server.Fail(changed(`[{"groupName":"Wi-Fi"},{"groupName":null}]`, "groupMemberships"), jamftest.Computers+"4")
		server.Fail(changed(`["Wi-Fi",null]`, "groups_accounts.computer_group_memberships"), jamftest.ClassicComputers)
		c := configOf(server, api)
		c.ComputerGroup = "Wi-Fi"
		_, gate := deciding(t, c)
		if decision, err := decide(t, gate, query(t, macSerial, posture.Computer)); err != nil || !decision.Allowed() {
			t.Errorf("%s: without a policy file Decide = %+v, %v, want a member of the group to pass", api, decision, err)
		}
		c.ReadFacts()
		_, gate = deciding(t, c)
		if decision, err := decide(t, gate, query(t, macSerial, posture.Computer)); err != nil || decision.Code() != posture.DeviceNotInGroup {
			t.Errorf("%s: with one Decide = %+v, %v, want %s", api, decision, err, posture.DeviceNotInGroup)
		}
	}
}

// TestClose: an inventory that a new configuration replaces keeps no connection.
func TestClose(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Devices: full()})
	for _, api := range []string{"pro", "classic"} {
		provider, _ := deciding(t, configOf(server, api))
		for range 3 {
			finds(t, provider, macSerial, posture.AnyDevice)
		}
		if server.Open() == 0 {
			t.Errorf("%s: no connection is kept for the next lookup, so this test shows nothing", api)
		}
		closer, ok := provider.(interface{ Close() })
		if !ok {
			t.Fatalf("a %T cannot be closed", provider)
		}
		closer.Close()
		await(t, server, func() bool { return server.Open() == 0 })
	}
}

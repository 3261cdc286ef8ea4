package intune_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/intune"
	"step-posture-connector/internal/provider/intune/intunetest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// factsOf looks the device up for all facts, and returns those that are known, by name.
func factsOf(t *testing.T, p posture.Provider) map[string]any {
	t.Helper()
	d, err := lookup(t, p, query(t, serial, posture.AllFacts()))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]any{}
	for _, definition := range posture.Vocabulary() {
		if value, is := definition.Get(&d); is {
			if v, isVersion := value.(posture.Version); isVersion {
				value = v.String()
			}
			known[definition.Name] = value
		}
	}
	return known
}

// TestFacts: every fact comes from its field.
func TestFacts(t *testing.T) {
	t.Parallel()
	device := mac(serial, "Up to date")
	device.Fields = map[string]any{"manufacturer": "Apple"}
	device.JailBroken = "False"
	server := started(t, intunetest.Options{Devices: []intunetest.Device{device}})
	got := factsOf(t, opened(t, configOf(server)))
	attributes, _ := got["device.attributes"].(map[string]string)
	delete(got, "device.attributes")
	want := map[string]any{
		"device.identifier": serial, "device.serial_number": serial, "device.udid": device.UDID, "device.name": "Ana's Mac", "device.model": "MacBook Air",
		"device.type": "computer", "device.os": "macOS", "device.os_version": "15.5", "device.managed": true, "device.supervised": true, "device.compliant": true,
		"device.encrypted": true, "device.ownership": "organization", "device.last_seen": device.LastSync, "device.enrolled_at": device.Enrolled,
		"device.groups": []string{"Up to date", "id:" + intunetest.GroupID("Up to date")},
		"user.username": "ana@example.com", "user.realname": "Ana Example", "user.email_address": "ana.example@example.com",
		"user.position": "Engineer", "user.department": "R&D",
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !reflect.DeepEqual(got[name], want[name]) {
			t.Errorf("%s is %#v, want %#v", name, got[name], want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d facts are known, want %d", len(got), len(want))
	}
	for name, value := range map[string]string{
		"manufacturer": "Apple", "complianceState": "compliant", "managedDeviceOwnerType": "company", "managementAgent": "mdm", "deviceEnrollmentType": "userEnrollment",
		"deviceCategoryDisplayName": "Staff", "jailBroken": "False", "operatingSystem": "macOS", "osVersion": "15.5 (24F74)",
	} {
		if attributes[name] != value {
			t.Errorf("the attribute %s is %q, want %q", name, attributes[name], value)
		}
	}
	for _, name := range []string{"id", "azureADDeviceId", "userId"} {
		if len(attributes[name]) != 36 {
			t.Errorf("the attribute %s is %q, want a GUID", name, attributes[name])
		}
	}
	if len(attributes) != 12 {
		t.Errorf("the attributes are %q, want 12", attributes)
	}
}

// TestWords: each word of the vendor is a fact, or unknown; nil is unknown.
func TestWords(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		field string
		value any
		fact  string
		want  any
	}{
		{"complianceState", "compliant", "device.compliant", true},
		{"complianceState", "noncompliant", "device.compliant", false},
		{"complianceState", "conflict", "device.compliant", false},
		{"complianceState", "error", "device.compliant", false},
		{"complianceState", "inGracePeriod", "device.compliant", false},
		{"complianceState", "configManager", "device.compliant", nil},
		{"complianceState", "unknown", "device.compliant", nil},
		{"complianceState", "Compliant", "device.compliant", nil},
		{"complianceState", "", "device.compliant", nil},
		{"complianceState", nil, "device.compliant", nil},
		{"complianceState", true, "device.compliant", nil},
		{"managedDeviceOwnerType", "company", "device.ownership", "organization"},
		{"managedDeviceOwnerType", "personal", "device.ownership", "personal"},
		{"managedDeviceOwnerType", "unknown", "device.ownership", nil},
		{"managementAgent", "mdm", "device.managed", true},
		{"managementAgent", "easMdm", "device.managed", true},
		{"managementAgent", "intuneClient", "device.managed", true},
		{"managementAgent", "configurationManagerClientMdm", "device.managed", true},
		{"managementAgent", "jamf", "device.managed", true},
		{"managementAgent", "googleCloudDevicePolicyController", "device.managed", true},
		{"managementAgent", "eas", "device.managed", false},
		{"managementAgent", "msSense", "device.managed", false},
		{"managementAgent", "configurationManagerClient", "device.managed", false},
		{"managementAgent", "unknown", "device.managed", nil},
		{"managementAgent", "somethingNew", "device.managed", nil},
		{"managementAgent", nil, "device.managed", nil},
		{"operatingSystem", "iPadOS", "device.os", "iPadOS"},
		{"operatingSystem", "iPadOS", "device.type", "mobiledevice"},
		{"operatingSystem", "Windows", "device.os", "Windows"},
		{"operatingSystem", "Windows", "device.type", "computer"},
		{"operatingSystem", "AndroidForWork", "device.os", "Android"},
		{"operatingSystem", "AndroidEnterprise", "device.type", "mobiledevice"},
		{"operatingSystem", "Linux", "device.type", "computer"},
		{"operatingSystem", "ChromeOS", "device.type", "computer"},
		{"operatingSystem", "tvOS", "device.type", "mobiledevice"},
		{"operatingSystem", "visionOS", "device.type", "mobiledevice"},
		{"operatingSystem", "watchOS", "device.type", "mobiledevice"},
		{"operatingSystem", "ios", "device.os", "iOS"},
		{"operatingSystem", "Chrome OS", "device.os", "ChromeOS"},
		{"operatingSystem", "WindowsPhone", "device.os", nil},
		{"operatingSystem", "WindowsPhone", "device.type", nil},
		{"operatingSystem", "", "device.os", nil},
		{"osVersion", "10.0.26100.4652", "device.os_version", "10.0.26100.4652"},
		{"osVersion", "15.5 (24F74)", "device.os_version", "15.5"},
		{"osVersion", "", "device.os_version", nil},
		{"osVersion", "fifteen", "device.os_version", nil},
		{"isEncrypted", false, "device.encrypted", false},
		{"isEncrypted", nil, "device.encrypted", nil},
		{"isEncrypted", "true", "device.encrypted", nil},
		{"isSupervised", false, "device.supervised", false},
		{"isSupervised", nil, "device.supervised", nil},
		{"lastSyncDateTime", "0001-01-01T00:00:00Z", "device.last_seen", nil},
		{"lastSyncDateTime", "2026-07-29T08:20:11.1234567Z", "device.last_seen", time.Date(2026, 7, 29, 8, 20, 11, 0, time.UTC)},
		{"lastSyncDateTime", "yesterday", "device.last_seen", nil},
		{"lastSyncDateTime", "9999-12-31T23:59:59Z", "device.last_seen", nil},
		{"enrolledDateTime", "0001-01-01T00:00:00Z", "device.enrolled_at", nil},
		{"enrolledDateTime", nil, "device.enrolled_at", nil},
		{"udid", "", "device.udid", nil},
		{"udid", nil, "device.udid", nil},
		{"deviceName", "", "device.name", nil},
		{"model", "", "device.model", nil},
		{"userPrincipalName", "", "user.username", nil},
		{"userDisplayName", "", "user.realname", nil},
		{"emailAddress", "", "user.email_address", nil},
	} {
		device := mac(serial)
		device.Fields = map[string]any{row.field: row.value}
		server := started(t, intunetest.Options{Devices: []intunetest.Device{device}})
		if got := factsOf(t, opened(t, configOf(server)))[row.fact]; !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s %#v: %s is %#v, want %#v", row.field, row.value, row.fact, got, row.want)
		}
	}
}

// TestMissingMembers: what a record lacks is unknown.
func TestMissingMembers(t *testing.T) {
	t.Parallel()
	device := mac(serial)
	device.Without = []string{
		"udid", "deviceName", "model", "operatingSystem", "osVersion", "complianceState", "managedDeviceOwnerType", "managementAgent", "isSupervised",
		"isEncrypted", "userPrincipalName", "userDisplayName", "emailAddress", "enrolledDateTime", "lastSyncDateTime",
	}
	device.User.Position, device.User.Department = "", ""
	server := started(t, intunetest.Options{Devices: []intunetest.Device{device}})
	got := factsOf(t, opened(t, configOf(server)))
	want := []string{"device.attributes", "device.groups", "device.identifier", "device.serial_number"}
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, want) {
		t.Errorf("of a record without them %q are known, want %q", names, want)
	}
}

// TestGrace: only the switch makes a device in its grace period compliant.
func TestGrace(t *testing.T) {
	t.Parallel()
	device := mac(serial)
	device.Compliance = "inGracePeriod"
	server := started(t, intunetest.Options{Devices: []intunetest.Device{device}})
	c := configOf(server)
	c.GraceIsCompliant = true
	if got := factsOf(t, opened(t, c))["device.compliant"]; got != true {
		t.Errorf("device.compliant is %v, want true", got)
	}
	for _, state := range []string{"noncompliant", "conflict", "error"} {
		server.Edit(serial, func(d *intunetest.Device) { d.Compliance = state })
		if got := factsOf(t, opened(t, c))["device.compliant"]; got != false {
			t.Errorf("%s: device.compliant is %v, want false", state, got)
		}
	}
}

// TestListGivesTheSame: a list has the facts of a lookup, except those that need a request for each device.
func TestListGivesTheSame(t *testing.T) {
	t.Parallel()
	server := started(t, intunetest.Options{PageLimit: 1, Devices: []intunetest.Device{mac(serial, "one"), phone("DMPVLX9QHG5D")}})
	p := opened(t, configOf(server))
	want, err := lookup(t, p, query(t, serial, p.ListGives()))
	if err != nil {
		t.Fatal(err)
	}
	var all []posture.Listing
	listed, err := p.List(t.Context(), posture.List{Facts: posture.AllFacts() | posture.Document}, func(l posture.Listing) error {
		all = append(all, l)
		return nil
	})
	if err != nil || len(all) != 2 || listed.Total != -1 || !reflect.DeepEqual(all[0].Device, want) {
		t.Errorf("List = %+v (%+v), %v, want two devices, the first %+v", all, listed, err, want)
	}
	if lacks := (posture.AllFacts() &^ listed.Facts).Names(); !slices.Equal(lacks, []string{"device.groups", "user.position", "user.department"}) {
		t.Errorf("the list lacks %q", lacks)
	}
	if server.Count(intunetest.Groups, intunetest.Users) != 0 {
		t.Error("a list asks for groups or users")
	}
}

func TestData(t *testing.T) {
	t.Parallel()
	server := started(t, intunetest.Options{Devices: []intunetest.Device{mac(serial, "Up to date")}})
	c := configOf(server)
	c.Enrich = true
	const want = `{"device":{"udid":"5B1D6C1E-7C0B-5E0E-9A55-0C7D1B0A9F11","serial_number":"C02XK1ABJHD2","name":"Ana's Mac"},` +
		`"user":{"username":"ana@example.com","realname":"Ana Example","email_address":"ana.example@example.com","position":"Engineer","department":"R&D"},"groups":["Up to date"]}`
	for name, p := range map[string]*intune.Provider{"with a policy": opened(t, c), "without": withoutPolicy(t, c)} {
		d, err := lookup(t, p, query(t, serial, posture.WithoutPolicy()))
		if err != nil || string(d.Data) != want {
			t.Errorf("%s: the data are %s, %v, want %s", name, d.Data, err, want)
		}
	}
}

// TestRecordedAndNotAnswered: what is only recorded does not take the time of the lookup where the server hangs.
func TestRecordedAndNotAnswered(t *testing.T) {
	t.Parallel()
	for endpoint, facts := range map[string]posture.FactSet{intunetest.Groups: groupsFact(), intunetest.Users: posture.MustFacts("user.position")} {
		server := started(t, intunetest.Options{Devices: []intunetest.Device{mac(serial)}})
		server.Fail(vendortest.Fault{Kind: vendortest.Hang}, endpoint)
		q := query(t, serial, facts)
		q.Recorded = facts
		if d, err := opened(t, configOf(server)).Lookup(within(t, 4*time.Second), q); err != nil || d.Identifier != serial {
			t.Errorf("%s: Lookup = %q, %v, want the device", endpoint, d.Identifier, err)
		}
	}
}

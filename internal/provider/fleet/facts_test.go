package fleet_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/fleet"
	"step-posture-connector/internal/provider/fleet/fleettest"
)

// raw are members as JSON.
type raw = map[string]json.RawMessage

func policyConfig() fleet.Config {
	c := fleet.Config{}
	c.ReadFacts()
	return c
}

// value is a fact of a device; "unknown" where it is not known.
func value(t *testing.T, d posture.Device, name string) any {
	t.Helper()
	i := slices.IndexFunc(posture.Vocabulary(), func(d *posture.Definition) bool { return d.Name == name })
	got, known := posture.Vocabulary()[i].Get(&d)
	if !known {
		return "unknown"
	}
	if version, ok := got.(posture.Version); ok {
		return version.String()
	}
	return got
}

func full() fleettest.Device {
	return fleettest.Device{
		Serial: serial, Hostname: "mac-ana-01.local", ComputerName: "mac-ana-01", UUID: "5B1D6C1E-7C0B-5E0E-9A55-0C7D1B0A9F11", Model: "Mac15,12",
		EnrollmentStatus: "On (automatic)", Seen: time.Hour, Team: "Engineering", BuiltIn: []string{"All Hosts", "macOS"}, Labels: []string{"Wi-Fi pilot"},
		Policies: []fleettest.Policy{{Name: "FileVault on", Response: "pass", Critical: true}, {Name: "Firewall on", Response: "pass"}}, Encrypted: new(true),
		EndUsers: []fleettest.EndUser{{Username: "ana@example.com", FullName: "Ana Example", Department: "Platform", Groups: []string{"eng", "a\"b"}}},
	}
}

func TestFacts(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Second)
	server := started(t, fleettest.Options{Devices: []fleettest.Device{full()}, Now: func() time.Time { return now }})
	d, err := lookup(t, opened(t, configured(server, policyConfig())), query(t, serial))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"device.identifier": serial, "device.serial_number": serial, "device.udid": "5B1D6C1E-7C0B-5E0E-9A55-0C7D1B0A9F11", "device.name": "mac-ana-01",
		"device.model": "Mac15,12", "device.type": "computer", "device.os": "macOS", "device.os_version": "15.5", "device.managed": true,
		"device.supervised": "unknown", "device.compliant": true, "device.encrypted": true, "device.ownership": "organization",
		"device.last_seen": now.Add(-time.Hour), "device.enrolled_at": now.Add(-721 * time.Hour),
		"device.groups": []string{"All Hosts", "macOS", "Wi-Fi pilot", "Engineering", "team:Engineering"},
		"device.attributes": map[string]string{
			"policy:FileVault on": "pass", "policy:Firewall on": "pass", "mdm.enrollment_status": "On (automatic)", "mdm.name": "Fleet",
			"mdm.connected_to_fleet": "true", "mdm.device_status": "unlocked", "user.idp_groups": `["eng","a\"b"]`,
		},
		"user.username": "ana@example.com", "user.realname": "Ana Example", "user.email_address": "ana@example.com", "user.position": "unknown",
		"user.department": "Platform",
	} {
		if got := value(t, d, name); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if d.Data != nil {
		t.Errorf("data %s are returned, though FLEET_ENRICH is 0", d.Data)
	}
}

// TestOddValues: what Fleet does not say is unknown, and never false, zero or empty.
func TestOddValues(t *testing.T) {
	t.Parallel()
	const unknown = "unknown"
	set := func(member, json string) func(*fleettest.Device) {
		return func(d *fleettest.Device) { d.Members = raw{member: []byte(json)} }
	}
	drop := func(member string) func(*fleettest.Device) {
		return func(d *fleettest.Device) { d.Members = raw{member: nil} }
	}
	status := func(text string) func(*fleettest.Device) {
		return func(d *fleettest.Device) { d.EnrollmentStatus = text }
	}
	policies := func(responses ...string) func(*fleettest.Device) {
		return func(d *fleettest.Device) {
			d.Policies = nil
			for i, r := range responses {
				d.Policies = append(d.Policies, fleettest.Policy{Name: string(rune('a' + i)), Response: r})
			}
		}
	}
	users := func(u ...fleettest.EndUser) func(*fleettest.Device) {
		return func(d *fleettest.Device) { d.EndUsers = u }
	}
	system := func(platform, version string) func(*fleettest.Device) {
		return func(d *fleettest.Device) { d.Platform, d.OSVersion = platform, version }
	}
	none := func(*fleettest.Device) {}
	for _, row := range []struct {
		change func(*fleettest.Device)
		fact   string
		want   any
	}{
		{status("On (manual)"), "device.managed", true},
		{status("On (personal)"), "device.managed", true},
		{status("On (manual - personal)"), "device.managed", true},
		{status("On (company-owned)"), "device.managed", true},
		{status("Pending"), "device.managed", false},
		{status("Off"), "device.managed", false},
		{status(""), "device.managed", unknown},
		{status("On"), "device.managed", unknown},
		{status("on (automatic)"), "device.managed", unknown},
		{status("On (automatic, expired)"), "device.managed", unknown},
		{status("Offline"), "device.managed", unknown},
		{drop("mdm"), "device.managed", unknown},
		{set("mdm", `null`), "device.managed", unknown},
		{set("mdm", `"On (automatic)"`), "device.managed", unknown},
		{set("mdm", `{"enrollment_status":true}`), "device.managed", unknown},
		{func(d *fleettest.Device) { d.OtherMDM = true }, "device.managed", true},
		{status("On (manual)"), "device.ownership", unknown},
		{status("On (personal)"), "device.ownership", "personal"},
		{status("On (manual - personal)"), "device.ownership", "personal"},
		{status("On (company-owned)"), "device.ownership", "organization"},
		{status("Pending"), "device.ownership", unknown},

		{policies("pass", "fail"), "device.compliant", false},
		{policies("pass", ""), "device.compliant", false},
		{policies(""), "device.compliant", false},
		{policies("pass", "maybe"), "device.compliant", unknown},
		{policies("fail", "maybe"), "device.compliant", false},
		{policies("Pass"), "device.compliant", unknown},
		{policies(), "device.compliant", unknown},
		{drop("policies"), "device.compliant", unknown},
		{set("policies", `null`), "device.compliant", unknown},
		{set("policies", `{}`), "device.compliant", unknown},
		{set("policies", `[null]`), "device.compliant", unknown},
		{set("policies", `[{"name":"a","response":null}]`), "device.compliant", unknown},
		{set("policies", `[{"name":"a"}]`), "device.compliant", unknown},
		{set("policies", `[{"name":"a","response":"pass"},{"name":"b","response":true}]`), "device.compliant", unknown},

		{func(d *fleettest.Device) { d.Encrypted = nil }, "device.encrypted", unknown},
		{func(d *fleettest.Device) { d.Encrypted = new(false) }, "device.encrypted", false},
		{set("disk_encryption_enabled", `null`), "device.encrypted", unknown},
		{set("disk_encryption_enabled", `"true"`), "device.encrypted", unknown},
		{set("disk_encryption_enabled", `1`), "device.encrypted", unknown},

		{drop("labels"), "device.groups", unknown},
		{set("labels", `null`), "device.groups", unknown},
		{set("labels", `[]`), "device.groups", []string{"Engineering", "team:Engineering"}},
		{set("labels", `[{"name":""}]`), "device.groups", unknown},
		{set("labels", `["a"]`), "device.groups", unknown},
		{set("labels", `[{"name":"a"},{"id":7}]`), "device.groups", unknown},
		{func(d *fleettest.Device) { d.Labels = []string{"team:Engineering"} }, "device.groups", unknown},
		{func(d *fleettest.Device) { d.Labels = []string{"team:Other"} }, "device.groups", unknown},
		{func(d *fleettest.Device) { d.Labels, d.BuiltIn, d.Team = nil, nil, "" }, "device.groups", []string{}},
		{func(d *fleettest.Device) { d.Labels, d.BuiltIn, d.Team = []string{"Engineering"}, nil, "" }, "device.groups", []string{"Engineering"}},
		{set("team_name", `"Other"`), "device.groups", unknown},
		{func(d *fleettest.Device) { d.Members = raw{"team_name": nil, "fleet_name": nil} }, "device.groups", unknown},
		{func(d *fleettest.Device) { d.Members = raw{"team_name": []byte(`null`), "fleet_name": []byte(`null`)} }, "device.groups", unknown},
		{func(d *fleettest.Device) {
			d.Members = raw{"team_name": nil, "fleet_name": nil, "team_id": nil, "fleet_id": nil}
		}, "device.groups", unknown},

		{system("windows", "Microsoft Windows 11 Enterprise 23H2 10.0.22631.3007"), "device.os_version", "10.0.22631.3007"},
		{system("windows", "Windows 11 Pro"), "device.os_version", unknown},
		{system("ubuntu", "Ubuntu 20.04.3 LTS"), "device.os_version", "20.04.3"},
		{system("darwin", "macOS 13.4.1 (a)"), "device.os_version", "13.4.1"},
		{system("darwin", "macOS"), "device.os_version", unknown},
		{system("darwin", "macOS 15.x"), "device.os_version", unknown},
		{set("os_version", `15.5`), "device.os_version", unknown},
		{system("windows", "x"), "device.os", "Windows"},
		{system("ios", "x"), "device.os", "iOS"},
		{system("ipados", "x"), "device.os", "iPadOS"},
		{system("android", "x"), "device.os", "Android"},
		{system("chrome", "x"), "device.os", "ChromeOS"},
		{system("rhel", "x"), "device.os", "Linux"},
		{system("opensuse-leap", "x"), "device.os", "Linux"},
		{system("solaris", "x"), "device.os", unknown},
		{system("Darwin", "x"), "device.os", unknown},
		{system("solaris", "x"), "device.type", unknown},
		{system("ipados", "x"), "device.type", "mobiledevice"},
		{system("android", "x"), "device.type", "mobiledevice"},
		{system("windows", "x"), "device.type", "computer"},
		{system("linux", "x"), "device.type", "computer"},
		{system("chrome", "x"), "device.type", "computer"},

		{drop("computer_name"), "device.name", "mac-ana-01"},
		{func(d *fleettest.Device) { d.Members = raw{"computer_name": nil, "display_name": nil} }, "device.name", unknown},
		{set("hardware_model", `""`), "device.model", unknown},
		{set("uuid", `7`), "device.udid", unknown},
		{func(d *fleettest.Device) { d.Never = true }, "device.last_seen", unknown},
		{func(d *fleettest.Device) { d.Never = true }, "device.enrolled_at", unknown},
		{set("seen_time", `"0001-01-01T00:00:00Z"`), "device.last_seen", unknown},
		{set("seen_time", `1753776000`), "device.last_seen", unknown},
		{set("seen_time", `"2026-07-29T08:31:45.123456Z"`), "device.last_seen", time.Date(2026, 7, 29, 8, 31, 45, 0, time.UTC)},

		{users(), "user.username", unknown},
		{drop("end_users"), "user.username", unknown},
		{users(fleettest.EndUser{Username: "a"}, fleettest.EndUser{Username: "b"}), "user.username", unknown},
		{users(fleettest.EndUser{Username: "a"}), "user.email_address", unknown},
		{users(fleettest.EndUser{FullName: "A"}), "user.username", unknown},
		{users(fleettest.EndUser{Username: "a", OtherEmails: []fleettest.Email{{Email: "a@example.com"}, {Email: "a@example.com"}}}), "user.email_address", "a@example.com"},
		{users(fleettest.EndUser{OtherEmails: []fleettest.Email{{Email: "a@example.com"}, {Email: "b@example.com"}}}), "user.email_address", unknown},
		{users(fleettest.EndUser{}), "user.department", unknown},
		{set("end_users", `{"idp_username":"a"}`), "user.username", unknown},
		{set("end_users", `["a"]`), "user.username", unknown},
		{none, "user.username", "ana@example.com"},
	} {
		d := full()
		row.change(&d)
		t.Run(row.fact, func(t *testing.T) {
			t.Parallel()
			server := started(t, fleettest.Options{Devices: []fleettest.Device{d}})
			found, err := lookup(t, opened(t, configured(server, policyConfig())), query(t, serial))
			if got := value(t, found, row.fact); err != nil || !reflect.DeepEqual(got, row.want) {
				t.Errorf("%s of %+v is %v, %v, want %v", row.fact, d, got, err, row.want)
			}
		})
	}
}

// TestPolicyAttributes: the answer to one policy can be read, where it has answered and no other policy has its name.
func TestPolicyAttributes(t *testing.T) {
	t.Parallel()
	d := full()
	d.Policies = []fleettest.Policy{
		{Name: "one", Response: "pass"},
		{Name: "two", Response: "fail"},
		{Name: "not run"},
		{Name: "odd", Response: "error"},
		{Name: "twice", Response: "pass"},
		{Name: "twice", Response: "fail"},
		{Name: "thrice", Response: "pass"},
		{Name: "thrice"},
		{Name: "thrice", Response: "pass"},
	}
	server := started(t, fleettest.Options{Devices: []fleettest.Device{d}})
	found, err := lookup(t, opened(t, configured(server, policyConfig())), query(t, serial))
	if err != nil {
		t.Fatal(err)
	}
	all, _ := found.Facts.Attributes.Get()
	got := map[string]string{}
	for name, value := range all {
		if policy, ok := strings.CutPrefix(name, "policy:"); ok {
			got[policy] = value
		}
	}
	if want := map[string]string{"one": "pass", "two": "fail"}; !reflect.DeepEqual(got, want) {
		t.Errorf("the answers to policies are %q, want %q", got, want)
	}
}

// TestSeenOfMobileDevices: they have no agent, so their details say when they were seen.
func TestSeenOfMobileDevices(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Second)
	for _, row := range []struct {
		platform string
		want     time.Duration
	}{{"ios", time.Hour}, {"ipados", time.Hour}, {"darwin", 48 * time.Hour}} {
		d := fleettest.Device{Serial: serial, Platform: row.platform, Seen: 48 * time.Hour, Updated: time.Hour}
		server := started(t, fleettest.Options{Devices: []fleettest.Device{d}, Now: func() time.Time { return now }})
		found, err := lookup(t, opened(t, configured(server, fleet.Config{})), query(t, serial))
		if got := value(t, found, "device.last_seen"); err != nil || got != now.Add(-row.want) {
			t.Errorf("%s: last seen %v, %v, want %v ago", row.platform, got, err, row.want)
		}
	}
}

func TestData(t *testing.T) {
	t.Parallel()
	server := started(t, fleettest.Options{Devices: []fleettest.Device{full()}})
	d, err := lookup(t, opened(t, configured(server, fleet.Config{Enrich: true})), query(t, serial))
	const want = `{"device":{"udid":"5B1D6C1E-7C0B-5E0E-9A55-0C7D1B0A9F11","serial_number":"C02XK1ABJHD2","name":"mac-ana-01"},` +
		`"user":{"username":"ana@example.com","realname":"Ana Example","email_address":"ana@example.com","position":"","department":"Platform"},` +
		`"groups":["All Hosts","macOS","Wi-Fi pilot","Engineering","team:Engineering"]}`
	if err != nil || string(d.Data) != want {
		t.Errorf("data are %s, %v, want %s", d.Data, err, want)
	}
}

package jamf_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

const (
	macData = `{"device":{"udid":"5B1D6C1E-7C0B-5E0E-9A55-0C7D1B0A9F11","serial_number":"C02XK1ABJHD2","name":"mac-ana-01"},` +
		`"user":{"username":"ana","realname":"Ana Example","email_address":"ana@example.com","position":"Engineer","department":"Platform"},` +
		`"groups":["All Managed Clients","Wi-Fi <certificates>"]}`
	phoneData = `{"device":{"udid":"00008101-000A11AA22BB001E","serial_number":"DMPXK1ABJF88","name":"iPad-Ward3-07"},` +
		`"user":{"username":"bo","realname":"Bo Example","email_address":"bo@example.com","position":"Nurse","department":"Ward 3"},` +
		`"groups":["Shared iPads"]}`
	bareData = `{"device":{"udid":"","serial_number":"%s","name":""},` +
		`"user":{"username":"","realname":"","email_address":"","position":"","department":""},"groups":[]}`
)

func inventory() []jamftest.Device {
	return []jamftest.Device{
		mac(macSerial, "All Managed Clients", "Wi-Fi <certificates>"), phone(phoneSerial, "Shared iPads"),
		{Computer: true, Serial: otherSerial, Managed: new(true)},
		{Serial: "F9FXK1ABPLJ2", Managed: new(true)},
	}
}

// TestData: the document has its full shape, whichever API and server version it comes from, and with
// each quirk of the Classic API.
func TestData(t *testing.T) {
	t.Parallel()
	for name, v := range variants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v.options.Devices = inventory()
			server := started(t, v.options)
			c := configOf(server, v.api)
			c.ComputerEnrich, c.DeviceEnrich = true, true
			provider := opened(t, c)
			for _, row := range []struct {
				serial string
				of     posture.DeviceType
				want   string
			}{
				{macSerial, posture.Computer, macData},
				{phoneSerial, posture.MobileDevice, phoneData},
				{otherSerial, posture.Computer, fmt.Sprintf(bareData, otherSerial)},
				{"F9FXK1ABPLJ2", posture.MobileDevice, fmt.Sprintf(bareData, "F9FXK1ABPLJ2")},
				{macSerial, posture.AnyDevice, macData},
			} {
				if got := string(finds(t, provider, row.serial, row.of).Data); got != row.want {
					t.Errorf("the data of %q is\n     %s\nwant %s", row.serial, got, row.want)
				}
			}
		})
	}
}

// TestEnrichSwitches: each switch is for its own kind of device, and groups are returned with both,
// without a group being required.
func TestEnrichSwitches(t *testing.T) {
	t.Parallel()
	for _, api := range []string{"pro", "classic"} {
		server := started(t, jamftest.Options{Devices: inventory()})
		for _, computers := range []config.Switch{false, true} {
			for _, devices := range []config.Switch{false, true} {
				t.Run(fmt.Sprintf("%s, computers %v, devices %v", api, computers, devices), func(t *testing.T) {
					c := configOf(server, api)
					c.ComputerEnrich, c.DeviceEnrich = computers, devices
					provider := opened(t, c)
					of := finds(t, provider, macSerial, posture.Computer)
					if got := len(of.Data) > 0; got != bool(computers) {
						t.Errorf("a computer has the data %s", of.Data)
					}
					if want := []string{"All Managed Clients", "Wi-Fi <certificates>"}; !slices.Equal(groupsOf(of), want) {
						t.Errorf("a computer has groups %q, want %q", groupsOf(of), want)
					}
					of = finds(t, provider, phoneSerial, posture.MobileDevice)
					if got := len(of.Data) > 0; got != bool(devices) {
						t.Errorf("a mobile device has the data %s", of.Data)
					}
					if want := []string{"Shared iPads"}; !slices.Equal(groupsOf(of), want) {
						t.Errorf("a mobile device has groups %q, want %q", groupsOf(of), want)
					}
				})
			}
		}
	}
}

// TestDepartment: a department without a name costs only its own field.
func TestDepartment(t *testing.T) {
	t.Parallel()
	without := func(department string) string {
		return fmt.Sprintf(`{"device":{"udid":"5B1D6C1E-7C0B-5E0E-9A55-0C7D1B0A9F11","serial_number":"C02XK1ABJHD2","name":"mac-ana-01"},`+
			`"user":{"username":"ana","realname":"Ana Example","email_address":"ana@example.com","position":"Engineer","department":%q},"groups":[]}`, department)
	}
	answers := func(status int, body string) func(*jamftest.Server) {
		return func(s *jamftest.Server) {
			s.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: status, Body: body}, jamftest.Department, jamftest.Departments)
		}
	}
	for name, row := range map[string]struct {
		prepare func(*jamftest.Server)
		want    string
	}{
		"found": {func(*jamftest.Server) {}, "Platform"},
		"no privilege": {func(s *jamftest.Server) {
			client := s.Client()
			client.Privileges = []string{jamftest.ReadComputers, jamftest.ReadMobileDevices}
			s.SetClients(client)
		}, ""},
		"gone": {func(s *jamftest.Server) {
			s.Change(macSerial, func(d *jamftest.Device) { d.User.DepartmentID = "4711" })
		}, ""},
		"an ID that is none": {func(s *jamftest.Server) {
			s.Change(macSerial, func(d *jamftest.Device) { d.User.DepartmentID = "../version" })
		}, ""},
		"-1": {func(s *jamftest.Server) {
			s.Change(macSerial, func(d *jamftest.Device) { d.User.DepartmentID = "-1" })
		}, ""},
		"server error":  {answers(500, vendortest.Marker), ""},
		"HTML":          {answers(200, "<html>"+vendortest.Marker), ""},
		"a list":        {answers(200, "[]"), ""},
		"no name":       {answers(200, `{"id":"1"}`), ""},
		"always 401":    {answers(401, vendortest.Marker), ""},
		"reset":         {func(s *jamftest.Server) { s.Fail(vendortest.Fault{Kind: vendortest.Reset}, jamftest.Department) }, ""},
		"truncated":     {func(s *jamftest.Server) { s.Fail(vendortest.Fault{Kind: vendortest.Truncate}, jamftest.Department) }, ""},
		"does not come": {func(s *jamftest.Server) { s.Fail(vendortest.Fault{Kind: vendortest.Hang}, jamftest.Department) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := started(t, jamftest.Options{Devices: []jamftest.Device{mac(macSerial)}})
			row.prepare(server)
			c := configOf(server, "pro")
			c.ComputerEnrich = true
			// What a lookup for step-ca has.
			ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
			defer cancel()
			device, err := opened(t, c).Lookup(ctx, query(t, macSerial, posture.Computer))
			if err != nil || string(device.Data) != without(row.want) {
				t.Errorf("Lookup = %s, %v, want %s", device.Data, err, without(row.want))
			}
		})
	}
}

// TestDepartmentIsAskedForWhenNeeded: where no data is wanted, no name is asked for.
func TestDepartmentIsAskedForWhenNeeded(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Devices: inventory()})
	c := configOf(server, "pro")
	c.DeviceEnrich = true
	provider := opened(t, c)
	finds(t, provider, macSerial, posture.Computer)
	finds(t, provider, phoneSerial, posture.MobileDevice)
	if got := server.Count(jamftest.Department, jamftest.Departments); got != 0 {
		t.Errorf("%d requests for departments, want none", got)
	}
}

func groupsOf(d posture.Device) []string {
	names, _ := d.Facts.Groups.Get()
	return names
}

// TestNameOfUserWhereOneMemberIsMissing: the Classic API has the name of a user twice, and either may be missing.
func TestNameOfUserWhereOneMemberIsMissing(t *testing.T) {
	t.Parallel()
	for _, member := range []string{`"realname"`, `"real_name"`} {
		server := started(t, jamftest.Options{Devices: inventory()})
		server.Fail(vendortest.Fault{Kind: vendortest.Edit, Change: func(body []byte) []byte {
			return bytes.ReplaceAll(body, []byte(member), []byte(`"another"`))
		}}, jamftest.ClassicMobile)
		c := configOf(server, "classic")
		c.DeviceEnrich = true
		if got := string(finds(t, opened(t, c), phoneSerial, posture.MobileDevice).Data); got != phoneData {
			t.Errorf("without %s the data is\n     %s\nwant %s", member, got, phoneData)
		}
	}
}

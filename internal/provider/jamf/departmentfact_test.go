package jamf_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// TestDepartmentThatIsRead: where a policy reads the department of a computer, a lookup that cannot ask for its name is not
// answered. Where none does, it only stays empty.
func TestDepartmentThatIsRead(t *testing.T) {
	t.Parallel()
	department := posture.MustFacts("user.department")
	fails := func(status int, body string) func(*jamftest.Server) {
		return func(s *jamftest.Server) {
			s.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: status, Body: body}, jamftest.Department)
		}
	}
	id := func(id string) func(*jamftest.Server) {
		return func(s *jamftest.Server) {
			s.Change(macSerial, func(d *jamftest.Device) { d.User.Department, d.User.DepartmentID = "", id })
		}
	}
	for name, row := range map[string]struct {
		prepare func(*jamftest.Server)
		want    string // the fact; "" is unknown
		fault   string // what the error says
	}{
		"found": {func(*jamftest.Server) {}, "Platform", ""},
		"no privilege": {func(s *jamftest.Server) {
			client := s.Client()
			client.Privileges = []string{jamftest.ReadComputers, jamftest.ReadMobileDevices}
			s.SetClients(client)
		}, "", "user.department is read, and its name was not answered: departments answered 403: the API client lacks the privilege Read Departments"},
		"server error":       {fails(500, vendortest.Marker), "", "departments answered 500"},
		"gone":               {id("4711"), "", "departments answered 404"},
		"HTML":               {fails(200, "<html>"+vendortest.Marker), "", "JAMF_BASE_URL does not answer as a Jamf Pro server does"},
		"a list":             {fails(200, "[]"), "", "JAMF_BASE_URL"},
		"no name":            {fails(200, `{"id":"1"}`), "", ""},
		"a number":           {fails(200, `{"name":7}`), "", ""},
		"no department":      {id(""), "", ""},
		"-1":                 {id("-1"), "", ""},
		"an ID that is none": {id("../version"), "", ""},
		"reset":              {func(s *jamftest.Server) { s.Fail(vendortest.Fault{Kind: vendortest.Reset}, jamftest.Department) }, "", "departments: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := started(t, jamftest.Options{Devices: []jamftest.Device{mac(macSerial), phone(phoneSerial)}})
			row.prepare(server)
			provider := reading(t, configOf(server, "pro"))
			for _, mode := range []posture.DeviceType{posture.Computer, posture.AnyDevice} {
				if name == "reset" && mode == posture.AnyDevice {
					continue // it also resets the search for a mobile device, where that shares the connection
				}
				q := query(t, macSerial, mode)
				q.Facts = department
				device, err := provider.Lookup(t.Context(), q)
				if row.fault != "" {
					if err == nil || !strings.Contains(err.Error(), row.fault) || strings.Contains(err.Error(), vendortest.Marker) {
						t.Errorf("Lookup = %v, want an error that says %q, in our own words", err, row.fault)
					}
					if errors.Is(err, posture.ErrNotFound) || errors.Is(err, posture.ErrAmbiguous) || errors.Is(err, posture.ErrIdentifier) {
						t.Errorf("Lookup = %v, which is a verdict about the device", err)
					}
					continue
				}
				if got, is := device.Facts.User.Department.Get(); err != nil || got != row.want || is != (row.want != "") {
					t.Errorf("Lookup has the department %q, %v, %v, want %q", got, is, err, row.want)
				}
			}
			// A policy that does not read it is not kept from its decision, nor is a lookup without a policy file.
			requests := server.Count(jamftest.Department)
			reads(t, provider, macSerial, posture.Computer, posture.MustFacts("user.username"))
			if server.Count(jamftest.Department) != requests {
				t.Error("the department was asked for, though it is not read")
			}
			c := configOf(server, "pro")
			c.ComputerEnrich = true
			for _, facts := range []posture.FactSet{posture.Document, posture.Document | posture.MustFacts("user.username")} {
				c.ReadFacts()
				device := reads(t, opened(t, c), macSerial, posture.Computer, facts)
				if data := string(device.Data); row.fault != "" && !strings.Contains(data, `"department":""`) {
					t.Errorf("with a policy that does not read it, the data are %s, want an empty department", data)
				}
			}
			c = configOf(server, "pro")
			c.ComputerEnrich = true
			device := reads(t, opened(t, c), macSerial, posture.Computer, posture.WithoutPolicy())
			if data := string(device.Data); row.fault != "" && !strings.Contains(data, `"department":""`) {
				t.Errorf("without a policy file the data are %s, want an empty department", data)
			}
			// What is only recorded is unknown where it cannot be asked for.
			q := query(t, macSerial, posture.Computer)
			q.Facts, q.Recorded = posture.AllFacts(), department
			var err error
			device, err = provider.Lookup(t.Context(), q)
			if got, is := device.Facts.User.Department.Get(); err != nil || got != row.want || is != (row.want != "") {
				t.Errorf("where it is only recorded, the department is %q, %v, %v, want %q", got, is, err, row.want)
			}
			// The set of facts that a lookup without a policy file has can be that of a policy too.
			if q := query(t, macSerial, posture.Computer); row.fault != "" {
				if _, err := provider.Lookup(t.Context(), q); err == nil {
					t.Error("a policy that reads the department among all that was asked for before was answered")
				}
			}
		})
	}
}

// TestDepartmentPrivilegeIsAdded: a privilege that is missing is not asked for at each lookup, and counts a minute after it
// was added.
func TestDepartmentPrivilegeIsAdded(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Devices: []jamftest.Device{mac(macSerial)}})
	client := server.Client()
	privileges := client.Privileges
	client.Privileges = []string{jamftest.ReadComputers, jamftest.ReadMobileDevices}
	server.SetClients(client)
	provider := reading(t, configOf(server, "pro"))
	q := query(t, macSerial, posture.Computer)
	q.Facts = posture.MustFacts("user.department")
	for range 3 {
		if _, err := provider.Lookup(t.Context(), q); err == nil || !strings.Contains(err.Error(), jamftest.ReadDepartments) {
			t.Errorf("Lookup = %v, want an error that names the privilege", err)
		}
	}
	if got := server.Count(jamftest.Department); got != 1 {
		t.Errorf("three lookups asked %d times for the department, want once", got)
	}
	client.Privileges = privileges
	server.SetClients(client)
	provider.Age(time.Minute)
	if got := known(reads(t, provider, macSerial, posture.Computer, q.Facts))["user.department"]; got != "Platform" {
		t.Errorf("the department is %v, want Platform", got)
	}
}

// TestCheckOfDepartments: with a policy file, check says what happens where a policy reads the department.
func TestCheckOfDepartments(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{})
	client := server.Client()
	client.Privileges = []string{jamftest.ReadComputers, jamftest.ReadMobileDevices}
	server.SetClients(client)
	for api, want := range map[string][]string{
		"pro": {"the API client lacks the privilege Read Departments: the department of computers stays empty, " +
			"and where a policy reads user.department, lookups of computers will not be answered"},
		"classic": nil,
	} {
		_, warnings, err := reading(t, configOf(server, api)).Check(t.Context())
		if err != nil || strings.Join(warnings, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: Check = %q, %v, want %q", api, warnings, err, want)
		}
	}
}

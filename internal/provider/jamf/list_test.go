package jamf_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/jamf"
	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// listed lists one type of device.
func listed(t *testing.T, p *jamf.Provider, of posture.DeviceType, facts posture.FactSet) ([]posture.Listing, posture.Listed, error) {
	t.Helper()
	var all []posture.Listing
	whole, err := p.List(t.Context(), posture.List{Type: of, Facts: facts}, func(l posture.Listing) error {
		all = append(all, l)
		return nil
	})
	return all, whole, err
}

// many are so many computers, with serial numbers from C02ZZ00000 on.
func many(n int) []jamftest.Device {
	var devices []jamftest.Device
	for i := range n {
		devices = append(devices, mac(manySerial(i)))
	}
	return devices
}

func manySerial(i int) string { return fmt.Sprintf("C02ZZ%05d", i) }

// wantMany insists on all of them, each once, in any order.
func wantMany(t *testing.T, all []posture.Listing, n int) {
	t.Helper()
	seen := map[string]int{}
	for _, l := range all {
		seen[l.Identifier]++
	}
	for i := range n {
		if got := seen[manySerial(i)]; got != 1 {
			t.Fatalf("the list has %s %d times, want once", manySerial(i), got)
		}
	}
	if len(all) != n {
		t.Fatalf("the list has %d records, want %d", len(all), n)
	}
}

// TestLists: the Pro API has two lists, which give all facts that Jamf knows; the Classic API has none.
func TestLists(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Devices: inventory()})
	pro, classic := opened(t, configOf(server, "pro")), opened(t, configOf(server, "classic"))
	if got := pro.Lists(); !slices.Equal(got, []posture.DeviceType{posture.Computer, posture.MobileDevice}) {
		t.Errorf("Lists = %q, want computers and mobile devices", got)
	}
	if got, want := pro.ListGives(), posture.AllFacts()|posture.Document; got != want {
		t.Errorf("ListGives = %q, want %q and the document", got.Names(), want.Names())
	}
	for _, of := range pro.Lists() {
		all, got, err := listed(t, pro, of, posture.AllFacts()|posture.Document)
		if err != nil || got.Facts != pro.ListGives() || got.Total != 2 || len(all) != 2 {
			t.Errorf("List(%q) = %+v, %v, with %d records, want 2 with all facts", of, got, err, len(all))
		}
	}
	if classic.Lists() != nil || classic.ListGives() != 0 {
		t.Errorf("the Classic API has the lists %q, which give %q, want none", classic.Lists(), classic.ListGives().Names())
	}
	if _, _, err := listed(t, classic, posture.Computer, 0); err == nil {
		t.Error("a list of the Classic API is no error")
	}
}

// TestListRequests: each list asks for the sections that its facts need, sorted by the ID, and for all names of departments
// at once, where somebody reads them.
func TestListRequests(t *testing.T) {
	t.Parallel()
	const (
		computers   = "/api/v4/computers-inventory?page=0&page-size=500&section=GENERAL&section=HARDWARE"
		devices     = "/api/v2/mobile-devices/detail?page=0&page-size=500&section=GENERAL&section=HARDWARE"
		byID, byID2 = "&sort=id%3Aasc", "&sort=mobileDeviceId%3Aasc"
		departments = "/api/v1/departments?page=0&page-size=500" + byID
		user        = "&section=USER_AND_LOCATION"
	)
	for name, row := range map[string]struct {
		of       posture.DeviceType
		facts    posture.FactSet
		enriches bool
		want     []string
	}{
		"nothing":               {posture.Computer, 0, false, []string{computers + byID}},
		"nothing, mobile":       {posture.MobileDevice, 0, false, []string{devices + byID2}},
		"groups":                {posture.Computer, posture.MustFacts("device.groups"), false, []string{computers + "&section=GROUP_MEMBERSHIPS" + byID}},
		"groups, mobile":        {posture.MobileDevice, posture.MustFacts("device.groups"), false, []string{devices + "&section=GROUPS" + byID2}},
		"encryption":            {posture.Computer, posture.MustFacts("device.encrypted"), false, []string{computers + "&section=OPERATING_SYSTEM&section=DISK_ENCRYPTION" + byID}},
		"user":                  {posture.Computer, posture.MustFacts("user.username"), false, []string{computers + user + byID}},
		"department":            {posture.Computer, posture.MustFacts("user.department"), false, []string{departments, computers + user + byID}},
		"department, mobile":    {posture.MobileDevice, posture.MustFacts("user.department"), false, []string{devices + user + byID2}},
		"document":              {posture.Computer, posture.Document, false, []string{computers + byID}},
		"document that is made": {posture.Computer, posture.Document, true, []string{departments, computers + user + "&section=GROUP_MEMBERSHIPS" + byID}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := &asked{}
			server := started(t, jamftest.Options{Devices: full(), Seen: requests.seen})
			c := configOf(server, "pro")
			c.ReadFacts()
			c.ComputerGroup, c.DeviceGroup, c.ComputerEnrich = "a", "b", config.Switch(row.enriches)
			if _, _, err := listed(t, opened(t, c), row.of, row.facts); err != nil {
				t.Fatal(err)
			}
			if got := requests.take(); !slices.Equal(got, row.want) {
				t.Errorf("the list asked for\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(row.want, "\n"))
			}
		})
	}
}

// TestListData: the data for the certificate are those of a lookup, department included.
func TestListData(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Devices: inventory()})
	c := configOf(server, "pro")
	c.ComputerEnrich, c.DeviceEnrich = true, true
	provider := opened(t, c)
	data := map[string]string{}
	for _, of := range provider.Lists() {
		all, _, err := listed(t, provider, of, posture.WithoutPolicy())
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range all {
			data[l.Identifier] = string(l.Data)
		}
	}
	for serial, want := range map[string]string{macSerial: macData, phoneSerial: phoneData, otherSerial: fmt.Sprintf(bareData, otherSerial)} {
		if data[serial] != want {
			t.Errorf("the data of %q in the list are\n     %s\nwant %s", serial, data[serial], want)
		}
	}
}

// TestListDepartments: where a policy reads the department and its name cannot be told, the computer's record is damaged, as
// its lookup fails; one without a department is not. Any other fault fails the list: a copy must not keep it.
func TestListDepartments(t *testing.T) {
	t.Parallel()
	gone := mac("C02XK1ABJHD3")
	gone.User.DepartmentID = "4711"
	homeless := mac("C02XK1ABJHD4")
	homeless.User.Department = ""
	department := posture.MustFacts("user.department")
	for name, row := range map[string]struct {
		policy     bool
		facts      posture.FactSet
		privileges []string
		fault      int
		damaged    []string
		fails      bool
	}{
		"read":                          {true, department, []string{jamftest.ReadComputers, jamftest.ReadDepartments}, 0, []string{gone.Serial}, false},
		"read without the privilege":    {true, department, []string{jamftest.ReadComputers}, 0, []string{macSerial, gone.Serial}, false},
		"not read":                      {true, posture.MustFacts("user.username"), []string{jamftest.ReadComputers}, 0, nil, false},
		"in data without the privilege": {false, posture.WithoutPolicy(), []string{jamftest.ReadComputers}, 0, nil, false},
		"read, and Jamf fails":          {true, department, []string{jamftest.ReadComputers, jamftest.ReadDepartments}, 400, nil, true},
		"in data, and Jamf fails":       {false, posture.WithoutPolicy(), []string{jamftest.ReadComputers, jamftest.ReadDepartments}, 400, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := started(t, jamftest.Options{Devices: []jamftest.Device{mac(macSerial), gone, homeless}})
			client := server.Client()
			client.Privileges = row.privileges
			server.SetClients(client)
			if row.fault > 0 {
				server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: row.fault}, jamftest.Departments)
			}
			c := configOf(server, "pro")
			c.ComputerEnrich = config.Switch(!row.policy)
			if row.policy {
				c.ReadFacts()
			}
			provider := opened(t, c)
			all, _, err := listed(t, provider, posture.Computer, row.facts)
			if (err != nil) != row.fails {
				t.Fatalf("List = %v, want an error: %v", err, row.fails)
			}
			var damaged []string
			for _, l := range all {
				if l.Damaged {
					damaged = append(damaged, l.Identifier)
				}
				q := query(t, l.Identifier, posture.Computer)
				q.Facts = row.facts
				found, err := provider.Lookup(t.Context(), q)
				if (err != nil) != l.Damaged {
					t.Errorf("%q is damaged in the list: %v, Lookup = %v", l.Identifier, l.Damaged, err)
				}
				if !l.Damaged && (l.Facts.User.Department != found.Facts.User.Department || string(l.Data) != string(found.Data)) {
					t.Errorf("%q has the department %v and %s in the list, and %v and %s in a lookup", l.Identifier, l.Facts.User.Department, l.Data, found.Facts.User.Department, found.Data)
				}
			}
			if !slices.Equal(damaged, row.damaged) {
				t.Errorf("%q are damaged in the list, want %q", damaged, row.damaged)
			}
		})
	}
}

// TestListPrivilege: a list that may not be read is an error that names the privilege.
func TestListPrivilege(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Devices: inventory()})
	client := server.Client()
	client.Privileges = []string{jamftest.ReadMobileDevices}
	server.SetClients(client)
	provider := opened(t, configOf(server, "pro"))
	if _, _, err := listed(t, provider, posture.Computer, 0); err == nil || !strings.Contains(err.Error(), "lacks the privilege Read Computers") {
		t.Errorf("List = %v, want it to name the privilege", err)
	}
	if _, _, err := listed(t, provider, posture.MobileDevice, 0); err != nil {
		t.Errorf("List = %v, want no error", err)
	}
}

// TestListWithoutSerial: a record that says that it has no serial number is one that no device attests; one that does not say it
// may be any device.
func TestListWithoutSerial(t *testing.T) {
	t.Parallel()
	for text, damaged := range map[string]bool{
		`"serialNumber":""`: false, `"serialNumber":null`: false, `"serialNumber":"not available"`: false, `"serialNumber":7`: false,
		`"serialNumber":[]`: true, `"serialNumber":{}`: true, `"serial":""`: true,
	} {
		server := started(t, jamftest.Options{Devices: []jamftest.Device{mac(macSerial), phone(phoneSerial)}})
		edit := func(body []byte) []byte {
			for _, serial := range []string{macSerial, phoneSerial} {
				body = []byte(strings.ReplaceAll(string(body), `"serialNumber":"`+serial+`"`, text))
			}
			return body
		}
		server.Fail(vendortest.Fault{Kind: vendortest.Edit, Change: edit}, lookupEndpoints()...)
		provider := opened(t, configOf(server, "pro"))
		for _, of := range provider.Lists() {
			all, got, err := listed(t, provider, of, posture.AllFacts())
			if err != nil || len(all) != 1 || got.Total != 1 || all[0].Damaged != damaged || all[0].Identifier != "" {
				t.Errorf("%s: List = %+v, %+v, %v, want one record without identifier, damaged: %v", text, all, got, err, damaged)
			}
		}
	}
}

// TestListLenient: one mobile device that Jamf cannot read does not fail the list of all others, and is damaged itself.
func TestListLenient(t *testing.T) {
	t.Parallel()
	broken := phone(otherSerial)
	broken.Broken = "SECURITY"
	server := started(t, jamftest.Options{Devices: []jamftest.Device{phone(phoneSerial), broken}})
	provider := opened(t, configOf(server, "pro"))
	all, got, err := listed(t, provider, posture.MobileDevice, posture.AllFacts())
	if err != nil || got.Total != 2 || len(all) != 2 || all[0].Damaged || !all[1].Damaged || all[1].Identifier != otherSerial {
		t.Errorf("List = %+v, %+v, %v, want the second damaged", all, got, err)
	}
	// Where the section is not asked for, a lookup finds the device too.
	all, _, err = listed(t, provider, posture.MobileDevice, posture.MustFacts("device.name"))
	if err != nil || len(all) != 2 || all[1].Damaged {
		t.Errorf("List = %+v, %v, want none damaged", all, err)
	}
	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusInternalServerError}, jamftest.MobileDevices)
	if _, _, err := listed(t, provider, posture.MobileDevice, 0); err == nil {
		t.Error("a server that answers 500 to LENIENT too has given a list")
	}
}

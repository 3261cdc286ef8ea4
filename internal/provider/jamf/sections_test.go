package jamf_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/jamf"
	"step-posture-connector/internal/provider/jamf/jamftest"
)

// asked records the requests for devices and departments, as they are sent.
type asked struct {
	mu       sync.Mutex
	requests []string
}

func (a *asked) seen(r *http.Request) {
	if strings.Contains(r.URL.Path, "oauth") || strings.Contains(r.URL.Path, "version") {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests = append(a.requests, r.URL.RequestURI())
}

// take returns the requests since it was called last.
func (a *asked) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	taken := a.requests
	a.requests = nil
	slices.Sort(taken)
	return taken
}

// The requests of a lookup before there were policy files.
const (
	macRequest = "/api/v4/computers-inventory?filter=hardware.serialNumber%3D%3D%22SERIAL%22&page=0&page-size=100" +
		"&section=GENERAL&section=HARDWARE&section=USER_AND_LOCATION&section=GROUP_MEMBERSHIPS"
	phoneRequest = "/api/v2/mobile-devices/detail?filter=serialNumber%3D%3D%22SERIAL%22&page=0&page-size=100" +
		"&section=GENERAL&section=HARDWARE&section=USER_AND_LOCATION&section=GROUPS"
)

// TestRequestsWithoutPolicy: without a policy file the requests are, byte for byte, what they were before there were any,
// and so are those of Check.
func TestRequestsWithoutPolicy(t *testing.T) {
	t.Parallel()
	of := func(request, serial string) string { return strings.ReplaceAll(request, "SERIAL", serial) }
	for _, row := range []struct {
		api    string
		change func(*jamf.Config)
		mac    []string
		phone  string
		check  []string
	}{
		{"pro", func(*jamf.Config) {}, []string{of(macRequest, macSerial)}, of(phoneRequest, phoneSerial), nil},
		{"pro", func(c *jamf.Config) { c.ComputerGroup, c.DeviceGroup = "a", "b" }, []string{of(macRequest, macSerial)}, of(phoneRequest, phoneSerial), nil},
		{
			"pro", func(c *jamf.Config) { c.ComputerEnrich, c.DeviceEnrich = true, true },
			[]string{of(macRequest, macSerial), "/api/v1/departments/1"},
			of(phoneRequest, phoneSerial),
			[]string{"/api/v1/departments?page=0&page-size=1"},
		},
		{"classic", func(*jamf.Config) {}, []string{"/JSSResource/computers/serialnumber/" + macSerial}, "/JSSResource/mobiledevices/serialnumber/" + phoneSerial, nil},
	} {
		requests := &asked{}
		server := started(t, jamftest.Options{Devices: full(), Seen: requests.seen})
		c := configOf(server, row.api)
		row.change(&c)
		provider, gate := deciding(t, c)
		if _, err := decide(t, gate, query(t, macSerial, posture.Computer)); err != nil {
			t.Fatal(err)
		}
		slices.Sort(row.mac)
		if got := requests.take(); !slices.Equal(got, row.mac) {
			t.Errorf("a computer took the requests\n%q, want\n%q", got, row.mac)
		}
		if _, err := decide(t, gate, query(t, phoneSerial, "")); err != nil {
			t.Fatal(err)
		}
		if got := requests.take(); !slices.Equal(got, []string{row.phone}) {
			t.Errorf("a mobile device took the requests\n%q, want\n%q", got, row.phone)
		}
		if _, _, err := provider.(posture.Checker).Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := append(row.check, of(macRequest, "00000000"), of(phoneRequest, "00000000"))
		if row.api == "classic" {
			want = []string{"/JSSResource/computers/serialnumber/00000000", "/JSSResource/mobiledevices/serialnumber/00000000"}
		}
		slices.Sort(want)
		if got := requests.take(); !slices.Equal(got, want) {
			t.Errorf("check took the requests\n%q, want\n%q", got, want)
		}
	}
}

// sectionsOf are the sections that a request asks for.
func sectionsOf(t *testing.T, requests []string) []string {
	t.Helper()
	if len(requests) != 1 {
		t.Fatalf("the requests are %q, want one", requests)
	}
	var sections []string
	for part := range strings.SplitSeq(requests[0], "&") {
		if name, is := strings.CutPrefix(part, "section="); is {
			sections = append(sections, name)
		}
	}
	return sections
}

// TestSectionsOfFacts: Jamf is asked for the sections that the page names for what is read, and for no others.
func TestSectionsOfFacts(t *testing.T) {
	t.Parallel()
	requests := &asked{}
	server := started(t, jamftest.Options{Devices: full(), Seen: requests.seen})
	provider := reading(t, configOf(server, "pro"))
	listed := readPage(t)["pro"]
	all := map[posture.DeviceType][]string{}
	for serial, of := range map[string]posture.DeviceType{macSerial: posture.Computer, phoneSerial: posture.MobileDevice} {
		for _, d := range posture.Vocabulary() {
			device := reads(t, provider, serial, of, d.Set())
			sent := requests.take()
			if of == posture.Computer && d.Name == "user.department" {
				if !slices.Contains(sent, "/api/v1/departments/1") {
					t.Errorf("%s took the requests %q, want one for the department", d.Name, sent)
				}
				sent = slices.DeleteFunc(sent, func(r string) bool { return strings.Contains(r, "/departments/") })
			}
			want := append([]string{"GENERAL", "HARDWARE"}, listed[of][d.Name].sections...)
			if got := sectionsOf(t, sent); !slices.Equal(got, want) {
				t.Errorf("%s of a %s asks for %q, want %q", d.Name, of, got, want)
			}
			if _, is := d.Get(&device); is == listed[of][d.Name].never {
				t.Errorf("%s of a %s is known: %v, though it was asked for", d.Name, of, is)
			}
			// What is in no section that was asked for is unknown, which is not empty.
			if _, is := device.Facts.Groups.Get(); is != (d.Name == "device.groups") {
				t.Errorf("only %s is read, and the groups are known: %v", d.Name, is)
			}
			for _, section := range listed[of][d.Name].sections {
				if !slices.Contains(all[of], section) {
					all[of] = append(all[of], section)
				}
			}
		}
		reads(t, provider, serial, of, posture.AllFacts())
		sent := slices.DeleteFunc(requests.take(), func(r string) bool { return strings.Contains(r, "/departments/") })
		want := append([]string{"GENERAL", "HARDWARE"}, all[of]...)
		got := sectionsOf(t, sent)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("all facts of a %s ask for %q, want %q", of, got, want)
		}
	}
}

// TestSectionsOfConfiguration: with a policy, a required group and the data for the certificate still get what they need.
func TestSectionsOfConfiguration(t *testing.T) {
	t.Parallel()
	requests := &asked{}
	server := started(t, jamftest.Options{Devices: full(), Seen: requests.seen})
	for name, row := range map[string]struct {
		change     func(*jamf.Config)
		facts      posture.FactSet
		mac, phone []string
		data       bool
	}{
		"nothing is read":     {func(*jamf.Config) {}, 0, nil, nil, false},
		"no data of Jamf":     {func(*jamf.Config) {}, posture.Document, nil, nil, false},
		"group":               {func(c *jamf.Config) { c.ComputerGroup, c.DeviceGroup = "a", "b" }, 0, []string{"GROUP_MEMBERSHIPS"}, []string{"GROUPS"}, false},
		"group of the others": {func(c *jamf.Config) { c.DeviceGroup = "b" }, posture.MustFacts("device.os"), []string{"OPERATING_SYSTEM"}, []string{"GROUPS"}, false},
		"enriched": {
			func(c *jamf.Config) { c.ComputerEnrich, c.DeviceEnrich = true, true }, posture.Document,
			[]string{"USER_AND_LOCATION", "GROUP_MEMBERSHIPS"},
			[]string{"USER_AND_LOCATION", "GROUPS"},
			true,
		},
		"enriched, but the policy has data": {
			func(c *jamf.Config) { c.ComputerEnrich, c.DeviceEnrich = true, true }, posture.MustFacts("device.encrypted"),
			[]string{"OPERATING_SYSTEM", "DISK_ENCRYPTION"},
			[]string{"SECURITY"},
			false,
		},
	} {
		c := configOf(server, "pro")
		row.change(&c)
		provider := reading(t, c)
		for serial, want := range map[string][]string{macSerial: row.mac, phoneSerial: row.phone} {
			of := posture.MobileDevice
			if serial == macSerial {
				of = posture.Computer
			}
			device := reads(t, provider, serial, of, row.facts)
			sent := slices.DeleteFunc(requests.take(), func(r string) bool { return row.data && strings.Contains(r, "/departments/") })
			if got := sectionsOf(t, sent); !slices.Equal(got, append([]string{"GENERAL", "HARDWARE"}, want...)) {
				t.Errorf("%s: a %s is asked for %q, want %q besides GENERAL and HARDWARE", name, of, got, want)
			}
			if managed, is := device.Facts.Managed.Get(); !managed || !is {
				t.Errorf("%s: a %s is not known to be managed", name, of)
			}
			if data := string(device.Data); (data != "") != row.data || row.data && !strings.Contains(data, `"department":"`) {
				t.Errorf("%s: a %s has the data %q, want some: %v", name, of, data, row.data)
			}
		}
	}
}

// TestJoinedLookups: lookups of one device that run at the same time are one request where they read the same facts; one that
// reads more does not get the answer of one that reads less.
func TestJoinedLookups(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Devices: full()})
	provider := reading(t, configOf(server, "pro"))
	reads(t, provider, phoneSerial, posture.MobileDevice, 0) // so that token and version are known
	gate := make(chan struct{})
	held(server, gate, lookupEndpoints()...)
	groups, system := posture.MustFacts("device.groups"), posture.MustFacts("device.os_version")
	type answer struct {
		facts  posture.FactSet
		device posture.Device
		err    error
	}
	answers := make(chan answer, 3)
	for _, facts := range []posture.FactSet{groups, system, groups | system} {
		go func() {
			q := query(t, macSerial, posture.Computer)
			q.Facts = facts
			ctx, cancel := context.WithTimeout(context.Background(), ample)
			defer cancel()
			device, err := provider.Lookup(ctx, q)
			answers <- answer{facts, device, err}
		}()
	}
	await(t, server, func() bool { return server.InFlight(lookupEndpoints()...) == 3 })
	close(gate)
	for range 3 {
		a := <-answers
		_, hasGroups := a.device.Facts.Groups.Get()
		_, hasSystem := a.device.Facts.OSVersion.Get()
		if a.err != nil || hasGroups != a.facts.Has(groups) || hasSystem != a.facts.Has(system) {
			t.Errorf("who reads %q gets groups: %v, version: %v, %v", a.facts.Names(), hasGroups, hasSystem, a.err)
		}
	}
}

package jamf_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// TestSteppingDown: a version of the endpoint that the server does not have is not asked for twice.
func TestSteppingDown(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		version  string
		versions []int
		asked    [5]int // how often each version is asked in two lookups
	}{
		{"11.30.1-t1", nil, [5]int{4: 2}},
		{"12.0.0", []int{5, 4}, [5]int{4: 2}},
		{"11.30.1-t1", []int{1}, [5]int{1: 2, 2: 1, 3: 1, 4: 1}},
		{"11.29.0-t1", nil, [5]int{3: 2}},
		{"11.10.0-t1", []int{2}, [5]int{2: 2, 3: 1}},
		{"10.49.0-t1", nil, [5]int{1: 2, 2: 1, 3: 1}},
		{"banana", []int{3, 2, 1}, [5]int{3: 2, 4: 1}},
		{"11", []int{4}, [5]int{4: 2}},
		{"999999999999.1", []int{4}, [5]int{4: 2}},
	} {
		t.Run(fmt.Sprintf("%s with %v", row.version, row.versions), func(t *testing.T) {
			t.Parallel()
			server := started(t, jamftest.Options{
				Version: row.version, ComputerVersions: row.versions, Devices: []jamftest.Device{mac(macSerial)},
			})
			provider := opened(t, configOf(server, "pro"))
			finds(t, provider, macSerial, posture.Computer)
			wantError(t, provider, absentSerial, posture.Computer, posture.ErrNotFound)
			for n, want := range row.asked {
				if got := server.Count(jamftest.Computers + strconv.Itoa(n)); got != want {
					t.Errorf("version %d was asked %d times in two lookups, want %d", n, got, want)
				}
			}
		})
	}
}

// TestNoVersionLeft: a server that has none of the versions has not said that there is no such device.
func TestNoVersionLeft(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{ComputerVersions: []int{}, Devices: []jamftest.Device{mac(macSerial)}})
	provider := opened(t, configOf(server, "pro"))
	wantFault(t, provider, macSerial, posture.Computer)
	wantFault(t, provider, macSerial, posture.AnyDevice)
}

// TestVersionUnknown: the version is a hint only.
func TestVersionUnknown(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]vendortest.Fault{
		"404":  {Kind: vendortest.Answer, Status: 404},
		"403":  {Kind: vendortest.Answer, Status: 403},
		"500":  {Kind: vendortest.Answer, Status: 500},
		"HTML": {Kind: vendortest.Answer, Body: "<html>"},
		"list": {Kind: vendortest.Answer, Body: "[]"},
		"null": {Kind: vendortest.Answer, Body: `{"version":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := started(t, jamftest.Options{Version: "11.10.0-t1", Devices: []jamftest.Device{mac(macSerial)}})
			provider := opened(t, configOf(server, "pro"))
			server.Fail(fault, jamftest.Version)
			finds(t, provider, macSerial, posture.Computer)
		})
	}
}

// TestTokenPath: the older path is asked when the server lacks the newer one, and is then asked first.
func TestTokenPath(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		version      string
		newer, older int // requests for three tokens
	}{
		{"11.30.1-t1", 3, 0}, {"10.49.0-t1", 1, 3},
	} {
		server := started(t, jamftest.Options{Version: row.version, Devices: []jamftest.Device{mac(macSerial)}})
		provider := opened(t, configOf(server, "pro"))
		for range 3 {
			finds(t, provider, macSerial, posture.Computer)
			server.Revoke()
		}
		if newer, older := server.Count(jamftest.Token), server.Count(jamftest.OldToken); newer != row.newer || older != row.older {
			t.Errorf("%s: %d requests at the newer path and %d at the older one, want %d and %d", row.version, newer, older, row.newer, row.older)
		}
	}
}

// TestShortTokens: a token of a minute is used more than once.
func TestShortTokens(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Devices: []jamftest.Device{mac(macSerial)}})
	client := server.Client()
	client.ExpiresIn = 60
	server.SetClients(client)
	provider := opened(t, configOf(server, "pro"))
	for range 5 {
		finds(t, provider, macSerial, posture.Computer)
	}
	if got := server.TokensIssued(); got != 1 {
		t.Errorf("five lookups took %d tokens, want 1", got)
	}
}

// TestPages: a search may return more than the device, on more than one page.
func TestPages(t *testing.T) {
	t.Parallel()
	called := func(name string, d jamftest.Device) jamftest.Device {
		d.Name = name
		return d
	}
	server := started(t, jamftest.Options{Fuzzy: true, PageLimit: 1, Devices: []jamftest.Device{
		called("a", mac("X"+macSerial)), called("b", mac(macSerial+"3")), called("c", mac(macSerial)),
		called("a", phone("X"+phoneSerial)), called("b", phone(phoneSerial)),
		called("a", mac(otherSerial)), called("b", mac("X"+otherSerial)), called("c", mac(otherSerial)),
	}})
	provider := opened(t, configOf(server, "pro"))
	finds(t, provider, macSerial, posture.Computer)
	finds(t, provider, phoneSerial, posture.MobileDevice)
	wantError(t, provider, otherSerial, posture.Computer, posture.ErrAmbiguous)
	// Others were found and the device was not: that is not believed.
	wantFault(t, provider, macSerial[:8], posture.Computer)
	wantError(t, provider, absentSerial, posture.Computer, posture.ErrNotFound)
	// More pages than are read: whether the device is on one of them is not known.
	for i := range 500 {
		server.Add(called("a", mac(fmt.Sprintf("C02ZZZZZ%03d", i))))
	}
	wantFault(t, provider, "C02ZZZZZ", posture.Computer)
}

// TestContextPath: a context path is kept, and what people paste along is dropped.
func TestContextPath(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{ContextPath: "/my/jamf", Devices: []jamftest.Device{mac(macSerial)}})
	for _, pasted := range []string{"", "/", "/api", "/api/", "/JSSResource", "//"} {
		for _, api := range []string{"pro", "classic"} {
			c := configOf(server, api)
			c.BaseURL += pasted
			finds(t, opened(t, c), macSerial, posture.Computer)
		}
	}
}

// TestPrivileges: without the privilege for one kind of device the other is still found. A token keeps the
// privileges that it was issued with, so after a 403 an older one is replaced: a privilege that was added
// counts without a restart, and one that is missing for good costs a token a minute and no more.
func TestPrivileges(t *testing.T) {
	t.Parallel()
	for _, api := range []string{"pro", "classic"} {
		t.Run(api, func(t *testing.T) {
			t.Parallel()
			server := started(t, jamftest.Options{Devices: []jamftest.Device{mac(macSerial), phone(phoneSerial)}})
			client := server.Client()
			client.Privileges = []string{jamftest.ReadMobileDevices}
			server.SetClients(client)
			provider := opened(t, configOf(server, api))
			finds(t, provider, phoneSerial, posture.MobileDevice)
			for range 5 {
				wantFault(t, provider, macSerial, posture.Computer)
				wantFault(t, provider, phoneSerial, posture.AnyDevice)
			}
			if got := server.TokensIssued(); got != 1 {
				t.Errorf("a missing privilege took %d tokens, want 1", got)
			}
			provider.Age(time.Minute)
			asked := server.Count(lookupEndpoints()...)
			for range 5 {
				wantFault(t, provider, macSerial, posture.Computer)
			}
			if got := server.TokensIssued(); got != 2 {
				t.Errorf("a minute later %d tokens were issued, want 2", got)
			}
			if got := server.Count(lookupEndpoints()...) - asked; got != 6 {
				t.Errorf("5 lookups made %d requests, want 6: one was repeated with the new token", got)
			}
			client.Privileges = []string{jamftest.ReadMobileDevices, jamftest.ReadComputers}
			server.SetClients(client)
			provider.Age(time.Minute)
			finds(t, provider, macSerial, posture.Computer)
			finds(t, provider, macSerial, posture.AnyDevice)
			if got := server.TokensIssued(); got != 3 {
				t.Errorf("when the privilege was added %d tokens were issued, want 3", got)
			}
		})
	}
}

// TestClassicMissing: in the Classic API a 404 means that there is no such device, but only from a
// server that has proved to be one of Jamf's.
func TestClassicMissing(t *testing.T) {
	t.Parallel()
	missing := vendortest.Fault{Kind: vendortest.Answer, Status: 404, Body: "<html>" + vendortest.Marker}
	for _, status := range []int{200, 404, 500} {
		server := started(t, jamftest.Options{Devices: []jamftest.Device{mac(macSerial)}})
		provider := opened(t, configOf(server, "classic"))
		server.Fail(missing, jamftest.ClassicComputers, jamftest.ClassicMobile)
		server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: status, Body: "<html>" + vendortest.Marker}, jamftest.Version)
		for _, of := range []posture.DeviceType{posture.Computer, posture.MobileDevice, posture.AnyDevice} {
			wantFault(t, provider, macSerial, of)
		}
		server.Heal()
		wantError(t, provider, absentSerial, posture.Computer, posture.ErrNotFound)
		finds(t, provider, macSerial, posture.Computer)
	}
}

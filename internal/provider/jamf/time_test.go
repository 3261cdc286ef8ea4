package jamf_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// TestDepartmentCostsNoDecision: a device that was found stays found when the name of its department does
// not arrive in time.
func TestDepartmentCostsNoDecision(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Devices: computers(1)})
	c := configOf(server, "pro")
	c.ComputerEnrich = true
	provider := opened(t, c)
	finds(t, provider, numbered(0), posture.Computer)
	server.Fail(vendortest.Fault{Kind: vendortest.Hang}, jamftest.Department)
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond) // less than a department may take
	defer cancel()
	device, err := provider.Lookup(ctx, query(t, numbered(0), posture.Computer))
	if err != nil || !strings.Contains(string(device.Data), `"department":""`) {
		t.Errorf("Lookup = %s, %v, want the device without its department", device.Data, err)
	}
}

// TestDepartmentOfOthers: a caller that leaves takes nothing from the next one.
func TestDepartmentOfOthers(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Devices: computers(2)})
	c := configOf(server, "pro")
	c.ComputerEnrich = true
	provider := opened(t, c)
	server.Fail(vendortest.Fault{Kind: vendortest.Hang, Times: 1}, jamftest.Department)
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := provider.Lookup(ctx, query(t, numbered(0), posture.Computer))
		left <- err
	}()
	await(t, server, func() bool { return server.Hanging() == 1 })
	leave()
	if err := <-left; err == nil {
		t.Error("a lookup whose caller has left was answered")
	}
	await(t, server, func() bool { return server.Hanging() == 0 })
	if device := finds(t, provider, numbered(1), posture.Computer); !strings.Contains(string(device.Data), `"department":"Platform"`) {
		t.Errorf("the next device has %s, want its department", device.Data)
	}
}

// TestDepartmentIsNotRemembered: the name goes into a certificate, and Jamf may have another one by now.
func TestDepartmentIsNotRemembered(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Devices: computers(1)})
	c := configOf(server, "pro")
	c.ComputerEnrich = true
	provider := opened(t, c)
	for range 2 {
		finds(t, provider, numbered(0), posture.Computer)
	}
	if got := server.Count(jamftest.Department); got != 2 {
		t.Errorf("two lookups asked %d times for the department, want 2", got)
	}
	// Where the privilege is missing, asking each time would be in vain.
	client := server.Client()
	client.Privileges = []string{jamftest.ReadComputers}
	server.SetClients(client)
	server.Revoke()
	for range 3 {
		finds(t, provider, numbered(0), posture.Computer)
	}
	if got := server.Count(jamftest.Department); got != 3 {
		t.Errorf("without the privilege it was asked for %d times, want 1", got-2)
	}
	client.Privileges = append(client.Privileges, jamftest.ReadDepartments)
	server.SetClients(client)
	provider.Age(time.Minute)
	if device := finds(t, provider, numbered(0), posture.Computer); !strings.Contains(string(device.Data), `"department":"Platform"`) {
		t.Errorf("when the privilege was added, the device has %s, want its department", device.Data)
	}
}

// TestVersionCostsNoDecision: the server's version is a hint, without which the newest endpoint is asked.
func TestVersionCostsNoDecision(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Version: "11.10.0-t1", Devices: computers(1)})
	provider := opened(t, configOf(server, "pro"))
	server.Fail(vendortest.Fault{Kind: vendortest.Hang}, jamftest.Version)
	ctx, cancel := context.WithTimeout(t.Context(), 8500*time.Millisecond) // what a lookup for step-ca has
	defer cancel()
	if device, err := provider.Lookup(ctx, query(t, numbered(0), posture.Computer)); err != nil || device.Identifier != numbered(0) {
		t.Errorf("Lookup = %+v, %v, want the device", device, err)
	}
}

// TestTimeoutIsPassedOn: requests that Jamf never answers end by TIMEOUT, and not by the deadline of the lookup.
func TestTimeoutIsPassedOn(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Devices: computers(1)})
	c := configOf(server, "pro")
	c.Timeout = 1
	provider := opened(t, c)
	finds(t, provider, numbered(0), posture.Computer)
	server.Fail(vendortest.Fault{Kind: vendortest.Hang}, lookupEndpoints()...)
	ctx, cancel := context.WithTimeout(t.Context(), 8500*time.Millisecond) // what a lookup for step-ca has
	defer cancel()
	if _, err := provider.Lookup(ctx, query(t, numbered(0), posture.Computer)); err == nil || ctx.Err() != nil {
		t.Errorf("Lookup = %v, and its context: %v; want an error while it has time left", err, ctx.Err())
	}
}

// TestMissingPrivilegeIsNamed: the reason of a lookup names the privilege that the API client lacks.
func TestMissingPrivilegeIsNamed(t *testing.T) {
	t.Parallel()
	for _, api := range []string{"pro", "classic"} {
		server := started(t, jamftest.Options{Devices: computers(1)})
		client := server.Client()
		client.Privileges = []string{jamftest.ReadMobileDevices}
		server.SetClients(client)
		_, err := opened(t, configOf(server, api)).Lookup(t.Context(), query(t, numbered(0), posture.Computer))
		if want := " answered 403: the API client lacks the privilege " + jamftest.ReadComputers; err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: Lookup = %v, want the end %q", api, err, want)
		}
	}
}

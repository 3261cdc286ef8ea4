package jamf_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/jamf"
	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

const (
	macSerial    = "C02XK1ABJHD2"
	phoneSerial  = "DMPXK1ABJF88"
	otherSerial  = "F9FXK1ABPLJM"
	absentSerial = "ZZZXK1ABZZZZ"
)

// ample is enough time for a lookup to succeed on a busy machine.
const ample = time.Minute

// started starts a Jamf Pro server. At the end of the test its violations are failures.
func started(t *testing.T, options jamftest.Options) *jamftest.Server {
	t.Helper()
	server := tolerant(t, options)
	t.Cleanup(func() {
		for _, violation := range server.Violations() {
			t.Errorf("violation: %s", violation)
		}
	})
	return server
}

// tolerant starts a Jamf Pro server whose violations are not looked at.
func tolerant(t *testing.T, options jamftest.Options) *jamftest.Server {
	t.Helper()
	server, err := jamftest.New(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

// configOf is the configuration for a server.
func configOf(server *jamftest.Server, api string) jamf.Config {
	client := server.Client()
	return jamf.Config{
		BaseURL: server.BaseURL(), ClientID: client.ID, ClientSecret: config.NewSecret([]byte(client.Secret)),
		API: api, Timeout: 10, RootCAs: server.CertPool(),
	}
}

func opened(t *testing.T, c jamf.Config) *jamf.Provider {
	t.Helper()
	provider, err := jamf.New(c)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return provider
}

// deciding is the provider behind the gate that the daemon makes without a policy file.
func deciding(t *testing.T, c jamf.Config) (posture.Provider, *posture.Gate) {
	t.Helper()
	provider, warnings, err := jamf.Open(c)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("Open = %q, %v", warnings, err)
	}
	source := posture.Source{
		Provider: provider, DefaultType: c.DefaultType(), Facts: posture.WithoutPolicy(), AllowUnmanaged: c.Requirements().AllowUnmanaged,
	}
	return provider, &posture.Gate{
		Join:   posture.Join{Inventories: []posture.Source{source}},
		Policy: posture.Policy{Requirements: map[string]posture.Requirements{"": c.Requirements()}},
	}
}

// decide has a gate decide about a device.
func decide(t *testing.T, gate *posture.Gate, q posture.Query) (posture.Decision, error) {
	t.Helper()
	return gate.Decide(t.Context(), q, &posture.Evidence{})
}

// query is one of many: each has its own request ID, which must make no difference.
func query(t *testing.T, serial string, of posture.DeviceType) posture.Query {
	t.Helper()
	id, err := posture.ParseIdentifier(serial)
	if err != nil {
		t.Fatal(err)
	}
	return posture.Query{Identifier: id, Type: of, Facts: posture.WithoutPolicy(), RequestID: rand.Text()}
}

func lookup(t *testing.T, provider posture.Provider, serial string, of posture.DeviceType) (posture.Device, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	return provider.Lookup(ctx, query(t, serial, of))
}

// finds looks up a device that has to be found.
func finds(t *testing.T, provider posture.Provider, serial string, of posture.DeviceType) posture.Device {
	t.Helper()
	device, err := lookup(t, provider, serial, of)
	if err != nil || device.Identifier != serial {
		t.Fatalf("Lookup(%q, %q) = %+v, %v, want the device", serial, of, device, err)
	}
	return device
}

// await waits until the server has come to a state.
func await(t *testing.T, server *jamftest.Server, reached func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	if err := server.Await(ctx, reached); err != nil {
		t.Fatal(err)
	}
}

// held makes the lookup endpoints keep their answers back until the gate is closed.
func held(server *jamftest.Server, gate <-chan struct{}, endpoints ...string) {
	server.Fail(vendortest.Fault{Kind: vendortest.Hold, Until: gate}, endpoints...)
}

// lookupEndpoints are those at which devices are looked up.
func lookupEndpoints() []string {
	return []string{
		jamftest.Computers + "1", jamftest.Computers + "2", jamftest.Computers + "3", jamftest.Computers + "4",
		jamftest.MobileDevices, jamftest.ClassicComputers, jamftest.ClassicMobile,
	}
}

func mac(serial string, groups ...string) jamftest.Device {
	return jamftest.Device{
		Computer: true, Serial: serial, UDID: "5B1D6C1E-7C0B-5E0E-9A55-0C7D1B0A9F11", ProvisioningUDID: "00008122-000A1B2C3D4E5F60",
		Name: "mac-ana-01", Managed: new(true), Supervised: true, Groups: named(groups),
		User: jamftest.User{
			Username: "ana", RealName: "Ana Example", Email: "ana@example.com", Position: "Engineer", Department: "Platform",
		},
	}
}

func phone(serial string, groups ...string) jamftest.Device {
	return jamftest.Device{
		Serial: serial, UDID: "00008101-000A11AA22BB001E", Name: "iPad-Ward3-07", Managed: new(true), Supervised: true, Groups: named(groups),
		User: jamftest.User{
			Username: "bo", RealName: "Bo Example", Email: "bo@example.com", Position: "Nurse", Phone: "555-0100", Room: "7", Department: "Ward 3",
		},
	}
}

// named makes groups, every other one a smart group.
func named(names []string) []jamftest.Group {
	var groups []jamftest.Group
	for i, name := range names {
		groups = append(groups, jamftest.Group{Name: name, Smart: i%2 == 0})
	}
	return groups
}

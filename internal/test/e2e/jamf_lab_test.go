package e2e_test

import (
	"cmp"
	"context"
	"crypto/x509"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/connector"
	"step-posture-connector/internal/test/e2e/device"
	"step-posture-connector/internal/test/e2e/fakejamf"
	"step-posture-connector/internal/test/e2e/gate"
)

// The required groups. Groups with almost the same name, and the group of the other kind
// of device, must not be accepted.
const (
	macGroup   = "Macs, disk encrypted"
	phoneGroup = "iPhones, up to date"
)

// The devices of the simulated Jamf Pro server, and one that it does not have.
const (
	memberMac           = "C02JAMFMAC01"
	outsiderMac         = "C02JAMFMAC02"
	unmanagedMac        = "C02JAMFMAC03"
	memberPhone         = "F17JAMFPHN01"
	outsiderPhone       = "F17JAMFPHN02"
	unmanagedPhone      = "F17JAMFPHN03"
	unassignedPhone     = "F17JAMFPHN04"
	unknownSerialNumber = "C02JAMFNONE1"
)

// jamfDevices is the inventory. Department and device name would change a certificate
// whose template does not quote them.
func jamfDevices() []fakejamf.Device {
	ada := fakejamf.User{
		Username: "ada", RealName: "Ada Example", Email: email, Position: "Engineer", Department: department,
	}
	mac := func(serial string, managed bool, groups ...fakejamf.Group) fakejamf.Device {
		return fakejamf.Device{
			Computer: true, Serial: serial, UDID: "5B1D6C1E-7C0B-5E0E-9A55-" + serial,
			Name: `Ada's "Mac" ` + serial, Managed: managed, User: ada, Groups: groups,
		}
	}
	phone := func(serial string, managed bool, groups ...fakejamf.Group) fakejamf.Device {
		return fakejamf.Device{
			Serial: serial, UDID: "00008101-" + serial, Name: `Ada's "iPhone" ` + serial,
			Managed: managed, User: ada, Groups: groups,
		}
	}
	smart := func(name string) fakejamf.Group { return fakejamf.Group{Name: name, Smart: true} }
	static := func(name string) fakejamf.Group { return fakejamf.Group{Name: name} }
	unassigned := phone(unassignedPhone, true, static(phoneGroup))
	unassigned.User = fakejamf.User{}
	return []fakejamf.Device{
		mac(memberMac, true, smart("All Managed Clients"), smart(macGroup)),
		mac(outsiderMac, true, smart(macGroup+" soon"), static(phoneGroup)),
		mac(unmanagedMac, false, smart(macGroup)),
		phone(memberPhone, true, static(phoneGroup)),
		phone(outsiderPhone, true, static("IPHONES, UP TO DATE"), smart(macGroup)),
		phone(unmanagedPhone, false, static(phoneGroup)),
		unassigned,
	}
}

// jamfRecord returns a record of jamfDevices.
func jamfRecord(t *testing.T, serial string) fakejamf.Device {
	t.Helper()
	devices := jamfDevices()
	i := slices.IndexFunc(devices, func(d fakejamf.Device) bool { return d.Serial == serial })
	if i < 0 {
		t.Fatalf("the inventory has no %s", serial)
	}
	return devices[i]
}

// jamfLab is a simulated Jamf Pro server, and the gate whose connector asks it.
type jamfLab struct {
	*lab
	server *fakejamf.Server
	gate   *gate.Gate
}

// openJamf puts a gate in front of the lab's CA that requires both groups. At the end
// it calls expectDecent.
func (l *lab) openJamf(t *testing.T, access connector.Jamf, config gate.Config) *jamfLab {
	t.Helper()
	s := &jamfLab{lab: l}
	var err error
	// The test's context ends before its cleanups run, and they still need the server.
	s.server, err = fakejamf.Start(context.WithoutCancel(t.Context()), fakejamf.Config{
		Binary: l.programs.FakeJamf(), Dir: t.TempDir(), Devices: jamfDevices(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.server.Stop(); err != nil {
			t.Errorf("stop fakejamf: %v", err)
		}
	})
	asked := s.server.Access()
	asked.API, asked.Enrich = access.API, access.Enrich
	asked.ComputerGroup, asked.DeviceGroup = macGroup, phoneGroup
	config.Jamf, config.LoggingLevel = &asked, 2
	config.Provisioner.Template = cmp.Or(config.Provisioner.Template, gate.JamfTemplate)
	t.Cleanup(func() {
		if s.gate != nil {
			s.expectDecent(t)
		}
	})
	s.gate = l.open(t, config)
	return s
}

// expectDecent checks that the connector, which has exited, has neither printed a secret
// nor violated the rules for clients of Jamf Pro.
func (s *jamfLab) expectDecent(t *testing.T) {
	t.Helper()
	s.expectNoSecrets(t, "the log", s.gate.Connector().Log())
	report, err := s.server.Report(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Error(err)
	}
	for _, violation := range report.Violations {
		t.Errorf("Jamf Pro reports a violation: %s", violation)
	}
	if report.Counts["token"] == 0 {
		t.Errorf("requests = %v, want some for a token", report.Counts)
	}
}

// expectNoSecrets looks for the secret, for tokens, which begin with eyJ, and for texts
// of the server's errors.
func (s *jamfLab) expectNoSecrets(t *testing.T, what, text string) {
	t.Helper()
	for name, secret := range map[string]string{
		"the client secret": s.server.Secret(), "a token": "eyJ", "words of the server": "vendor-words",
	} {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows %s:\n%s", what, name, text)
		}
	}
}

// order makes a new device with the given serial number, which attests to an order at the
// provisioner of the given mode.
func (s *jamfLab) order(t *testing.T, mode, serial string) *device.Order {
	t.Helper()
	return s.lab.order(t, s.gate.DirectoryURLOf(mode), serial)
}

// expectFromJamf checks a certificate of gate.JamfTemplate: it has the server's data
// about the device.
func expectFromJamf(t *testing.T, serial string, cert *x509.Certificate, err error) {
	t.Helper()
	expectIssuedTo(t, serial, cert, err)
	record := jamfRecord(t, serial)
	var groups []string
	for _, group := range record.Groups {
		groups = append(groups, group.Name)
	}
	if got := cert.Subject.OrganizationalUnit; !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(groups))) {
		t.Errorf("organizational units = %q, want the groups %q", got, groups)
	}
	if got, want := cert.Subject.Organization, some(record.User.Department); !slices.Equal(got, want) {
		t.Errorf("organizations = %q, want the department %q", got, want)
	}
	if got, want := cert.EmailAddresses, some(record.User.Email); !slices.Equal(got, want) {
		t.Errorf("e-mail addresses = %q, want %q", got, want)
	}
	var descriptions []string
	for _, name := range cert.Subject.Names {
		if value, ok := name.Value.(string); ok && name.Type.String() == "2.5.4.13" {
			descriptions = append(descriptions, value)
		}
	}
	if want := []string{record.Name}; !slices.Equal(descriptions, want) {
		t.Errorf("descriptions = %q, want the device's name %q", descriptions, want)
	}
}

// some is a list with the value, or an empty list for an empty value.
func some(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

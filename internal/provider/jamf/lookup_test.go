package jamf_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/panics"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

func wantError(t *testing.T, provider posture.Provider, serial string, of posture.DeviceType, want error) {
	t.Helper()
	if device, err := lookup(t, provider, serial, of); !errors.Is(err, want) {
		t.Errorf("Lookup(%q, %q) = %+v, %v, want %v", serial, of, device, err, want)
	}
}

// wantFault insists on an error that is no answer about the device.
func wantFault(t *testing.T, provider posture.Provider, serial string, of posture.DeviceType) {
	t.Helper()
	device, err := lookup(t, provider, serial, of)
	if err == nil || errors.Is(err, posture.ErrNotFound) || errors.Is(err, posture.ErrAmbiguous) || errors.Is(err, posture.ErrIdentifier) {
		t.Errorf("Lookup(%q, %q) = %+v, %v, want an error that says Jamf could not answer", serial, of, device, err)
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	for _, api := range []string{"pro", "classic"} {
		t.Run(api, func(t *testing.T) {
			t.Parallel()
			server := started(t, jamftest.Options{Devices: []jamftest.Device{mac(macSerial), phone(phoneSerial), mac(otherSerial), phone(otherSerial)}})
			provider := opened(t, configOf(server, api))
			const byDefault posture.DeviceType = ""
			finds(t, provider, phoneSerial, byDefault)
			wantError(t, provider, macSerial, byDefault, posture.ErrNotFound)
			if device := finds(t, provider, otherSerial, byDefault); device.Type != posture.MobileDevice {
				t.Errorf("by default a %q is found, want a mobile device", device.Type)
			}
			finds(t, provider, macSerial, posture.Computer)
			finds(t, provider, macSerial, posture.AnyDevice)
			finds(t, provider, phoneSerial, posture.AnyDevice)
			wantError(t, provider, otherSerial, posture.AnyDevice, posture.ErrAmbiguous)
			wantError(t, provider, absentSerial, posture.AnyDevice, posture.ErrNotFound)
		})
	}
}

// TestAnyWithOneSideUnknown: an answer of one side may be half of the truth.
func TestAnyWithOneSideUnknown(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		serial  string
		failing []string
	}{
		"computer found, mobile devices fail": {macSerial, []string{jamftest.MobileDevices}},
		"mobile device found, computers fail": {phoneSerial, []string{jamftest.Computers + "4"}},
		"nothing found, mobile devices fail":  {absentSerial, []string{jamftest.MobileDevices}},
		"nothing found, computers fail":       {absentSerial, []string{jamftest.Computers + "4"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := started(t, jamftest.Options{Devices: []jamftest.Device{mac(macSerial), phone(phoneSerial)}})
			provider := opened(t, configOf(server, "pro"))
			for _, status := range []int{500, 403, 400} {
				server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: status}, row.failing...)
				wantFault(t, provider, row.serial, posture.AnyDevice)
				server.Heal()
			}
		})
	}
}

// TestPanicWithAny: a fault of the connector does not look like one of Jamf's, on either side.
func TestPanicWithAny(t *testing.T) {
	t.Parallel()
	for _, of := range []posture.DeviceType{posture.Computer, posture.MobileDevice} {
		t.Run(string(of), func(t *testing.T) {
			t.Parallel()
			server := started(t, jamftest.Options{Devices: []jamftest.Device{mac(macSerial), phone(phoneSerial)}})
			provider := opened(t, configOf(server, "pro"))
			provider.Break(of)
			defer func() {
				p, ok := recover().(*panics.Panic)
				if !ok {
					t.Fatal("what was recovered is no *panics.Panic")
				}
				if _, stack := p.Panicked(); !strings.Contains(string(stack), "jamf.(*broken).lookup(") {
					t.Errorf("the stack is not that of the function that panicked:\n%s", stack)
				}
			}()
			device, err := lookup(t, provider, macSerial, posture.AnyDevice)
			t.Errorf("Lookup = %+v, %v, want a panic", device, err)
		})
	}
}

// TestIdentifiers: a text that cannot be a serial number is refused without a request.
func TestIdentifiers(t *testing.T) {
	t.Parallel()
	for _, api := range []string{"pro", "classic"} {
		server := started(t, jamftest.Options{})
		provider := opened(t, configOf(server, api))
		for _, identifier := range []string{
			"C02XK1A", "C02XK1ABJHD2345", "5B1D6C1E-7C0B-5E0E-9A55-0C7D1B0A9F11", "00008122-000A1B2C3D4E5F60", "C02XK1AB_HD2", "C02XK1AB HD2",
			"C02XK1ABJHD*", `C02XK1ABJHD"`, "C02XK1AB/HD2", "C02XK1AB..D2", "12345678-1", "(C02XK1AB)",
		} {
			for _, of := range []posture.DeviceType{"", posture.Computer, posture.MobileDevice, posture.AnyDevice} {
				wantError(t, provider, identifier, of, posture.ErrIdentifier)
			}
		}
		if got := server.Count(); got != 0 {
			t.Errorf("%s: %d requests were made, want none", api, got)
		}
		for _, identifier := range []string{"C02XK1AB", "C02XK1ABJHD234", "12345678", "c02xk1ab"} {
			wantError(t, provider, identifier, posture.Computer, posture.ErrNotFound)
		}
	}
}

// TestManaged: only a record that says it is managed is, and the policy lets others pass only where
// the configuration says so.
func TestManaged(t *testing.T) {
	t.Parallel()
	drop := vendortest.Fault{Kind: vendortest.Edit, Change: func(body []byte) []byte {
		body = bytes.ReplaceAll(body, []byte(`"managed":true,`), nil)
		return bytes.ReplaceAll(body, []byte(`"remoteManagement":{`), []byte(`"remoteManagement":{"x":1,`))
	}}
	for _, api := range []string{"pro", "classic"} {
		for name, row := range map[string]struct {
			managed *bool
			fault   *vendortest.Fault
			want    bool
		}{
			"managed": {new(true), nil, true}, "unmanaged": {new(false), nil, false}, "null": {nil, nil, false}, "missing": {new(true), &drop, false},
		} {
			t.Run(api+", "+name, func(t *testing.T) {
				t.Parallel()
				computer, device := mac(macSerial), phone(phoneSerial)
				computer.Managed, device.Managed = row.managed, row.managed
				server := started(t, jamftest.Options{Devices: []jamftest.Device{computer, device}, Quirks: jamftest.Quirks{ManagedAsString: name == "managed"}})
				if row.fault != nil {
					server.Fail(*row.fault, lookupEndpoints()...)
				}
				for _, lenient := range []bool{false, true} {
					c := configOf(server, api)
					c.AllowUnmanaged = config.Switch(lenient)
					_, gate := deciding(t, c)
					for serial, of := range map[string]posture.DeviceType{macSerial: posture.Computer, phoneSerial: posture.MobileDevice} {
						decision, err := decide(t, gate, query(t, serial, of))
						if err != nil || decision.Allowed() != (row.want || lenient) {
							t.Errorf("allow unmanaged %v, %s: Decide = %+v, %v", lenient, of, decision, err)
						}
						if !decision.Allowed() && decision.Code() != posture.DeviceNotManaged {
							t.Errorf("the code is %q, want %q", decision.Code(), posture.DeviceNotManaged)
						}
					}
				}
			})
		}
	}
}

// TestRequiredGroups: each kind of device has its own, by exact name; smart and static groups are alike.
func TestRequiredGroups(t *testing.T) {
	t.Parallel()
	for _, api := range []string{"pro", "classic"} {
		t.Run(api, func(t *testing.T) {
			t.Parallel()
			server := started(t, jamftest.Options{
				Devices: []jamftest.Device{
					mac(macSerial, "Smart Macs", "Static Macs"), phone(phoneSerial, "Smart iPads", "Static iPads"), mac(otherSerial), phone("F9FXK1ABPLJ2"),
				},
				Quirks: jamftest.Quirks{EmptyContainers: `""`},
			})
			for name, row := range map[string]struct {
				computer, device string
				allowed          bool
			}{
				"smart":      {"Smart Macs", "Smart iPads", true},
				"static":     {"Static Macs", "Static iPads", true},
				"other kind": {"Smart iPads", "Smart Macs", false},
				"prefix":     {"Smart", "Smart", false},
				"longer":     {"Smart Macs 2", "Smart iPads 2", false},
				"other case": {"smart macs", "smart ipads", false},
				"joined":     {"Smart Macs, Static Macs", "Smart iPads,Static iPads", false},
				"wildcard":   {"*", "*", false},
			} {
				c := configOf(server, api)
				c.ComputerGroup, c.DeviceGroup = row.computer, row.device
				_, gate := deciding(t, c)
				for _, ask := range []struct {
					serial string
					of     posture.DeviceType
					want   bool
				}{
					{macSerial, posture.Computer, row.allowed},
					{phoneSerial, posture.MobileDevice, row.allowed},
					{macSerial, posture.AnyDevice, row.allowed},
					{phoneSerial, posture.AnyDevice, row.allowed},
					{otherSerial, posture.Computer, false},
					{"F9FXK1ABPLJ2", posture.MobileDevice, false},
				} {
					decision, err := decide(t, gate, query(t, ask.serial, ask.of))
					if err != nil || decision.Allowed() != ask.want || !ask.want && decision.Code() != posture.DeviceNotInGroup {
						t.Errorf("%s: Decide(%q, %q) = %v %q, %v, want %v", name, ask.serial, ask.of, decision.Allowed(), decision.Code(), err, ask.want)
					}
				}
			}
		})
	}
}

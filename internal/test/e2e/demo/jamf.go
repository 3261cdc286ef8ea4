package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/crypto/acme"

	"step-posture-connector/internal/test/e2e/fakejamf"
	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/stepca"
)

// The devices of the played Jamf Pro server, and the groups that are required.
const (
	macSerial   = "C02DEMOMAC01"
	phoneSerial = "F17DEMOPHN01"
	macName     = "ada's MacBook Air"
	macGroup    = "Disk encrypted"
	phoneGroup  = "Up to date"
)

// jamfDevices are a Mac that is in its group and an iPhone that is not.
func jamfDevices() []fakejamf.Device {
	return []fakejamf.Device{
		{
			Computer: true, Serial: macSerial, UDID: "5B1D6C1E-7C0B-5E0E-9A55-0C7D1B0A9F11", Name: macName, Managed: true,
			User:   fakejamf.User{Username: "ada", RealName: "Ada Example", Email: email, Department: department},
			Groups: []fakejamf.Group{{Name: "All Managed Clients", Smart: true}, {Name: macGroup, Smart: true}},
		},
		{
			Serial: phoneSerial, UDID: "00008101-000A11AA22BB001E", Name: "bo's iPhone", Managed: true,
			User:   fakejamf.User{Username: "bo", RealName: "Bo Example", Email: "bo@example.com", Department: department},
			Groups: []fakejamf.Group{{Name: "All Managed iPhones", Smart: true}},
		},
	}
}

// openJamf starts the Jamf Pro server and puts a gate before the CA whose connector
// asks it: one provisioner for Macs and iPhones.
func openJamf(ctx context.Context, s *stage) error {
	dir, err := s.mkdir("jamf")
	if err != nil {
		return err
	}
	s.jamf, err = fakejamf.Start(ctx, fakejamf.Config{
		Binary: s.programs.FakeJamf(), Dir: dir, Devices: jamfDevices(),
	})
	if err != nil {
		return err
	}
	access := s.jamf.Access()
	access.ComputerGroup, access.DeviceGroup, access.Enrich = macGroup, phoneGroup, true
	return s.openGate(ctx, gate.Config{
		Provisioner: stepca.Provisioner{Template: gate.JamfTemplate},
		Modes:       []string{"any"},
		Jamf:        &access,
	})
}

// memberMac shows that a Mac which is in the required group gets a certificate,
// with what Jamf knows about it.
func memberMac(ctx context.Context, s *stage, out io.Writer) error {
	fmt.Fprintf(out, "1. A Mac asks for a certificate. Jamf manages %s, and it is in the required group %q:\n", macSerial, macGroup)
	cert, err := s.certificate(ctx, macSerial)
	return s.expectMac(out, cert, err)
}

// expectMac checks and shows the certificate of the Mac.
func (s *stage) expectMac(out io.Writer, cert *x509.Certificate, err error) error {
	if err != nil {
		return fmt.Errorf("the Mac in the group got no certificate: %w\n%s", err, s.gate.Connector().Log())
	}
	identifiers, err := identifiersOf(cert)
	if err != nil {
		return err
	}
	var names []string
	for _, name := range cert.Subject.Names {
		if value, ok := name.Value.(string); ok && name.Type.String() == "2.5.4.13" {
			names = append(names, value)
		}
	}
	if !slices.Equal(identifiers, []string{macSerial}) || !slices.Equal(names, []string{macName}) ||
		!slices.Equal(cert.Subject.Organization, []string{department}) ||
		!slices.Contains(cert.Subject.OrganizationalUnit, macGroup) ||
		!slices.Equal(cert.EmailAddresses, []string{email}) {
		return fmt.Errorf("the certificate lacks Jamf's data: subject %q, identifiers %q, e-mail %q",
			cert.Subject, identifiers, cert.EmailAddresses)
	}
	fmt.Fprintf(out, "   => It GETS one. From the attestation and from Jamf it has:\n")
	fmt.Fprintf(out, "     serial number  %s\n", identifiers[0])
	fmt.Fprintf(out, "     device name    %s\n", names[0])
	fmt.Fprintf(out, "     department     %s\n", cert.Subject.Organization[0])
	fmt.Fprintf(out, "     groups         %s\n", strings.Join(cert.Subject.OrganizationalUnit, ", "))
	fmt.Fprintf(out, "     e-mail         %s\n", cert.EmailAddresses[0])
	return nil
}

// outsiderPhone shows that a managed iPhone which is not in the group gets nothing.
func outsiderPhone(ctx context.Context, s *stage, out io.Writer) error {
	fmt.Fprintf(out, "2. An iPhone asks. Jamf manages %s, but it is not in the group %q:\n", phoneSerial, phoneGroup)
	cert, err := s.certificate(ctx, phoneSerial)
	return s.expectRefusal(ctx, out, "deviceNotInGroup", phoneSerial, cert, err)
}

// askWhy shows how an administrator finds out.
func askWhy(ctx context.Context, s *stage, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, sceneTimeout)
	defer cancel()
	fmt.Fprintf(out, "3. The administrator asks why, on the connector's machine:\n")
	fmt.Fprintf(out, "     $ step-posture-connector lookup %s --mode any\n", phoneSerial)
	result, err := s.gate.Lookup(ctx, phoneSerial, "any")
	if err != nil {
		return err
	}
	for line := range strings.Lines(result.Stdout) {
		fmt.Fprintf(out, "     %s", line)
	}
	fmt.Fprintf(out, "     (exit status %d)\n", result.Status)
	if result.Status != 2 || !strings.Contains(result.Stdout, phoneGroup) {
		return fmt.Errorf("lookup does not say that the group is missing\n%s", result.Stderr)
	}
	return nil
}

// jamfDown shows that nobody is let in, and nobody refused, while Jamf cannot be
// asked.
func jamfDown(ctx context.Context, s *stage, out io.Writer) error {
	fmt.Fprintf(out, "4. Jamf cannot be reached. The Mac asks for another certificate:\n")
	var err error
	if s.waiting, err = s.order(ctx, macSerial); err != nil {
		return err
	}
	if err := s.jamf.Down(ctx); err != nil {
		return err
	}
	cert, err := finalize(ctx, s.waiting)
	return s.expectServerError(ctx, out, macSerial, cert, err)
}

// jamfUp shows that the same order succeeds when Jamf is back.
func jamfUp(ctx context.Context, s *stage, out io.Writer) error {
	if s.waiting == nil {
		return errors.New("no device is waiting")
	}
	fmt.Fprintf(out, "5. Jamf is back. The Mac tries again, with the same order:\n")
	if err := s.jamf.Up(ctx); err != nil {
		return err
	}
	status, err := s.waiting.Status(ctx)
	if err != nil {
		return err
	}
	if status != acme.StatusReady {
		return fmt.Errorf("the order is %q, want %q", status, acme.StatusReady)
	}
	cert, err := finalize(ctx, s.waiting)
	return s.expectMac(out, cert, err)
}

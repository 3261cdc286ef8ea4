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

// The devices of the simulated Jamf Pro server, and the required groups.
const (
	macSerial   = "C02DEMOMAC01"
	phoneSerial = "F17DEMOPHN01"
	macName     = "ada's MacBook Air"
	macGroup    = "Disk encrypted"
	phoneGroup  = "Up to date"
)

// jamfDevices are a Mac in the required group and an iPhone outside of it.
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

// openJamf starts the Jamf Pro server and puts a gate in front of the CA; its
// connector asks that server. Macs and iPhones share one provisioner.
func openJamf(ctx context.Context, s *setup) error {
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

// macInGroup shows that a Mac in the required group gets a certificate, with data
// from Jamf Pro.
func macInGroup(ctx context.Context, s *setup, out io.Writer) error {
	fmt.Fprintf(out, "1. A Mac orders a certificate. Jamf Pro manages %s, and it is in the required group %q:\n", macSerial, macGroup)
	cert, err := s.certificate(ctx, macSerial)
	return s.expectMac(out, cert, err)
}

// expectMac checks and shows the certificate of the Mac.
func (s *setup) expectMac(out io.Writer, cert *x509.Certificate, err error) error {
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
		return fmt.Errorf("the certificate lacks data from Jamf Pro: subject %q, identifiers %q, e-mail %q",
			cert.Subject, identifiers, cert.EmailAddresses)
	}
	fmt.Fprintf(out, "   => ISSUED, with data from the attestation and from Jamf Pro:\n")
	fmt.Fprintf(out, "     serial number  %s\n", identifiers[0])
	fmt.Fprintf(out, "     device name    %s\n", names[0])
	fmt.Fprintf(out, "     department     %s\n", cert.Subject.Organization[0])
	fmt.Fprintf(out, "     groups         %s\n", strings.Join(cert.Subject.OrganizationalUnit, ", "))
	fmt.Fprintf(out, "     e-mail         %s\n", cert.EmailAddresses[0])
	return nil
}

// phoneOutsideGroup shows that a managed iPhone outside the required group gets no certificate.
func phoneOutsideGroup(ctx context.Context, s *setup, out io.Writer) error {
	fmt.Fprintf(out, "2. An iPhone orders a certificate. Jamf Pro manages %s, but it is not in the required group %q:\n", phoneSerial, phoneGroup)
	cert, err := s.certificate(ctx, phoneSerial)
	return s.expectRefusal(ctx, out, "deviceNotInGroup", phoneSerial, cert, err)
}

// lookUpReason shows how an administrator finds the reason.
func lookUpReason(ctx context.Context, s *setup, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	fmt.Fprintf(out, "3. The administrator looks up the reason, on the connector's machine:\n")
	fmt.Fprintf(out, "     $ step-posture-connector lookup %s --mode any\n", phoneSerial)
	result, err := s.gate.Lookup(ctx, phoneSerial, "any")
	if err != nil {
		return err
	}
	for line := range strings.Lines(result.Stdout) {
		fmt.Fprintf(out, "     %s", line)
	}
	fmt.Fprintf(out, "     (exit code %d)\n", result.Status)
	if result.Status != 2 || !strings.Contains(result.Stdout, phoneGroup) {
		return fmt.Errorf("lookup does not say that the group is missing\n%s", result.Stderr)
	}
	return nil
}

// jamfUnreachable shows that no device is allowed or denied while Jamf Pro cannot be
// asked.
func jamfUnreachable(ctx context.Context, s *setup, out io.Writer) error {
	fmt.Fprintf(out, "4. Jamf Pro cannot be reached. The Mac orders another certificate:\n")
	var err error
	if s.pending, err = s.order(ctx, macSerial); err != nil {
		return err
	}
	if err := s.jamf.Down(ctx); err != nil {
		return err
	}
	cert, err := finalize(ctx, s.pending)
	return s.expectServerError(ctx, out, macSerial, cert, err)
}

// jamfBack shows that the same order succeeds when Jamf Pro is back.
func jamfBack(ctx context.Context, s *setup, out io.Writer) error {
	if s.pending == nil {
		return errors.New("no order is pending")
	}
	fmt.Fprintf(out, "5. Jamf Pro is back. The Mac tries again, with the same order:\n")
	if err := s.jamf.Up(ctx); err != nil {
		return err
	}
	status, err := s.pending.Status(ctx)
	if err != nil {
		return err
	}
	if status != acme.StatusReady {
		return fmt.Errorf("the order is %q, want %q", status, acme.StatusReady)
	}
	cert, err := finalize(ctx, s.pending)
	return s.expectMac(out, cert, err)
}

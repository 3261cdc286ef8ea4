package e2e_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/connector"
	"step-posture-connector/internal/test/e2e/fakejamf"
	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/stepca"
)

// TestJamf runs the scenarios with a simulated Jamf Pro server, once for each of its two
// APIs.
func TestJamf(t *testing.T) {
	if err := fakejamf.Supported(); err != nil {
		t.Skip(err)
	}
	l := newLab(t)
	if err := l.programs.BuildFakeJamf(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, api := range []string{"pro", "classic"} {
		t.Run(api, func(t *testing.T) {
			t.Parallel()
			// The Pro API has mutual TLS as well: SSL_CERT_FILE makes the connector trust
			// Jamf Pro, and must not change which clients it accepts.
			s := l.openJamf(t, connector.Jamf{API: api, Enrich: true}, gate.Config{
				Modes:     []string{"any", "computer", "mobiledevice", ""},
				MutualTLS: api == "pro", AllowedNames: stepca.Name,
			})
			t.Run("answers", s.testAnswers)
			t.Run("followed", s.testFollowed)
			t.Run("lookup", s.testLookup)
			t.Run("down, then up", s.testDown)
			t.Run("refused, then joins", s.testJoins)
		})
	}
	t.Run("not enriched", func(t *testing.T) {
		t.Parallel()
		testNotEnriched(t, l)
	})
	t.Run("template of the setup guide", func(t *testing.T) {
		t.Parallel()
		testSetupTemplate(t, l)
	})
}

// testSetupTemplate: an operator who has followed docs/setup.md with a file switches to
// Jamf Pro without a change of provisioner, template or webhook.
func testSetupTemplate(t *testing.T, l *lab) {
	s := l.openJamf(t, connector.Jamf{Enrich: true}, gate.Config{Modes: []string{"any"}, Provisioner: stepca.Provisioner{Template: gate.Template}})
	for _, serial := range []string{memberMac, memberPhone, unassignedPhone} {
		cert, err := finalize(t, s.order(t, "any", serial))
		expectIssuedTo(t, serial, cert, err)
		user := jamfRecord(t, serial).User
		if got, want := cert.Subject.OrganizationalUnit, some(user.Department); !slices.Equal(got, want) {
			t.Errorf("%s: organizational units = %q, want the department %q", serial, got, want)
		}
		if got, want := cert.EmailAddresses, some(user.Email); !slices.Equal(got, want) {
			t.Errorf("%s: e-mail addresses = %q, want %q", serial, got, want)
		}
	}
}

// testAnswers: which devices get a certificate from which provisioner, and the error for the others.
func (s *jamfLab) testAnswers(t *testing.T) {
	tests := []struct {
		mode, serial string
		code         string // empty: a certificate
	}{
		{"any", memberMac, ""},
		{"any", outsiderMac, "deviceNotInGroup"},
		{"any", unmanagedMac, "deviceNotManaged"},
		{"any", memberPhone, ""},
		{"any", unassignedPhone, ""},
		{"any", outsiderPhone, "deviceNotInGroup"},
		{"any", unmanagedPhone, "deviceNotManaged"},
		{"any", unknownSerialNumber, "deviceNotFound"},

		{"computer", memberMac, ""},
		{"computer", outsiderMac, "deviceNotInGroup"},
		{"computer", unmanagedMac, "deviceNotManaged"},
		{"computer", memberPhone, "deviceNotFound"},
		{"computer", unknownSerialNumber, "deviceNotFound"},

		{"mobiledevice", memberPhone, ""},
		{"mobiledevice", outsiderPhone, "deviceNotInGroup"},
		{"mobiledevice", unmanagedPhone, "deviceNotManaged"},
		{"mobiledevice", memberMac, "deviceNotFound"},
		{"mobiledevice", unknownSerialNumber, "deviceNotFound"},

		{"", memberPhone, ""},
		{"", memberMac, "deviceNotFound"},

		// Not a valid serial number, so no lookup in Jamf Pro.
		{"any", "00008030-001A2B3C4D5E6F70", "identifierInvalid"},
	}
	for _, test := range tests {
		t.Run(test.mode+" "+test.serial, func(t *testing.T) {
			t.Parallel()
			order := s.order(t, test.mode, test.serial)
			cert, err := finalize(t, order)
			if test.code == "" {
				expectFromJamf(t, test.serial, cert, err)
				expectLog(t, s.gate.Connector(), "[ALLOW]", test.serial, "provider=jamf")
				return
			}
			expectRefused(t, s.gate.Connector(), test.code, test.serial, cert, err)
			for _, text := range []string{macGroup, phoneGroup, "Jamf"} {
				if strings.Contains(err.Error(), text) {
					t.Errorf("the device gets the error %q, which names %q", err, text)
				}
			}
			expectReady(t, order)
		})
	}
}

// testFollowed: one order can be followed from step-ca's log to the connector's log to
// Jamf Pro: every request for it has step-ca's request ID.
func (s *jamfLab) testFollowed(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	seen := len(s.requestIDs(t))
	for _, test := range []struct {
		serial   string
		status   int
		decision string
	}{
		{memberMac, http.StatusOK, "[ALLOW]"},
		{outsiderMac, http.StatusUnauthorized, "[DENY]"},
	} {
		order := s.order(t, "any", test.serial)
		_, err := finalize(t, order)
		id, idErr := s.ca.RequestID(ctx, order.FinalizeURL(), test.status)
		if idErr != nil {
			t.Fatalf("finalized with %v: %v", err, idErr)
		}
		expectLog(t, s.gate.Connector(), test.decision, test.serial, "request_id="+id)

		all := s.requestIDs(t)
		got := all[seen:]
		seen = len(all)
		if len(got) == 0 || slices.ContainsFunc(got, func(received string) bool { return received != id }) {
			t.Errorf("Jamf Pro received the request IDs %q, want only %q", got, id)
		}
	}
}

// requestIDs are those of all requests that Jamf Pro has received.
func (s *jamfLab) requestIDs(t *testing.T) []string {
	t.Helper()
	report, err := s.server.Report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return report.RequestIDs
}

// testLookup: the administrator can see the reason, which the device cannot.
func (s *jamfLab) testLookup(t *testing.T) {
	tests := []struct {
		serial string
		status int
		texts  []string
	}{
		{memberMac, 0, []string{"[ALLOW] " + memberMac, "computer", macGroup, "All Managed Clients", email}},
		{outsiderPhone, 2, []string{"[DENY] " + outsiderPhone, "deviceNotInGroup", phoneGroup, "IPHONES, UP TO DATE", "mobile"}},
		{unknownSerialNumber, 2, []string{"[DENY] " + unknownSerialNumber, "deviceNotFound"}},
	}
	for _, test := range tests {
		result, err := s.gate.Lookup(t.Context(), test.serial, "any")
		if err != nil {
			t.Fatal(err)
		}
		if result.Status != test.status {
			t.Errorf("lookup %s: exit status %d, want %d\n%s", test.serial, result.Status, test.status, result.Stderr)
		}
		for _, text := range test.texts {
			if !strings.Contains(result.Stdout, text) {
				t.Errorf("lookup %s printed\n%swant it to name %q", test.serial, result.Stdout, text)
			}
		}
		s.expectNoSecrets(t, "lookup", result.Stdout+result.Stderr)
	}
}

// testDown: while Jamf Pro is unreachable, no device is allowed or denied; when it is
// reachable again, the same orders are decided.
func (s *jamfLab) testDown(t *testing.T) {
	member, outsider := s.order(t, "any", memberMac), s.order(t, "mobiledevice", outsiderPhone)
	if err := s.server.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	expectServerError(t, member)
	expectServerError(t, outsider)
	expectLog(t, s.gate.Connector(), "[DENY]", "unavailable", memberMac, "status=503")
	expectLog(t, s.gate.Connector(), "[DENY]", "unavailable", outsiderPhone, "status=503")
	result, err := s.gate.Lookup(t.Context(), memberMac, "any")
	if err != nil {
		t.Fatal(err)
	}
	if result.Status != 1 || result.Stdout != "" {
		t.Errorf("lookup: exit status %d, printed %q, want 1 and no decision", result.Status, result.Stdout)
	}
	s.expectNoSecrets(t, "lookup", result.Stderr)

	if err := s.server.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	cert, err := finalize(t, member)
	expectFromJamf(t, memberMac, cert, err)
	cert, err = finalize(t, outsider)
	expectRefused(t, s.gate.Connector(), "deviceNotInGroup", outsiderPhone, cert, err)
}

// testJoins: a device that becomes a member of the group is allowed with the order that
// was denied before; the connector needs no reload.
func (s *jamfLab) testJoins(t *testing.T) {
	order := s.order(t, "any", outsiderPhone)
	cert, err := finalize(t, order)
	expectRefused(t, s.gate.Connector(), "deviceNotInGroup", outsiderPhone, cert, err)

	joined := jamfRecord(t, outsiderPhone)
	joined.Groups = []fakejamf.Group{{Name: phoneGroup, Smart: true}}
	if err := s.server.SetDevices(t.Context(), []fakejamf.Device{joined}); err != nil {
		t.Fatal(err)
	}
	cert, err = finalize(t, order)
	expectIssuedTo(t, outsiderPhone, cert, err)
}

// testNotEnriched: with enrichment off the connector decides and returns no data. The
// template refuses and says why; without its second line it leaves out the data.
func testNotEnriched(t *testing.T, l *lab) {
	t.Run("as shipped", func(t *testing.T) {
		t.Parallel()
		s := l.openJamf(t, connector.Jamf{}, gate.Config{})
		expectServerError(t, s.order(t, "", memberPhone))
		if want := "set JAMF_COMPUTER_ENRICH=1 for computers, JAMF_DEVICE_ENRICH=1 for mobile devices"; !strings.Contains(l.ca.Log(), want) {
			t.Errorf("step-ca's log does not say %q", want)
		}
	})
	t.Run("without the second line", func(t *testing.T) {
		t.Parallel()
		lines := strings.SplitAfterN(gate.JamfTemplate, "\n", 3)
		s := l.openJamf(t, connector.Jamf{}, gate.Config{Provisioner: stepca.Provisioner{Template: lines[0] + lines[2]}})
		cert, err := finalize(t, s.order(t, "", memberPhone))
		expectIssuedTo(t, memberPhone, cert, err)
		if got, want := cert.Subject.String(), "CN="+memberPhone; got != want {
			t.Errorf("subject = %s, want %s", got, want)
		}
		if len(cert.EmailAddresses) > 0 {
			t.Errorf("e-mail addresses = %q, want none", cert.EmailAddresses)
		}
		cert, err = finalize(t, s.order(t, "", outsiderPhone))
		expectRefused(t, s.gate.Connector(), "deviceNotInGroup", outsiderPhone, cert, err)
	})
}

package e2e_test

import (
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/gate"
)

// Two policies over one inventory: what each requires and gives.
const (
	staffPolicy = `policies:
  staff:
    inventories: [file]
    rules:
      - {name: has_email, require: 'device.attributes["email"].endsWith("@example.com")'}
    data:
      department: '"VLAN 30: " + device.attributes["department"]'
      email: device.attributes["email"]
`
	guestPolicy = `  guests:
    inventories: [file]
    rules:
      - name: guest
        require: device.attributes["department"] == "Guests"
        code: notAGuest
        message: Only guests use this network; choose the network for staff
`
)

// testPolicies: two webhooks of two provisioners have a policy each. The certificate has what the data of its policy
// came to; the other policy's refusal has the code and the message of its rule. A changed file counts without a restart.
func testPolicies(t *testing.T, l *lab) {
	g := l.open(t, gate.Config{Modes: []string{"staff", "guests"}, Policies: staffPolicy + guestPolicy})
	cert, err := finalize(t, l.order(t, g.DirectoryURLOf("staff"), knownSerial))
	expectIssued(t, cert, err)
	if got, want := cert.Subject.OrganizationalUnit, []string{"VLAN 30: " + department}; !slices.Equal(got, want) {
		t.Errorf("organizational units = %q, want %q", got, want)
	}
	if got, want := cert.EmailAddresses, []string{email}; !slices.Equal(got, want) {
		t.Errorf("e-mail addresses = %q, want %q", got, want)
	}

	order := l.order(t, g.DirectoryURLOf("guests"), knownSerial)
	cert, err = finalize(t, order)
	expectRefused(t, g.Connector(), "notAGuest", knownSerial, cert, err)
	if want := "Only guests use this network; choose the network for staff (ref "; !strings.Contains(err.Error(), want) {
		t.Errorf("the device gets %v, want %q", err, want)
	}
	expectLog(t, g.Connector(), "[DENY]", "policy=guests", "rule guest is unmet: device.attributes")

	if err := g.SetPolicies(staffPolicy + strings.Replace(guestPolicy, `== "Guests"`, `!= "Guests"`, 1)); err != nil {
		t.Fatal(err)
	}
	expectLog(t, g.Connector(), "reloaded: policies")
	cert, err = finalize(t, order)
	expectEnriched(t, cert, err)
}

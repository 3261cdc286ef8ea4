package e2e_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/acme"

	"step-posture-connector/internal/test/e2e/device"
	"step-posture-connector/internal/test/e2e/machine"
)

// finalizer is an order of either kind.
type finalizer func() (*x509.Certificate, error)

// testACMEPage: names and devices by ACME. After a refusal and after 503 the order stays ready.
func testACMEPage(t *testing.T, m *machines) {
	const site, mac = "shop.pages.test", "C02XK1JKLVCG"
	p := m.follow(t, "acme.md", map[string]string{"roots.crt": string(m.maker.RootPEM())}, known(site), known("12345678"), known("pc-1"))
	name := p.orderNames(t, site)
	p.expectOrder(t, site, func() (*x509.Certificate, error) {
		return name.Finalize(t.Context(), pkix.Name{CommonName: site, Organization: []string{"Spoofed"}})
	})
	yubikey, err := m.maker.MakeYubiKey(12345678)
	if err != nil {
		t.Fatal(err)
	}
	key := p.orderDevice(t, yubikey, "yubikeys")
	cert, err := finalize(t, key)
	p.expectRole(t, yubikey.Serial, cert, err)
	tpm, err := m.maker.MakeTPM("pc-1", "pc-1")
	if err != nil {
		t.Fatal(err)
	}
	cert, err = finalize(t, p.orderDevice(t, tpm, "tpms"))
	p.expectRole(t, tpm.Serial, cert, err)
	p.expectRefusals(t, mac)
	// An order for a name has no attestation, whatever its common name says.
	p.must(t, p.dir, "step ca provisioner update yubikeys --challenge http-01")
	plain, err := p.web.Order(t.Context(), p.client, p.ca.DirectoryURL("yubikeys"), "http-01", acme.AuthzID{Type: "dns", Value: site})
	if err != nil {
		t.Fatal(err)
	}
	cert, err = plain.Finalize(t.Context(), pkix.Name{CommonName: site})
	problem := expectProblem(t, cert, err, 401, "urn:ietf:params:acme:error:unauthorized")
	if !strings.Contains(problem.Detail, "(attestationMissing)") {
		t.Errorf("the server gets %q, want attestationMissing", problem.Detail)
	}
}

// expectOrder finalizes an order during an outage and after it.
func (p *pageGuard) expectOrder(t *testing.T, name string, finalize finalizer) {
	t.Helper()
	p.register.during(func() {
		cert, err := finalize()
		expectProblem(t, cert, err, 500, "urn:ietf:params:acme:error:serverInternal")
	})
	cert, err := finalize()
	p.expectRole(t, name, cert, err)
	if got := namesOf(cert); !slices.Equal(got, []string{name}) {
		t.Errorf("the certificate has %q, want %s alone", got, name)
	}
}

// expectRefusals: a name and a device that the inventories do not have, a second name, and a TPM that claims to be a Mac.
func (p *pageGuard) expectRefusals(t *testing.T, mac string) {
	t.Helper()
	const stranger, site = "bank.pages.test", "shop.pages.test"
	other := p.orderNames(t, stranger)
	cert, err := other.Finalize(t.Context(), pkix.Name{CommonName: stranger})
	expectRefused(t, p.Connector, "deviceNotFound", stranger, cert, err)
	if status, err := other.Status(t.Context()); err != nil || status != acme.StatusReady {
		t.Errorf("after a refusal the order is %s, %v, want ready", status, err)
	}
	// step-ca sorts the names: the one that the inventory has must be the first.
	cert, err = p.orderNames(t, site, "www."+site).Finalize(t.Context(), pkix.Name{CommonName: site})
	problem := expectProblem(t, cert, err, 401, "urn:ietf:params:acme:error:unauthorized")
	if !strings.Contains(problem.Detail, "Order a certificate for one name, in lower case") {
		t.Errorf("the server gets %q, want the message of the page", problem.Detail)
	}
	unbound, err := p.maker.MakeTPM(mac)
	if err != nil {
		t.Fatal(err)
	}
	order := p.orderDevice(t, unbound, "tpms")
	cert, err = finalize(t, order)
	expectRefused(t, p.Connector, "deviceNotFound", mac, cert, err)
	expectReady(t, order)
	// What the page warns of: were the Mac in the inventory of TPMs, this one would pass for it.
	p.register.add(known(mac))
	cert, err = finalize(t, order)
	p.expectRole(t, mac, cert, err)
}

func (p *pageGuard) orderNames(t *testing.T, names ...string) *machine.Order {
	t.Helper()
	var identifiers []acme.AuthzID
	for _, name := range names {
		identifiers = append(identifiers, acme.AuthzID{Type: "dns", Value: name})
	}
	order, err := p.web.Order(t.Context(), p.client, p.ca.DirectoryURL("sites"), "http-01", identifiers...)
	if err != nil {
		t.Fatal(err)
	}
	return order
}

func (p *pageGuard) orderDevice(t *testing.T, d *device.Device, provisioner string) *device.Order {
	t.Helper()
	order, err := d.Order(t.Context(), p.client, p.ca.DirectoryURL(provisioner))
	if err != nil {
		t.Fatal(err)
	}
	return order
}

// expectRole checks that a certificate has the name, and the role of the inventory, and nothing that the CSR said.
func (p *pageGuard) expectRole(t *testing.T, name string, cert *x509.Certificate, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("no certificate for %s: %v", name, err)
	}
	if got, want := cert.Subject.String(), "CN="+name+",OU="+knownHost().Role; got != want {
		t.Errorf("the certificate has %s, want %s", got, want)
	}
}

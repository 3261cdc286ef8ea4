package e2e_test

import (
	"crypto/x509/pkix"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/acme"

	"step-posture-connector/internal/test/e2e/device"
	"step-posture-connector/internal/test/e2e/machine"
)

// TestMachines runs every scenario of machines with one step-ca. None has a webhook yet: they show what the CA issues by
// itself, and so what a webhook has to guard.
func TestMachines(t *testing.T) {
	m := newMachines(t)
	for name, scenario := range map[string]func(*testing.T, *machines){
		"ACME names": testACMENames, "attestation formats": testAttestationFormats,
		"service account": testServiceAccount, "Nebula": testNebula,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, m)
		})
	}
}

// testACMENames: a server proves by http-01 or dns-01 that it has a name.
func testACMENames(t *testing.T, m *machines) {
	m.must(t, t.TempDir(), `step ca provisioner add web --type ACME`)
	const name = "shop.machines.test"
	for _, challenge := range []string{"http-01", "dns-01"} {
		order, err := m.web.Order(t.Context(), m.client, m.ca.DirectoryURL("web"), challenge, acme.AuthzID{Type: "dns", Value: name})
		if err != nil {
			t.Errorf("%s: %v", challenge, err)
			continue
		}
		cert, err := order.Finalize(t.Context(), pkix.Name{CommonName: name})
		if err != nil {
			t.Errorf("%s: %v", challenge, err)
			continue
		}
		if want := []string{name}; !slices.Equal(cert.DNSNames, want) {
			t.Errorf("%s: DNS names = %q, want %q", challenge, cert.DNSNames, want)
		}
	}
}

// testAttestationFormats: step-ca compares the identifier of an order with that of the attestation, except for a TPM
// whose attestation key has none. Such a TPM gets a certificate for the serial number of any Mac.
func testAttestationFormats(t *testing.T, m *machines) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "roots.crt"), string(m.maker.RootPEM()))
	m.must(t, dir, `step ca provisioner add formats --type ACME --challenge device-attest-01 \
		--attestation-format step --attestation-format tpm --attestation-roots roots.crt`)
	const mac = "C02XK1JKLVCG"
	yubikey, err := m.maker.MakeYubiKey(12345678)
	if err != nil {
		t.Fatal(err)
	}
	tpm := func(claimed string, identifiers ...string) *device.Device {
		d, err := m.maker.MakeTPM(claimed, identifiers...)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	directory := m.ca.DirectoryURL("formats")
	for name, d := range map[string]*device.Device{
		"step": yubikey, "tpm": tpm("pc-1", "pc-1"), "tpm that claims to be a Mac": tpm(mac),
	} {
		order, err := d.Order(t.Context(), m.client, directory)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		cert, err := finalize(t, order)
		expectIssuedTo(t, d.Serial, cert, err)
	}
	if _, err := tpm(mac, "pc-1").Order(t.Context(), m.client, directory); err == nil {
		t.Error("a TPM with another identifier was believed to be a Mac, want a refusal")
	}
	// apple is no format of this provisioner.
	if _, err := m.device(t, mac).Order(t.Context(), m.client, directory); err == nil {
		t.Error("an attestation of a format that is not enabled was accepted, want a refusal")
	}
}

// testServiceAccount: step-ca verifies the token of a service account, and signs whatever names its holder asks for. The
// same token works again.
func testServiceAccount(t *testing.T, m *machines) {
	dir := t.TempDir()
	cluster, err := machine.NewCluster()
	if err != nil {
		t.Fatal(err)
	}
	public, err := cluster.PublicPEM()
	if err != nil {
		t.Fatal(err)
	}
	token, err := cluster.Token("shop", "web")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "sa.pub"), string(public))
	writeFile(t, filepath.Join(dir, "token"), token)
	m.must(t, dir, `step ca provisioner add kubernetes --type K8SSA --public-key sa.pub`)
	m.must(t, dir, `step ca certificate bank.example.com 1.crt 1.key --provisioner kubernetes --k8ssa-token-path token --san bank.example.com
step ca certificate bank.example.com 2.crt 2.key --provisioner kubernetes --k8ssa-token-path token --san bank.example.com`)
	shown := m.must(t, dir, `step certificate inspect --short 2.crt`)
	if !strings.Contains(shown, "bank.example.com") {
		t.Errorf("step shows the certificate\n%s\nwant bank.example.com", shown)
	}
	m.must(t, dir, `step ssh certificate root@bank host_key --host --no-password --insecure --provisioner kubernetes --k8ssa-token-path token`)
	// SSHPOP, which step ca init --ssh adds, renews an SSH host certificate without any other proof.
	m.must(t, dir, `step ssh renew host_key-cert.pub host_key --force`)
}

// testNebula: a host of a Nebula network gets X.509 and SSH certificates for its name.
func testNebula(t *testing.T, m *machines) {
	dir := t.TempDir()
	network, err := machine.NewNetwork(netip.MustParsePrefix("10.1.0.0/16"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := network.RootPEM()
	if err != nil {
		t.Fatal(err)
	}
	certificate, key, err := network.Host("db-1", netip.MustParsePrefix("10.1.2.3/16"), "databases")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"nebula-ca.crt": root, "host.crt": certificate, "host.key": key} {
		writeFile(t, filepath.Join(dir, name), string(content))
	}
	m.must(t, dir, `step ca provisioner add mesh --type Nebula --nebula-root nebula-ca.crt
step ca certificate db-1 db.crt db.key --provisioner mesh --nebula-cert host.crt --nebula-key host.key`)
	shown := m.must(t, dir, `step ssh certificate db-1 host_key --host --no-password --insecure --provisioner mesh --nebula-cert host.crt --nebula-key host.key
step ssh inspect host_key-cert.pub`)
	for _, want := range []string{"Key ID: \"db-1\"", "host certificate"} {
		if !strings.Contains(shown, want) {
			t.Errorf("step shows the SSH certificate\n%s\nwant %s", shown, want)
		}
	}
}

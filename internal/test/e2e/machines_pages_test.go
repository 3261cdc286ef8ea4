package e2e_test

import (
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/machine"
)

// TestMachinePages follows the pages of docs/provisioners about machines literally, with one step-ca: commands, templates and
// policy files are those of the pages.
func TestMachinePages(t *testing.T) {
	m := newMachines(t)
	for name, scenario := range map[string]func(*testing.T, *machines){
		"k8ssa.md": testKubernetesPage, "nebula.md": testNebulaPage, "ssh.md": testSSHPage, "acme.md": testACMEPage,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, m)
		})
	}
}

// knownHost is the machine that the register knows.
func knownHost() registered { return registered{Host: "db-1.prod.example.com", Role: "database"} }

// known is the record of the machine that the register knows, with an identifier.
func known(id string) registered {
	record := knownHost()
	record.ID = id
	return record
}

// testKubernetesPage: a pod gets the names of the inventory, whatever it asks for.
func testKubernetesPage(t *testing.T, m *machines) {
	cluster, err := machine.NewCluster()
	if err != nil {
		t.Fatal(err)
	}
	public, err := cluster.PublicPEM()
	if err != nil {
		t.Fatal(err)
	}
	p := m.follow(t, "k8ssa.md", map[string]string{"sa.pub": string(public)}, known("shop/web"))
	setToken := func(namespace, account string) {
		token, err := cluster.Token(namespace, account)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(p.dir, "token"), token)
	}
	commands := p.commands(t, "## What the pod sees")
	setToken("bank", "web")
	for _, command := range commands {
		p.expectForbidden(t, command, "(deviceNotFound).")
	}
	expectLog(t, p.Connector, "[DENY]", "deviceNotFound", "bank/web")
	setToken("shop", "web")
	p.expectGuarded(t, commands)
	p.expectForbidden(t, strings.Replace(commands[1], "--host", "", 1), "(requestUnexpected).")
	p.expectFreeNames(t, freeNames{
		provisioner: "kubernetes", policy: "workloads", id: "shop/web", name: "ceo.example.com",
		template: `{"subject": {{ toJson .Insecure.CR.Subject }}, "dnsNames": {{ toJson .Insecure.CR.DNSNames }}}`,
		commands: commands[0] + " --san ceo.example.com", file: "web.crt",
	})
}

// testNebulaPage: a host of a Nebula network gets the names of the inventory, whatever it writes into its token.
func testNebulaPage(t *testing.T, m *machines) {
	network, err := machine.NewNetwork(netip.MustParsePrefix("10.1.0.0/16"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := network.RootPEM()
	if err != nil {
		t.Fatal(err)
	}
	p := m.follow(t, "nebula.md", map[string]string{"nebula-ca.crt": string(root)}, known("db-1"))
	setHost := func(name string) {
		certificate, key, err := network.Host(name, netip.MustParsePrefix("10.1.2.3/16"), "databases")
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(p.dir, "host.crt"), string(certificate))
		writeFile(t, filepath.Join(p.dir, "host.key"), string(key))
	}
	commands := p.commands(t, "## What the host sees")
	setHost("mallory")
	for _, command := range commands {
		p.expectForbidden(t, strings.Replace(command, "certificate db-1", "certificate mallory", 1), "(deviceNotFound).")
	}
	expectLog(t, p.Connector, "[DENY]", "deviceNotFound", "mallory")
	setHost("db-1")
	p.expectGuarded(t, commands)
	// step-ca compares the SANs of the CSR with the Nebula certificate, and does not compare those of the token.
	writeFile(t, filepath.Join(p.dir, "csr.tpl"), `{"subject": {{ toJson .Subject }}}`)
	p.expectFreeNames(t, freeNames{
		provisioner: "mesh", policy: "mesh", id: "db-1", name: "evil.example.net",
		template: `{"subject": {{ toJson .Subject }}, "sans": {{ toJson .SANs }}}`,
		commands: `step certificate create evil.example.net evil.csr evil.key --csr --template csr.tpl --no-password --insecure --force
step ca sign evil.csr evil.crt --force --token "$(step ca token evil.example.net --san evil.example.net --provisioner mesh --nebula-cert host.crt --nebula-key host.key)"`,
		file: "evil.crt",
	})
}

// expectGuarded runs the page's commands for an X.509 and an SSH host certificate, of a machine that the register knows: without
// an answer of the register there is no certificate, and later there is one, with its names and no others.
func (p *pageGuard) expectGuarded(t *testing.T, commands []string) {
	t.Helper()
	p.register.during(func() {
		for _, command := range commands {
			p.expectForbidden(t, command, "Webhook server responded with 503.")
		}
	})
	for _, command := range commands {
		p.must(t, p.dir, command)
	}
	const fileArgument = 4 // step ca certificate SUBJECT FILE
	cert := p.certificate(t, strings.Fields(commands[0])[fileArgument])
	if cert.Subject.String() != "CN="+knownHost().Host+",OU="+knownHost().Role || !slices.Equal(namesOf(cert), []string{knownHost().Host}) {
		t.Errorf("the certificate has %s, %q", cert.Subject, namesOf(cert))
	}
	host := p.hostCertificate(t)
	if host.KeyId != knownHost().Host || !slices.Equal(host.ValidPrincipals, []string{knownHost().Host}) {
		t.Errorf("the SSH certificate has %s, %q", host.KeyId, host.ValidPrincipals)
	}
}

// freeNames is how a client gets a name that it chose, if nothing stops it.
type freeNames struct {
	provisioner, policy, id string
	name                    string
	template                string // of the certificate, in place of the page's
	commands, file          string // of the client
}

// expectFreeNames: with a template that gives the client the name it asks for, AUTHORIZING refuses it. A policy that forgets
// the final names lets it pass.
func (p *pageGuard) expectFreeNames(t *testing.T, f freeNames) {
	t.Helper()
	writeFile(t, filepath.Join(p.dir, "free.tpl"), f.template)
	p.must(t, p.dir, "step ca provisioner update "+f.provisioner+" --x509-template free.tpl")
	p.expectForbidden(t, f.commands, "error creating certificate.")
	expectLog(t, p.Connector, "[DENY]", f.id, "rule final_names is unmet", "policy="+f.policy)
	p.change(t, `require: request.names == [device.attributes["host"]]`, `require: request.names != ["nothing"]`)
	p.must(t, p.dir, f.commands)
	if cert := p.certificate(t, f.file); !slices.Equal(namesOf(cert), []string{f.name}) {
		t.Errorf("without the rule the certificate has %q, want %s", namesOf(cert), f.name)
	}
}

// certificate reads a certificate that the client has got.
func (p *pageGuard) certificate(t *testing.T, file string) *x509.Certificate {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(p.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(content)
	if block == nil {
		t.Fatal("the client has written no PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// namesOf are the DNS names, e-mail addresses, IP addresses and URIs of a certificate.
func namesOf(cert *x509.Certificate) []string {
	names := slices.Concat(cert.DNSNames, cert.EmailAddresses)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	for _, uri := range cert.URIs {
		names = append(names, uri.String())
	}
	return names
}

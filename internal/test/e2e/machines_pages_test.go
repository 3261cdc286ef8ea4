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

// The machine that the register knows.
var knownHost = registered{Host: "db-1.prod.example.com", Role: "database"}

// known is the record of the machine that the register knows, with an identifier.
func known(id string) registered {
	record := knownHost
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
	p.expectFreeNames(t, "kubernetes", "workload", "shop/web", []string{"ceo.example.com"}, commands[0]+" --san ceo.example.com")
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
	p.expectFreeNames(t, "mesh", "mesh", "db-1", []string{"ceo.example.com"},
		strings.Replace(commands[0], "certificate db-1", "certificate ceo.example.com", 1)+" --san ceo.example.com")
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
	cert := p.certificate(t, commands[0])
	if cert.Subject.String() != "CN="+knownHost.Host+",OU="+knownHost.Role || !slices.Equal(namesOf(cert), []string{knownHost.Host}) {
		t.Errorf("the certificate has %s, %q", cert.Subject, namesOf(cert))
	}
	host := p.hostCertificate(t)
	if host.KeyId != knownHost.Host || !slices.Equal(host.ValidPrincipals, []string{knownHost.Host}) {
		t.Errorf("the SSH certificate has %s, %q", host.KeyId, host.ValidPrincipals)
	}
}

// expectFreeNames: with a template that gives the client the names it asks for, AUTHORIZING refuses them. A policy that
// forgets the final names lets them pass.
func (p *pageGuard) expectFreeNames(t *testing.T, provisioner, policy, id string, names []string, command string) {
	t.Helper()
	writeFile(t, filepath.Join(p.dir, "free.tpl"), `{"subject": {{ toJson .Insecure.CR.Subject }}, "dnsNames": {{ toJson .Insecure.CR.DNSNames }}}`)
	p.must(t, p.dir, "step ca provisioner update "+provisioner+" --x509-template free.tpl")
	p.expectForbidden(t, command, "error creating certificate.")
	expectLog(t, p.Connector, "[DENY]", id, "rule final_names is unmet", "policy="+policy)
	p.change(t, `require: request.names == [device.attributes["host"]]`, `require: request.names != ["nothing"]`)
	p.must(t, p.dir, command)
	if got := namesOf(p.certificate(t, command)); !slices.Equal(got, names) {
		t.Errorf("without the rule the certificate has %q, want %q", got, names)
	}
}

// certificate reads what a command step ca certificate has written.
func (p *pageGuard) certificate(t *testing.T, command string) *x509.Certificate {
	t.Helper()
	const nameOfFile = 4 // step ca certificate SUBJECT FILE
	content, err := os.ReadFile(filepath.Join(p.dir, strings.Fields(command)[nameOfFile]))
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

// namesOf are the subject alternative names of a certificate, but for permanent identifiers.
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

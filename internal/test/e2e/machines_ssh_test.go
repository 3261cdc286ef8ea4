package e2e_test

import (
	"slices"
	"strings"
	"testing"
)

// testSSHPage: a host gets a certificate for the name of its token, and the one of the inventory. A refusal and a 503 burn the
// token, and without SSHPOP nothing renews the certificate.
func testSSHPage(t *testing.T, m *machines) {
	p := m.follow(t, "ssh.md", map[string]string{"fleet.pass": "fleet-password"}, known("db-1"))
	commands := p.commands(t, "The tool, and then the host")
	ask := commands[1]
	makeToken := func(name string) (env string) {
		command := strings.ReplaceAll(commands[0], "db-1", name)
		words := strings.Fields(p.must(t, p.dir, command))
		return "TOKEN=" + words[len(words)-1]
	}
	p.expectForbidden(t, strings.ReplaceAll(ask, "db-1", "mallory"), "(deviceNotFound).", makeToken("mallory"))
	expectLog(t, p.Connector, "[DENY]", "deviceNotFound", "mallory")
	token := makeToken("db-1")
	p.register.during(func() { p.expectForbidden(t, ask, "Webhook server responded with 503.", token) })
	const burnt = "The request lacked necessary authorization to be completed."
	if result := p.sh(t, p.dir, ask, token); result.Status != 1 || !strings.Contains(result.Stderr, burnt) {
		t.Errorf("the same token again: %s; want %q", shown(result), burnt)
	}
	p.must(t, p.dir, ask, makeToken("db-1"))
	host := p.hostCertificate(t)
	if host.KeyId != "db-1" || !slices.Equal(host.ValidPrincipals, []string{"db-1", knownHost().Host}) {
		t.Errorf("the SSH certificate has %s, %q", host.KeyId, host.ValidPrincipals)
	}
	const renew = "step ssh renew host_key-cert.pub host_key --force"
	p.must(t, p.dir, renew)
	p.must(t, p.dir, strings.TrimSuffix(p.commands(t, "What closes both is to remove it")[0], " --force"))
	if result := p.sh(t, p.dir, renew); result.Status == 0 {
		t.Error("the certificate was renewed without SSHPOP")
	}
}

package e2e_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"step-posture-connector/internal/test/e2e/people"
	"step-posture-connector/internal/test/e2e/person"
)

// portal is a second inventory, which can be down.
type portal struct {
	*httptest.Server
	up atomic.Bool
}

func (l *peopleLab) startPortal(t *testing.T) *portal {
	t.Helper()
	p := new(portal)
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !p.up.Load():
			http.Error(w, "maintenance", http.StatusServiceUnavailable)
		case r.URL.Path == "/people/"+cy:
			fmt.Fprint(w, `{"mail":"cy@example.com","login":"cy","department":"Research","groups":["database"]}`)
		default:
			http.Error(w, `{"error":"nobody"}`, http.StatusNotFound)
		}
	}))
	p.TLS = &tls.Config{Certificates: []tls.Certificate{l.certificate}, MinVersion: tls.VersionTLS12}
	p.StartTLS()
	t.Cleanup(p.Close)
	return p
}

// section is the portal in a policy file.
func (p *portal) section() string {
	return `  portal:
    provider: http
    base_url: ` + strings.Replace(p.URL, "127.0.0.1", "localhost", 1) + `
    search: exact
    request: {path: "/people/{{serial}}"}
    outcome: {found: [200], not_found: status == 404 && body.error == "nobody"}
    select: {items: "[body]", more: "false"}
    map:
      device.identifier: item.mail
      device.managed: "true"
      device.groups: item.groups
      user.username: item.login
      user.department: item.department
`
}

// templates are the certificate templates of the page, by file.
func (e entrance) templates(t *testing.T, page guide) map[string]string {
	t.Helper()
	x509File, sshFile := e.name+".tpl", e.name+"_ssh.tpl"
	if e.page == "oidc.md" {
		sshFile = "shells.tpl"
	}
	return map[string]string{
		x509File: page.block(t, "`"+x509File+"`", "gotemplate"),
		sshFile:  page.block(t, "`"+sshFile+"`", "gotemplate"),
	}
}

// commands are the page's, which set up the CA for a connector and the lab's identity provider.
func (l *peopleLab) commands(t *testing.T, page guide, connectorURL string) string {
	t.Helper()
	return strings.NewReplacer("https://idp.example.com", l.idp.Issuer(), "https://posture.example.com:9443", connectorURL).
		Replace(page.block(t, "prints an ID and a secret, once", "sh"))
}

// peopleGate is a page, followed with a real connector.
type peopleGate struct {
	*peopleLab
	entrance
	guard    *people.Guard
	person   *person.Person
	portal   *portal
	policies string
}

// openGate follows a page. The portal is added behind the page's inventory; edit changes the page's commands.
func (l *peopleLab) openGate(t *testing.T, e entrance, edit func(string) string) *peopleGate {
	t.Helper()
	g := &peopleGate{peopleLab: l, entrance: e, portal: l.startPortal(t)}
	dir := t.TempDir()
	e.files(t, l, dir)
	page := readGuide(t, l.lab, "../provisioners/"+e.page)
	files := e.templates(t, page)
	files["people.csv"] = readGuide(t, l.lab, "../provisioners/oidc.md").block(t, "has a row a person", "csv")
	policies := page.block(t, "\n## The policy\n", "yaml")
	if strings.Count(policies, "inventories: [directory]") != 2 || strings.Count(policies, "\npolicies:\n") != 1 {
		t.Fatalf("the policy of the page has another form:\n%s", policies)
	}
	g.policies = strings.NewReplacer("inventories: [directory]", "inventories: [directory, portal]", "\npolicies:\n", "\n"+g.portal.section()+"policies:\n").Replace(policies)
	var err error
	g.guard, err = people.Open(t.Context(), l.ca, people.Config{
		Binary: l.programs.Connector(), Dir: dir, Files: files, Policies: g.policies, LoggingLevel: 2,
		Commands: func(address string) string { return edit(l.commands(t, page, address)) },
		More:     []string{"SSL_CERT_FILE=" + l.ca.RootPath()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.guard.Close(); err != nil {
			t.Errorf("stop the connector: %v", err)
		}
		if t.Failed() {
			t.Logf("the connector printed:\n%s", g.guard.Log())
		}
	})
	g.person = person.New(l.ca, l.programs.Step(), dir)
	return g
}

func asWritten(commands string) string { return commands }

// TestPeopleGate: the pages as they are, with a real step-ca and the connector: who gets a certificate, with which data, and what the
// others are told.
func TestPeopleGate(t *testing.T) {
	l := newPeopleLab(t)
	for _, e := range entrances() {
		t.Run(e.page, func(t *testing.T) {
			t.Parallel()
			g := l.openGate(t, e, asWritten)
			for _, ssh := range []bool{false, true} {
				g.portal.up.Store(false)
				g.allow(t, ada, ssh)
				g.refuse(t, bob, ssh)
				g.noDecision(t, cy, ssh)
			}
		})
	}
}

const (
	isForbidden = "The request was forbidden by the certificate authority: "
	isBurnt     = "The request lacked necessary authorization to be completed."
)

// allow wants a certificate with the person's names, and with the department that the inventory has.
func (g *peopleGate) allow(t *testing.T, who string, ssh bool) {
	t.Helper()
	if result := get(t, g.person, who, ssh, g.flags(t, g.peopleLab, g.person.Path(""), who, ssh)); result.Status != 0 {
		t.Fatalf("SSH %t: %s gets no certificate: %+v", ssh, who, result)
	}
	expectNames(t, g.person, who, ssh)
	expectLog(t, g.guard.Connector, "[ALLOW]", who)
}

// refuse wants the message of the page's rule, and that the token is burnt.
func (g *peopleGate) refuse(t *testing.T, who string, ssh bool) {
	t.Helper()
	flags := g.flags(t, g.peopleLab, g.person.Path(""), who, ssh)
	result := get(t, g.person, who, ssh, flags)
	if result.Status != 1 || !strings.Contains(result.Stderr, isForbidden+"Ask your manager for the group database, and ") || !strings.Contains(result.Stderr, " (notInGroup).") {
		t.Errorf("SSH %t: %s: the client says %+v", ssh, who, result)
	}
	expectLog(t, g.guard.Connector, "[DENY]", "notInGroup", who)
	g.expectBurnt(t, who, ssh, flags)
}

// noDecision wants 503 of somebody whose inventory is down: the token is burnt, and a new one counts when the inventory is back.
func (g *peopleGate) noDecision(t *testing.T, who string, ssh bool) {
	t.Helper()
	flags := g.flags(t, g.peopleLab, g.person.Path(""), who, ssh)
	result := get(t, g.person, who, ssh, flags)
	if result.Status != 1 || !strings.Contains(result.Stderr, isForbidden+"Webhook server responded with 503.") {
		t.Errorf("SSH %t: %s: the client says %+v", ssh, who, result)
	}
	expectLog(t, g.guard.Connector, "[DENY]", "unavailable", who, "status=503")
	g.portal.up.Store(true)
	g.expectBurnt(t, who, ssh, flags)
	g.allow(t, who, ssh)
}

// expectBurnt uses a token again. A client with the key of a certificate makes a new token each time, and burns none.
func (g *peopleGate) expectBurnt(t *testing.T, who string, ssh bool, flags []string) {
	t.Helper()
	if flags[0] != "--token" {
		return
	}
	if again := get(t, g.person, who, ssh, flags); again.Status != 1 || !strings.Contains(again.Stderr, isBurnt) {
		t.Errorf("SSH %t: %s: the same token again: %+v, want %q", ssh, who, again, isBurnt)
	}
}

// awaitReload waits until the connector has taken a changed policy file, and fails with what it says otherwise.
func (g *peopleGate) setPolicies(t *testing.T, content string) {
	t.Helper()
	if err := g.guard.SetPolicies(content); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	if _, err := g.guard.AwaitLog(ctx, "reloaded: policies"); err != nil {
		t.Fatalf("%v\n%s", err, g.guard.Log())
	}
}

package e2e_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/smallstep/certificates/webhook"
	"go.step.sm/crypto/jose"

	"step-posture-connector/internal/test/e2e/idp"
	"step-posture-connector/internal/test/e2e/people"
	"step-posture-connector/internal/test/e2e/person"
	"step-posture-connector/internal/test/e2e/process"
	"step-posture-connector/internal/test/e2e/stepca"
)

// The people: ada is in the group, bob is not, and of cy only the portal knows.
const (
	ada = "ada@example.com"
	bob = "bob@example.com"
	cy  = "cy@example.com"
)

// peopleLab is a CA that signs SSH certificates too, and an identity provider with a certificate of that CA.
type peopleLab struct {
	*lab
	idp         *idp.Provider
	certificate tls.Certificate // for localhost
}

func newPeopleLab(t *testing.T) *peopleLab {
	t.Helper()
	l := &peopleLab{lab: &lab{programs: buildPrograms(t)}}
	var err error
	l.ca, err = stepca.Init(t.Context(), stepca.Config{
		StepCA: l.programs.StepCA(), Step: l.programs.Step(), Dir: t.TempDir(), RemoteManagement: true, InitArgs: []string{"--ssh"},
	})
	if err != nil {
		t.Fatal(err)
	}
	l.startCA(t)
	certPath, keyPath, err := l.ca.IssueServer(t.Context(), t.TempDir(), stepca.EC)
	if err != nil {
		t.Fatal(err)
	}
	if l.certificate, err = tls.LoadX509KeyPair(certPath, keyPath); err != nil {
		t.Fatal(err)
	}
	if l.idp, err = idp.Start(t.Context(), certPath, keyPath); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.idp.Stop(); err != nil {
			t.Errorf("stop the identity provider: %v", err)
		}
	})
	return l
}

// answerer takes the place of the connector: it answers every webhook as it is told.
type answerer struct {
	mu    sync.Mutex
	mode  string // allow, deny, deny final or 503
	calls []string
}

// set says how to answer from now on, and returns the URLs that were called before.
func (a *answerer) set(mode string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	calls := a.calls
	a.mode, a.calls = mode, nil
	return calls
}

func (a *answerer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, r.URL.String())
	var body webhook.RequestBody
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	final := body.X509Certificate != nil || body.SSHCertificate != nil
	switch {
	case a.mode == "503":
		http.Error(w, "no decision", http.StatusServiceUnavailable)
	case a.mode == "deny" || a.mode == "deny final" && final:
		fmt.Fprint(w, `{"allow":false,"error":{"code":"notInGroup","message":"Ask your manager"}}`)
	default:
		fmt.Fprint(w, `{"allow":true,"data":{"department":"Research","username":"ada"}}`)
	}
}

// entrance is a page of docs/provisioners: how a person shows step-ca who asks.
type entrance struct {
	page, name, query string
	files             func(t *testing.T, l *peopleLab, dir string) // what the page says that the operator has
	flags             func(t *testing.T, l *peopleLab, dir, who string, ssh bool) []string
}

func entrances() []entrance {
	return []entrance{
		{"oidc.md", "people", "?email=ada%40example.com&verified=true", func(*testing.T, *peopleLab, string) {}, oidcFlags},
		{"jwk.md", "desk", "?sub=ada%40example.com", func(t *testing.T, _ *peopleLab, dir string) {
			t.Helper()
			writeFile(t, filepath.Join(dir, "desk.pass"), "desk-password")
		}, jwkFlags},
		{"x5c.md", "card", "", makeCards, func(_ *testing.T, _ *peopleLab, dir, who string, _ bool) []string {
			return []string{"--provisioner", "card", "--x5c-cert", filepath.Join(dir, who+".crt"), "--x5c-key", filepath.Join(dir, who+".key")}
		}},
	}
}

func oidcFlags(t *testing.T, l *peopleLab, _, who string, _ bool) []string {
	t.Helper()
	return l.tokenFlags(t, idp.Claims{Subject: "1234", Email: who, EmailVerified: true})
}

func (l *peopleLab) tokenFlags(t *testing.T, claims idp.Claims) []string {
	t.Helper()
	token, err := l.idp.Token(claims)
	if err != nil {
		t.Fatal(err)
	}
	return []string{"--token", token}
}

func jwkFlags(t *testing.T, l *peopleLab, dir, who string, ssh bool) []string {
	t.Helper()
	args := []string{"ca", "token", who, "--provisioner", "desk", "--provisioner-password-file", filepath.Join(dir, "desk.pass")}
	if ssh {
		args = append(args, "--ssh", "--principal", login(who))
	}
	result, err := person.New(l.ca, l.programs.Step(), dir).Run(t.Context(), args...)
	token := strings.TrimSpace(result.Stdout)
	if _, parseErr := jose.ParseSigned(token); err != nil || parseErr != nil {
		t.Fatalf("step ca token: %+v, %v", result, err)
	}
	if ssh {
		return []string{"--token", token, "--principal", login(who)}
	}
	return []string{"--token", token}
}

// login is a person's name in shells.
func login(who string) string {
	name, _, _ := strings.Cut(who, "@")
	return name
}

// makeCards makes the certificates that people have already, and their root.
func makeCards(t *testing.T, l *peopleLab, dir string) {
	t.Helper()
	commands := "step certificate create Cards card_roots.pem root.key --profile root-ca --no-password --insecure\n"
	for _, who := range []string{ada, bob, cy} {
		commands += fmt.Sprintf("step certificate create %[1]s %[1]s.crt %[1]s.key --ca card_roots.pem --ca-key root.key --no-password --insecure\n", who)
	}
	if _, err := people.SetUp(t.Context(), l.ca, dir, commands); err != nil {
		t.Fatal(err)
	}
}

// TestPeopleAndCA: what step-ca calls, what it signs and what the client prints, when it is set up by the commands of the pages;
// the connector's answers are given.
func TestPeopleAndCA(t *testing.T) {
	l := newPeopleLab(t)
	for _, e := range entrances() {
		t.Run(e.page, func(t *testing.T) {
			t.Parallel()
			l.enter(t, e)
		})
	}
}

func (l *peopleLab) enter(t *testing.T, e entrance) {
	t.Helper()
	answers := new(answerer)
	p := l.setUp(t, e, answers)
	for _, ssh := range []bool{false, true} {
		l.answer(t, e, p, answers, ssh)
	}
}

// setUp follows a page, with an answerer in place of the connector.
func (l *peopleLab) setUp(t *testing.T, e entrance, answers *answerer) *person.Person {
	t.Helper()
	server := httptest.NewUnstartedServer(answers)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{l.certificate}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	dir := t.TempDir()
	e.files(t, l, dir)
	page := readGuide(t, l.lab, "../provisioners/"+e.page)
	for name, content := range e.templates(t, page) {
		writeFile(t, filepath.Join(dir, name), content)
	}
	commands := l.commands(t, page, server.URL)
	if webhooks, err := people.SetUp(t.Context(), l.ca, dir, commands); err != nil || len(webhooks) != 4 {
		t.Fatalf("the page added %d webhooks, %v; want 4", len(webhooks), err)
	}
	return person.New(l.ca, l.programs.Step(), dir)
}

func (l *peopleLab) answer(t *testing.T, e entrance, p *person.Person, answers *answerer, ssh bool) {
	t.Helper()
	path, failed := "/webhook/certificate", "error creating certificate."
	if ssh {
		path, failed = "/webhook/ssh", "authority.SignSSH: error signing certificate."
	}
	const forbidden = "The request was forbidden by the certificate authority: "
	for _, want := range []struct {
		mode, prints string
		calls        int
	}{
		{"allow", "", 2},
		{"deny", forbidden + "Ask your manager (notInGroup).", 1},
		{"deny final", forbidden + failed, 2},
		{"503", forbidden + "Webhook server responded with 503.", 2},
	} {
		answers.set(want.mode)
		flags := e.flags(t, l, p.Path(""), ada, ssh)
		result := get(t, p, ada, ssh, flags)
		if (result.Status == 0) != (want.mode == "allow") || !strings.Contains(result.Stderr, want.prints) {
			t.Errorf("%s, SSH %t, %s: the client says %+v, want %q", e.page, ssh, want.mode, result, want.prints)
		}
		calls := answers.set("allow")
		if len(calls) != want.calls || slices.ContainsFunc(calls, func(url string) bool { return url != path+e.query }) {
			t.Errorf("%s, SSH %t, %s: step-ca calls %q, want %d of %s", e.page, ssh, want.mode, calls, want.calls, path+e.query)
		}
		if flags[0] != "--token" {
			continue // the client makes a new token each time
		}
		again := get(t, p, ada, ssh, flags)
		if calls := answers.set("allow"); again.Status != 1 || !strings.Contains(again.Stderr, "The request lacked necessary authorization to be completed.") || len(calls) != 0 {
			t.Errorf("%s, SSH %t, %s: the same token again: %+v with the calls %q, want 401 and no call", e.page, ssh, want.mode, again, calls)
		}
	}
	expectNames(t, p, ada, ssh)
}

// get asks for a certificate, and returns what the client prints.
func get(t *testing.T, p *person.Person, who string, ssh bool, flags []string) process.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	args := []string{"ca", "certificate", who, "x509.crt", "x509.key", "--force"}
	if ssh {
		args = []string{"ssh", "certificate", who, "ssh", "--no-password", "--insecure", "--no-agent", "--force"}
	}
	result, err := p.Run(ctx, append(args, flags...)...)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// expectNames checks the certificate that was issued: names of the person, and data of the webhook.
func expectNames(t *testing.T, p *person.Person, who string, ssh bool) {
	t.Helper()
	if ssh {
		certificate, err := p.ReadSSH()
		if err != nil {
			t.Fatal(err)
		}
		if certificate.KeyId != who || !slices.Equal(certificate.ValidPrincipals, []string{login(who)}) || certificate.Extensions["department@example.com"] != "Research" {
			t.Errorf("the SSH certificate has %s, %q, %q", certificate.KeyId, certificate.ValidPrincipals, certificate.Extensions)
		}
		return
	}
	certificate, err := p.Read("x509.crt")
	if err != nil {
		t.Fatal(err)
	}
	if certificate.Subject.String() != "CN="+who+",OU=Research" || !slices.Equal(certificate.EmailAddresses, []string{who}) {
		t.Errorf("the certificate has %s, %q", certificate.Subject, certificate.EmailAddresses)
	}
}

package console_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"step-posture-connector/internal/test/idp"
	"step-posture-connector/internal/test/testca"

	"step-posture-connector/internal/test/browser"
)

// People of one group log in at the provider of their organization, and nobody else; whatever the provider does wrong lets nobody in.
func TestOpenID(t *testing.T) {
	t.Parallel()
	l := prepare(t).withUsers(t, "ada")
	ca := testca.New(t, "OpenID")
	provider := idp.Start(t, ca)
	provider.SetUser(idp.User{Name: "grace", Password: passwordOf("grace"), Groups: []string{"staff", "helpdesk"}})
	provider.SetUser(idp.User{Name: "mallory", Password: passwordOf("mallory"), Groups: []string{"staff", "helpdesk2", "Helpdesk"}})
	provider.SetRedirects(l.base + "/oidc/callback")
	l.trust(t, ca)
	l.env = l.env.With("CONSOLE_URL", l.base, "CONSOLE_OIDC_ISSUER", provider.Issuer, "CONSOLE_OIDC_CLIENT_ID", provider.ClientID,
		"CONSOLE_OIDC_CLIENT_SECRET", provider.ClientSecret, "CONSOLE_OIDC_GROUP", "helpdesk")
	l.start(t)
	l.ask(t, l.laptops, plainMac)
	l.settle(t)
	b := l.browser(t, provider.Certificate())
	begin := func(t *testing.T, path string) *browser.Page {
		t.Helper()
		p := l.open(t, b, path)
		p.AllowHost(t, provider.Issuer)
		return p
	}
	t.Run("down", func(t *testing.T) {
		provider.Plant(idp.DiscoveryError)
		p := begin(t, "/")
		status := p.Follow(t, "link", "Log in with your organization")
		if status != http.StatusServiceUnavailable && status != http.StatusBadGateway {
			t.Errorf("status %d", status)
		}
		l.wantClosed(t, p)
		p.Expect(t, "status of "+strconv.Itoa(status))
		provider.Plant(idp.None)
		l.Eventually(t, "the provider is asked again", func() bool {
			p.Open(t, l.base+"/login")
			if p.Follow(t, "link", "Log in with your organization") == http.StatusOK && strings.HasPrefix(p.URL(t), provider.Issuer) {
				return true
			}
			p.Forgive(t)
			return false
		})
	})
	t.Run("in the group", func(t *testing.T) {
		p := begin(t, "/devices/"+plainMac)
		p.Check(t, "banner", "contentinfo")
		p.Follow(t, "link", "Log in with your organization")
		p.Type(t, "User name", "grace")
		p.Type(t, "Password", passwordOf("grace"))
		p.Follow(t, "button", "Log in")
		l.wantPath(t, p, "/devices/"+plainMac)
		wantText(t, p, "grace", adviceOfRule)
		p.Follow(t, "button", "Log out")
		l.wantPath(t, p, "/login")
		if p.Back(t); strings.Contains(p.Text(t), plainMac) {
			t.Error("after the log-out, Back shows the device")
		}
	})
	t.Run("not in the group", func(t *testing.T) {
		p := begin(t, "/")
		p.Follow(t, "link", "Log in with your organization")
		p.Type(t, "User name", "mallory")
		p.Type(t, "Password", passwordOf("mallory"))
		if status := p.Follow(t, "button", "Log in"); status != http.StatusForbidden {
			t.Errorf("status %d", status)
		}
		l.wantClosed(t, p)
		p.Expect(t, "status of 403")
		p.Check(t, "banner", "contentinfo")
	})
	t.Run("password besides", func(t *testing.T) { wantText(t, l.as(t, b, "ada", "/decisions"), plainMac) })
	provider.LogInAs("grace")
	t.Run("at once", func(t *testing.T) {
		p := begin(t, "/")
		p.Follow(t, "link", "Log in with your organization")
		wantText(t, p, "Why does a device get no certificate?")
	})
	// No more of them: the tries of one client are counted, and one that is too many is not looked at.
	for _, fault := range []idp.Fault{
		idp.WrongIssuer, idp.WrongAudience, idp.Expired, idp.WrongNonce, idp.BadSignature, idp.AlgorithmNone, idp.NoGroups, idp.WrongState, idp.TokenError,
	} {
		t.Run(string(fault), func(t *testing.T) {
			provider.RotateKeys(t) // the console has to ask for them
			provider.Plant(fault)
			defer provider.Plant(idp.None)
			p := begin(t, "/devices/"+plainMac)
			status := p.Follow(t, "link", "Log in with your organization")
			if status != http.StatusForbidden && status != http.StatusServiceUnavailable && status != http.StatusBadGateway {
				t.Errorf("status %d", status)
			}
			l.wantClosed(t, p)
			p.Expect(t, "status of "+strconv.Itoa(status))
		})
	}
	t.Run("repaired", func(t *testing.T) {
		p := begin(t, "/")
		p.Follow(t, "link", "Log in with your organization")
		wantText(t, p, "Why does a device get no certificate?")
	})
}

// trust makes the connector trust another CA, beside that of the simulated Jamf Pro server.
func (l *lab) trust(t *testing.T, ca *testca.CA) {
	t.Helper()
	roots, err := os.ReadFile(l.env["SSL_CERT_FILE"])
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(path, testca.Joined(roots, ca.PEM()), 0o600); err != nil {
		t.Fatal(err)
	}
	l.env = l.env.With("SSL_CERT_FILE", path)
}

// wantClosed wants the page to say what is wrong, and the person to be logged out.
func (l *lab) wantClosed(t *testing.T, p *browser.Page) {
	t.Helper()
	wantText(t, p, "Log in")
	if !p.Has(t, "alert", "") && !strings.Contains(p.Text(t), "Begin again") && !strings.Contains(p.Text(t), "Try again") {
		t.Errorf("the page does not say what is wrong: %s", p.Text(t))
	}
	for _, hidden := range []string{plainMac, "Log out", "Overview"} {
		if strings.Contains(p.Text(t), hidden) {
			t.Errorf("the page shows %q: %s", hidden, p.Text(t))
		}
	}
	p.Open(t, l.base+"/decisions")
	l.wantPath(t, p, "/login")
}

package browser_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/oauth2"
	"step-posture-connector/internal/test/idp"
	"step-posture-connector/internal/test/testca"

	"step-posture-connector/internal/test/browser"
)

// portal is a small site with a log-in at the provider: what a test of the browser and of the provider needs, and no more. It
// does not verify ID tokens.
type portal struct {
	oauth oauth2.Config
	http  *http.Client

	mu       sync.Mutex
	started  map[string]string // verifiers by state
	sessions map[string]bool
}

const portalPage = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Portal</title><link rel="icon" href="data:,"></head><body><main><h1>Portal</h1><p>%s</p></main></body></html>`

func (p *portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch r.URL.Path {
	case "/login":
		state, verifier := rand.Text(), oauth2.GenerateVerifier()
		p.started[state] = verifier
		http.Redirect(w, r, p.oauth.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("nonce", rand.Text())), http.StatusSeeOther)
	case "/callback":
		verifier, known := p.started[r.FormValue("state")]
		_, err := p.oauth.Exchange(context.WithValue(r.Context(), oauth2.HTTPClient, p.http), r.FormValue("code"), oauth2.VerifierOption(verifier))
		if err != nil || !known {
			http.Error(w, "no log-in", http.StatusForbidden)
			return
		}
		session := rand.Text()
		p.sessions[session] = true
		http.SetCookie(w, &http.Cookie{Name: "__Host-session", Value: session, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		http.Redirect(w, r, "/", http.StatusSeeOther)
	default:
		content := `<a href="/login">Log in</a>`
		if cookie, err := r.Cookie("__Host-session"); err == nil && p.sessions[cookie.Value] {
			content = "You are logged in."
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, portalPage, content)
	}
}

// A person logs in at the provider, and another one in the same browser is not logged in by that.
func TestLogInAtProvider(t *testing.T) {
	t.Parallel()
	ca := testca.New(t, "root")
	provider := idp.Start(t, ca)
	provider.SetUser(idp.User{Name: "ada", Password: "correct horse"})
	roots := x509.NewCertPool()
	roots.AddCert(ca.Certificate)
	there := &portal{
		oauth: oauth2.Config{
			ClientID: provider.ClientID, ClientSecret: provider.ClientSecret, Scopes: []string{"openid"},
			Endpoint: oauth2.Endpoint{AuthURL: provider.Issuer + idp.AuthorizePath, TokenURL: provider.Issuer + idp.TokenPath, AuthStyle: oauth2.AuthStyleInHeader},
		},
		http:    &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}},
		started: map[string]string{}, sessions: map[string]bool{},
	}
	s := newSite(t, nil)
	s.server.Config.Handler = there
	there.oauth.RedirectURL = s.url("/callback")
	provider.SetRedirects(there.oauth.RedirectURL)

	b := browser.Start(t, s.server.Certificate(), provider.Certificate())
	p, other := open(t, b, s, "/"), open(t, b, s, "/")
	p.AllowHost(t, provider.Issuer)
	p.Follow(t, "link", "Log in")
	if !strings.HasPrefix(p.URL(t), provider.Issuer) {
		t.Fatalf("the log-in has led to %s", p.URL(t))
	}
	for _, one := range p.Structure(t) {
		t.Errorf("the provider's page: %s", one)
	}
	p.Type(t, "User name", "ada")
	p.Type(t, "Password", "wrong")
	if status := p.Follow(t, "button", "Log in"); status != http.StatusUnauthorized || !strings.Contains(p.Text(t), "Wrong user name or password.") {
		t.Errorf("wrong password: status %d, %s", status, p.Text(t))
	}
	p.Expect(t, "status of 401")
	p.Type(t, "User name", "ada")
	p.Type(t, "Password", "correct horse")
	if status := p.PressTo(t, browser.Enter); status != http.StatusOK || p.URL(t) != s.url("/") || !strings.Contains(p.Text(t), "You are logged in.") {
		t.Errorf("status %d, %s, %s", status, p.URL(t), p.Text(t))
	}
	cookies := p.Cookies(t)
	if len(cookies) != 1 || cookies[0].Name != "__Host-session" || !cookies[0].HTTPOnly || !cookies[0].Secure || cookies[0].SameSite != "Lax" || !cookies[0].Session {
		t.Fatalf("cookies %+v", cookies)
	}
	if p.Reload(t); !strings.Contains(p.Text(t), "You are logged in.") {
		t.Errorf("after a reload: %s", p.Text(t))
	}
	if other.Open(t, s.url("/")); !strings.Contains(other.Text(t), "Log in") {
		t.Errorf("the other window: %s", other.Text(t))
	}

	thief := open(t, b, s, "/")
	thief.SetCookie(t, cookies[0].Name, cookies[0].Value)
	if thief.Reload(t); !strings.Contains(thief.Text(t), "You are logged in.") {
		t.Errorf("with the cookie of another window: %s", thief.Text(t))
	}

	provider.LogInAs("ada")
	other.AllowHost(t, provider.Issuer)
	if status := other.Follow(t, "link", "Log in"); status != http.StatusOK || !strings.Contains(other.Text(t), "You are logged in.") {
		t.Errorf("at once: status %d, %s", status, other.Text(t))
	}
	provider.Plant(idp.TokenError)
	if status := other.Open(t, s.url("/login")); status != http.StatusForbidden {
		t.Errorf("with a fault of the provider: status %d", status)
	}
	other.Expect(t, "status of 403")
}

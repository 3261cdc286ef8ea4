package blackbox_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"step-posture-connector/internal/test/program"
)

// loginProvider is an OpenID provider that logs everybody in at once. internal/console/access tests what a bad one does.
type loginProvider struct {
	*httptest.Server

	key *rsa.PrivateKey

	mu     sync.Mutex
	nonce  string
	claims jwt.MapClaims
}

func newLoginProvider(t *testing.T, pki *program.PKI) *loginProvider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(pki.ServerCert, pki.ServerKey)
	if err != nil {
		t.Fatal(err)
	}
	p := &loginProvider{key: key}
	p.Server = httptest.NewUnstartedServer(p)
	p.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	p.StartTLS()
	t.Cleanup(p.Close)
	return p
}

// ServeHTTP implements http.Handler.
func (p *loginProvider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var answer any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		answer = map[string]any{"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys"}
	case "/authorize":
		p.nonce = r.FormValue("nonce")
		w.Header().Set("Location", r.FormValue("redirect_uri")+"?"+url.Values{"code": {"1"}, "state": {r.FormValue("state")}}.Encode())
		w.WriteHeader(http.StatusFound)
		return
	case "/keys":
		encode := base64.RawURLEncoding.EncodeToString
		answer = map[string]any{"keys": []any{map[string]any{"kty": "RSA", "kid": "1", "n": encode(p.key.N.Bytes()), "e": encode(big.NewInt(int64(p.key.E)).Bytes())}}}
	default:
		claims := jwt.MapClaims{"iss": p.URL, "aud": "console", "sub": "1", "nonce": p.nonce, "exp": time.Now().Add(time.Minute).Unix(), "iat": time.Now().Unix()}
		maps.Copy(claims, p.claims)
		token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
		token.Header["kid"] = "1"
		text, err := token.SignedString(p.key)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer = map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": text}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// enter goes through the log-in at the provider, and returns the answer of the console.
func (b *browser) enter(t *testing.T, p *loginProvider) page {
	t.Helper()
	start := b.get(t, "/oidc/start?next=%2Fdecisions")
	if !strings.HasPrefix(start.header.Get("Location"), p.URL+"/authorize?") {
		return start
	}
	at := *b
	at.base = p.URL
	back := at.get(t, strings.TrimPrefix(start.header.Get("Location"), p.URL))
	return b.get(t, strings.TrimPrefix(back.header.Get("Location"), b.base))
}

// TestConsoleOIDC: members of the group get in, others do not, and the provider may come later than the connector.
func TestConsoleOIDC(t *testing.T) {
	t.Parallel()
	l := newUsersLab(t) // both kinds of users
	p := newLoginProvider(t, l.pki)
	l.env = l.env.With("SSL_CERT_FILE", l.pki.CACert, "CONSOLE_URL", "https://"+l.address, "CONSOLE_OIDC_ISSUER", p.URL, "CONSOLE_OIDC_CLIENT_ID", "console",
		"CONSOLE_OIDC_CLIENT_SECRET", "Pa55word", "CONSOLE_OIDC_GROUP", "help desk", "CONSOLE_OIDC_GROUPS_CLAIM", "roles")
	l.start(t)
	b := l.browser(t)
	if form := b.get(t, "/login"); !strings.Contains(form.text, `href="/oidc/start?next=`) || !strings.Contains(form.text, `name="password"`) {
		t.Errorf("the log-in has not both: %s", form.text)
	}
	p.claims = jwt.MapClaims{"preferred_username": "eve", "roles": []string{"Help Desk"}}
	if got := b.enter(t, p); got.status != http.StatusForbidden || !strings.Contains(got.text, "You are not in the group") {
		t.Errorf("who is not in the group: %d %s", got.status, got.text)
	}
	p.claims = jwt.MapClaims{"preferred_username": "grace", "roles": []string{"staff", "help desk"}}
	if got := b.enter(t, p); got.status != http.StatusSeeOther || got.header.Get("Location") != "/decisions" {
		t.Fatalf("who is in the group: %d %s\n%s", got.status, got.text, l.daemon.Output())
	}
	if got := b.get(t, "/decisions"); got.status != http.StatusOK || !strings.Contains(got.text, "oidc:grace") {
		t.Errorf("the page: %d", got.status)
	}
	var results []string
	for _, n := range l.notices(t) {
		if n["event"] == "console_login" {
			results = append(results, n["user"]+" "+n["result"])
		}
	}
	if strings.Join(results, "|") != "oidc:eve refused|oidc:grace ok" {
		t.Errorf("the audit log has %q", results)
	}
	if strings.Contains(l.daemon.Output(), "Pa55word") {
		t.Error("the log has the client secret")
	}
	away := newUsersLab(t)
	away.env = away.env.With("CONSOLE_URL", "https://"+away.address, "CONSOLE_OIDC_ISSUER", "https://127.0.0.1:1", "CONSOLE_OIDC_CLIENT_ID", "console",
		"CONSOLE_OIDC_CLIENT_SECRET", "x", "CONSOLE_OIDC_GROUP", "help desk")
	away.start(t)
	if got := away.browser(t).enter(t, p); got.status != http.StatusServiceUnavailable || !strings.Contains(got.text, "does not answer") {
		t.Errorf("without a provider: %d %s", got.status, got.text)
	}
}

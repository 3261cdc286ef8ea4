package access_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"step-posture-connector/internal/console/access"
)

// newOIDCLab is a Guard whose people log in at a provider.
func newOIDCLab(t *testing.T, p *idp, change func(*access.ProviderSettings)) *lab {
	t.Helper()
	l := &lab{store: &memory{}, now: time.Now()}
	l.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.guard.ServeHTTP(w, r) }))
	l.StartTLS()
	t.Cleanup(l.Close)
	s := p.settings(l.URL, l.time)
	if change != nil {
		change(&s)
	}
	l.guard = access.NewGuard(access.Settings{
		TLS: true, Pages: plain{}, Renderer: plain{}, Store: l.store, Provider: access.NewProvider(s), Now: l.time, Notice: l.notice, Record: l.record,
	})
	return l
}

// begin sends the browser to the provider.
func (b *browser) begin(t *testing.T) (location string) {
	t.Helper()
	p := b.get(t, "/oidc/start?next=%2Fdecisions")
	if p.Status != http.StatusSeeOther {
		t.Fatalf("the start: %d %s (%s)", p.Status, p.Problem, b.lab.reason())
	}
	return p.Location
}

func (b *browser) back(t *testing.T, query url.Values) shown {
	t.Helper()
	return b.get(t, "/oidc/callback?"+query.Encode())
}

// A person logs in at the provider, and goes on where a page was asked for.
func TestOIDC(t *testing.T) {
	t.Parallel()
	p := newIDP(t)
	l := newOIDCLab(t, p, nil)
	if asked := p.paths(); len(asked) > 0 {
		t.Errorf("before anybody logs in, the provider was asked for %q", asked)
	}
	b := l.browser(t)
	if s := b.get(t, "/login?next=/decisions"); !s.OIDC || s.Password || s.Next != "/decisions" {
		t.Errorf("the log-in: %+v", s)
	}
	query := p.consent(t, b.begin(t))
	s := b.back(t, query)
	if s.Status != http.StatusSeeOther || s.Location != "/decisions" {
		t.Fatalf("the return: %d to %q: %s (%s)", s.Status, s.Location, s.Problem, l.reason())
	}
	if s := b.get(t, "/"); s.Person != "oidc:grace" || s.Source != access.OIDC {
		t.Errorf("the page is for %q of %q", s.Person, s.Source)
	}
	if got := l.last(); got != "console_login oidc:grace ok" {
		t.Errorf("the audit log has %q", got)
	}
	if b.cookies(t)["oidc"] != nil {
		t.Error("the cookie of the log-in stays")
	}
	if s := b.back(t, query); s.Status != http.StatusForbidden {
		t.Errorf("the same return again: %d", s.Status)
	}
	if s := b.send(t, http.MethodPost, "/login", url.Values{"name": {"a"}, "password": {"b"}}); s.Status != http.StatusNotFound {
		t.Errorf("a password: %d, want 404", s.Status)
	}
	l.pass(8 * time.Hour)
	if b.isIn(t) {
		t.Error("the session goes on after eight hours")
	}
	if asked := p.paths(); !slices.Equal(asked, []string{"/.well-known/openid-configuration", "/token", "/keys"}) {
		t.Errorf("the provider was asked for %q", asked)
	}
}

// An answer of the provider lets nobody in unless all of it is right.
func TestOIDCAnswers(t *testing.T) {
	t.Parallel()
	p := newIDP(t)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(method jwt.SigningMethod, key any, kid string) func(jwt.MapClaims) string {
		return func(claims jwt.MapClaims) string { return signed(method, key, kid, claims) }
	}
	hour := time.Now().Add(time.Hour).Unix()
	for name, test := range map[string]struct {
		claims map[string]any
		sign   func(jwt.MapClaims) string
		reason string // empty: it is let in
	}{
		"all right":               {nil, nil, ""},
		"one group as a text":     {map[string]any{"groups": group}, nil, ""},
		"several audiences":       {map[string]any{"aud": []string{clientID, "x"}, "azp": clientID}, nil, ""},
		"another issuer":          {map[string]any{"iss": "https://evil.example"}, nil, "of another issuer"},
		"no issuer":               {map[string]any{"iss": nil}, nil, "of another issuer"},
		"another audience":        {map[string]any{"aud": "x"}, nil, "for another client"},
		"no audience":             {map[string]any{"aud": nil}, nil, "for another client"},
		"another party":           {map[string]any{"azp": "x"}, nil, "issued to another client"},
		"several without a party": {map[string]any{"aud": []string{clientID, "x"}}, nil, "issued to another client"},
		"expired":                 {map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}, nil, "has expired"},
		"without an end":          {map[string]any{"exp": nil}, nil, "has expired"},
		"not yet":                 {map[string]any{"nbf": hour}, nil, "not valid yet"},
		"of the future":           {map[string]any{"iat": hour}, nil, "of the future"},
		"another nonce":           {map[string]any{"nonce": "x"}, nil, "the nonce is another"},
		"no nonce":                {map[string]any{"nonce": nil}, nil, "the nonce is another"},
		"no subject":              {map[string]any{"sub": nil}, nil, "no subject"},
		"another group":           {map[string]any{"groups": []string{"Helpdesk", "helpdesk2", "help", "helpdesk,x"}}, nil, `does not have the group "helpdesk"`},
		"no groups":               {map[string]any{"groups": []string{}}, nil, "does not have the group"},
		"a text with the group":   {map[string]any{"groups": "staff helpdesk"}, nil, "does not have the group"},
		"no claim of groups":      {map[string]any{"groups": nil}, nil, "there is no claim groups"},
		"groups that are null":    {map[string]any{"groups": []string(nil)}, nil, "neither a text nor a list"},
		"groups of objects":       {map[string]any{"groups": []any{map[string]any{"name": group}}}, nil, "neither a text nor a list"},
		"groups that are a map":   {map[string]any{"groups": map[string]any{group: true}}, nil, "neither a text nor a list"},
		"too many groups": {map[string]any{
			"groups": nil, "_claim_names": map[string]any{"groups": "src1"},
			"_claim_sources": map[string]any{"src1": map[string]any{"endpoint": "https://evil.example"}},
		}, nil, "too many groups"},
		"too many groups, implicitly": {map[string]any{"groups": nil, "hasgroups": true}, nil, "too many groups"},
		"another key":                 {nil, sign(jwt.SigningMethodES256, other, "1"), "no key of the provider"},
		"an unknown key":              {nil, sign(jwt.SigningMethodES256, other, "2"), "no key of the provider"},
		"of RSA":                      {nil, sign(jwt.SigningMethodRS256, public, "1"), "no key of the provider"},
		"not signed":                  {nil, sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "1"), "not signed by an algorithm"},
		"with the client secret":      {nil, sign(jwt.SigningMethodHS256, []byte(clientSecret), "1"), "not signed by an algorithm"},
		"no token":                    {nil, func(jwt.MapClaims) string { return "x.y.z" }, "it is no ID token"},
		"nothing":                     {nil, func(jwt.MapClaims) string { return "" }, "has no ID token"},
	} {
		l := newOIDCLab(t, p, nil)
		p.set(func() { p.claims, p.sign = test.claims, test.sign })
		b := l.browser(t)
		s := b.back(t, p.consent(t, b.begin(t)))
		if test.reason == "" {
			if s.Status != http.StatusSeeOther || !b.isIn(t) {
				t.Errorf("%s: %d: %s", name, s.Status, l.reason())
			}
			continue
		}
		reason := l.reason()
		if s.Status != http.StatusForbidden || !s.IsLogIn || s.Problem == "" || s.Next != "/decisions" || !strings.Contains(reason, test.reason) || b.isIn(t) {
			t.Errorf("%s: %d %q: %s; want %s", name, s.Status, s.Problem, reason, test.reason)
		}
		if got := l.last(); !strings.HasPrefix(got, "console_login ") || !strings.HasSuffix(got, " refused") {
			t.Errorf("%s: the audit log has %q", name, got)
		}
	}
}

// What comes back has to belong to a log-in that this browser has begun, and that is not over.
func TestOIDCReturns(t *testing.T) {
	t.Parallel()
	p := newIDP(t)
	for name, change := range map[string]func(*lab, *browser, url.Values){
		"another state":      func(_ *lab, _ *browser, q url.Values) { q.Set("state", strings.Repeat("A", 43)) },
		"no state":           func(_ *lab, _ *browser, q url.Values) { q.Del("state") },
		"the state twice":    func(_ *lab, _ *browser, q url.Values) { q.Add("state", q.Get("state")) },
		"without the cookie": func(_ *lab, b *browser, _ url.Values) { b.client.Jar = nil },
		"too late":           func(l *lab, _ *browser, _ url.Values) { l.pass(10 * time.Minute) },
		"another cookie": func(l *lab, b *browser, _ url.Values) {
			other := l.browser(t)
			other.begin(t)
			b.setCookie(t, "__Host-step-posture-1-oidc", other.cookies(t)["oidc"].Value)
		},
		"the cookie of a form": func(_ *lab, b *browser, _ url.Values) {
			b.get(t, "/login")
			b.setCookie(t, "__Host-step-posture-1-oidc", b.cookies(t)["form"].Value)
		},
		"no code":         func(_ *lab, _ *browser, q url.Values) { q.Del("code") },
		"the code twice":  func(_ *lab, _ *browser, q url.Values) { q.Add("code", q.Get("code")) },
		"another code":    func(_ *lab, _ *browser, q url.Values) { q.Set("code", "x") },
		"a long code":     func(_ *lab, _ *browser, q url.Values) { q.Set("code", strings.Repeat("x", 5000)) },
		"another issuer":  func(_ *lab, _ *browser, q url.Values) { q.Set("iss", "https://evil.example") },
		"an error":        func(_ *lab, _ *browser, q url.Values) { q.Set("error", "<script>") },
		"the person's no": func(_ *lab, _ *browser, q url.Values) { q.Set("error", "access_denied") },
		"code of another": func(l *lab, _ *browser, q url.Values) { q.Set("code", p.consent(t, l.browser(t).begin(t)).Get("code")) },
	} {
		l := newOIDCLab(t, p, nil)
		b := l.browser(t)
		query := p.consent(t, b.begin(t))
		change(l, b, query)
		if s := b.back(t, query); s.Status != http.StatusForbidden || !s.IsLogIn || strings.Contains(s.Problem+l.reason(), "<") || b.client.Jar != nil && b.isIn(t) {
			t.Errorf("%s: %d %q (%s)", name, s.Status, s.Problem, l.reason())
		}
		if sessions, _ := l.store.found(); sessions > 0 {
			t.Errorf("%s: there is a session", name)
		}
	}
	l := newOIDCLab(t, p, nil)
	b := l.browser(t)
	query := p.consent(t, b.begin(t))
	query.Set("iss", p.URL)
	if s := b.back(t, query); s.Status != http.StatusSeeOther {
		t.Errorf("with its issuer: %d (%s)", s.Status, l.reason())
	}
}

// The client secret goes in the way that the provider takes, and only once for each code.
func TestOIDCSecret(t *testing.T) {
	t.Parallel()
	p := newIDP(t)
	for name, methods := range map[string]any{"basic": []string{"client_secret_post", "client_secret_basic"}, "post": []string{"client_secret_post"}, "not said": []string(nil)} {
		p.set(func() { p.config, p.secrets = map[string]any{"token_endpoint_auth_methods_supported": methods}, nil })
		l := newOIDCLab(t, p, nil)
		b := l.browser(t)
		if s := b.back(t, p.consent(t, b.begin(t))); s.Status != http.StatusSeeOther || len(p.secrets) != 1 {
			t.Errorf("%s: %d (%s), the secret was sent %d times", name, s.Status, l.reason(), len(p.secrets))
		}
	}
}

// A session of the provider ends when the group or the provider is another; and one host is that of the console.
func TestOIDCSettings(t *testing.T) {
	t.Parallel()
	p := newIDP(t)
	l := newOIDCLab(t, p, nil)
	b := l.browser(t)
	b.back(t, p.consent(t, b.begin(t)))
	value := b.cookies(t)["session"].Value
	for name, test := range map[string]struct {
		change func(*access.ProviderSettings)
		goes   bool
	}{
		"the same":       {nil, true},
		"another group":  {func(s *access.ProviderSettings) { s.Group = "admins" }, false},
		"another claim":  {func(s *access.ProviderSettings) { s.GroupsClaim = "roles" }, false},
		"another client": {func(s *access.ProviderSettings) { s.ClientID = "x" }, false},
	} {
		next := newOIDCLab(t, p, test.change)
		next.store.sessions, next.store.key = l.store.sessions, l.store.key
		b := next.browser(t)
		b.setCookie(t, session, value)
		if b.isIn(t) != test.goes {
			t.Errorf("%s: the session goes on: %v", name, !test.goes)
		}
	}
	away := newOIDCLab(t, p, func(s *access.ProviderSettings) { s.URL = "https://posture.example.com" })
	if s := away.browser(t).get(t, "/oidc/start?next=%2Fx"); s.Status != http.StatusSeeOther || s.Location != "https://posture.example.com/oidc/start?next=%2Fx" {
		t.Errorf("at another host: %d %s", s.Status, s.Location)
	}
}

// Returns with codes that are none are limited.
func TestOIDCTries(t *testing.T) {
	t.Parallel()
	p := newIDP(t)
	l := newOIDCLab(t, p, nil)
	limited := 0
	for range 15 {
		b := l.browser(t)
		query := p.consent(t, b.begin(t))
		query.Set("code", "x")
		if b.back(t, query).Status == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited != 5 {
		t.Errorf("of 15 wrong codes %d were refused, want 5", limited)
	}
}

// The name of a person is that of the provider, cleaned, and never one of the file of users.
func TestOIDCNames(t *testing.T) {
	t.Parallel()
	p := newIDP(t)
	for want, claims := range map[string]map[string]any{
		"oidc:grace":         nil,
		"oidc:g@example.com": {"preferred_username": nil, "email": "g@example.com"},
		"oidc:4711":          {"preferred_username": " ", "email": ""},
		"oidc:a?b":           {"preferred_username": "a\u202eb"},
		"oidc:" + strings.Repeat("x", 128) + "...": {"preferred_username": strings.Repeat("x", 10000)},
	} {
		p.set(func() { p.claims = claims })
		l := newOIDCLab(t, p, nil)
		b := l.browser(t)
		b.back(t, p.consent(t, b.begin(t)))
		if got := b.get(t, "/").Person; got != want {
			t.Errorf("%v: %q, want %q (%s)", claims, got, want, l.reason())
		}
	}
}

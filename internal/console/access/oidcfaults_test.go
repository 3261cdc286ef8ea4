package access_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// A provider that does not answer, or not as one, lets nobody in; as soon as it answers, people can log in.
func TestOIDCFaults(t *testing.T) {
	t.Parallel()
	p := newIDP(t)
	respond := func(path string, answer func(w http.ResponseWriter, r *http.Request)) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == path {
				answer(w, r)
			}
			return r.URL.Path == path
		}
	}
	text := func(status int, text string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(text))
		}
	}
	elsewhere := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}
	const discovery = "/.well-known/openid-configuration"
	for name, test := range map[string]struct {
		path   string
		answer func(http.ResponseWriter, *http.Request)
		config map[string]any
		reason string
	}{
		"no provider":             {discovery, text(404, "<html>Pa55word"), nil, "its status is 404"},
		"a fault":                 {discovery, text(500, "Pa55word"), nil, "its status is 500"},
		"HTML":                    {discovery, text(200, "<html>Pa55word"), nil, "it cannot be read"},
		"a redirect":              {discovery, elsewhere, nil, "status is 307"},
		"too much":                {discovery, text(200, `{"issuer":"`+strings.Repeat("x", 1<<20)), nil, "more than 1048576 bytes"},
		"another issuer":          {"", nil, map[string]any{"issuer": "https://evil.example"}, "another issuer"},
		"plain HTTP":              {"", nil, map[string]any{"token_endpoint": "http://127.0.0.1/token"}, "token_endpoint is no https URL"},
		"plain HTTP of log-in":    {"", nil, map[string]any{"authorization_endpoint": "http://127.0.0.1/"}, "authorization_endpoint is no https URL"},
		"no keys":                 {"", nil, map[string]any{"jwks_uri": ""}, "jwks_uri is no https URL"},
		"private keys of clients": {"", nil, map[string]any{"token_endpoint_auth_methods_supported": []string{"private_key_jwt"}}, "neither client_secret_basic"},
		"token: a fault":          {"/token", text(503, "Pa55word"), nil, "its status is 503"},
		"token: an error":         {"/token", text(401, `{"error":"invalid_client","error_description":"Pa55word"}`), nil, "its status is 401, its error invalid_client"},
		"token: a strange error":  {"/token", text(400, `{"error":"<Pa55word>"}`), nil, "its error unknown"},
		"token: HTML":             {"/token", text(200, "<html>Pa55word"), nil, "it cannot be read"},
		"token: a redirect":       {"/token", elsewhere, nil, "it redirects"},
		"keys: a fault":           {"/keys", text(500, "Pa55word"), nil, "keys of the provider"},
		"keys: HTML":              {"/keys", text(200, "<html>Pa55word"), nil, "keys of the provider"},
	} {
		l := newOIDCLab(t, p, nil)
		p.set(func() {
			p.config = test.config
			p.serve = nil
			if test.answer != nil {
				p.serve = respond(test.path, test.answer)
			}
		})
		b := l.browser(t)
		s := b.get(t, "/oidc/start")
		if s.Status == http.StatusSeeOther {
			s = b.back(t, p.consent(t, s.Location))
		}
		reason := l.reason()
		if s.Status != http.StatusServiceUnavailable || !s.IsLogIn || !strings.Contains(reason, test.reason) || strings.Contains(reason+s.Problem, "Pa55word") ||
			s.Header.Get("Retry-After") == "" || b.isIn(t) {
			t.Errorf("%s: %d %q: %s; want %s", name, s.Status, s.Problem, reason, test.reason)
		}
		p.set(func() { p.config, p.serve = nil, nil })
		l.pass(3 * time.Second)
		b = l.browser(t)
		if s := b.back(t, p.consent(t, b.begin(t))); s.Status != http.StatusSeeOther {
			t.Errorf("%s: afterwards: %d (%s)", name, s.Status, l.reason())
		}
		if slices.Contains(p.paths(), "/elsewhere") {
			t.Errorf("%s: the redirect was followed", name)
		}
	}
}

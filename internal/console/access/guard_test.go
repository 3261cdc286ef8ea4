package access_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"step-posture-connector/internal/console/access"
)

// What no page needs is refused before anybody is asked for, in the same order for all.
func TestAdmission(t *testing.T) {
	t.Parallel()
	l := newUsersLab(t)
	b := l.browser(t).enter(t)
	csrf := b.get(t, "/").CSRF
	for name, test := range map[string]struct {
		method, path string
		form         url.Values
		change       func(*http.Request)
		status       int
	}{
		"HEAD":               {http.MethodHead, "/", nil, nil, 200},
		"PUT":                {http.MethodPut, "/", nil, nil, 405},
		"DELETE":             {http.MethodDelete, "/style.css", nil, nil, 405},
		"OPTIONS":            {http.MethodOptions, "/", nil, nil, 405},
		"TRACE":              {http.MethodTrace, "/", nil, nil, 405},
		"an invented method": {"GETX", "/", nil, nil, 405},
		"large headers":      {http.MethodGet, "/", nil, func(r *http.Request) { r.Header.Set("X-Large", strings.Repeat("x", 17<<10)) }, 431},
		"JSON":               {http.MethodPost, "/decide", url.Values{}, func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, 415},
		"text":               {http.MethodPost, "/decide", url.Values{}, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415},
		"files":              {http.MethodPost, "/decide", url.Values{}, func(r *http.Request) { r.Header.Set("Content-Type", "multipart/form-data; boundary=x") }, 415},
		"no type":            {http.MethodPost, "/decide", url.Values{}, func(r *http.Request) { r.Header.Del("Content-Type") }, 415},
		"a charset": {http.MethodPost, "/decide", url.Values{"csrf": {csrf}}, func(r *http.Request) {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		}, 200},
		"a large form":         {http.MethodPost, "/decide", url.Values{"csrf": {csrf}, "x": {strings.Repeat("x", 9<<10)}}, nil, 413},
		"percent signs":        {http.MethodPost, "/decide?a=%zz", url.Values{"csrf": {csrf}}, nil, 400},
		"a POST of the style":  {http.MethodPost, "/style.css", url.Values{"csrf": {"x"}}, nil, 403},
		"a POST to the return": {http.MethodPost, "/oidc/callback", url.Values{}, nil, 404},
	} {
		p := b.send(t, test.method, test.path, test.form, func(r *http.Request) {
			if test.change != nil {
				test.change(r)
			}
		})
		if p.Status != test.status {
			t.Errorf("%s: %d, want %d", name, p.Status, test.status)
		}
		for header, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Strict-Transport-Security": "max-age=31536000",
		} {
			if got := p.Header.Get(header); got != want {
				t.Errorf("%s: %s: %q, want %q", name, header, got, want)
			}
		}
		if allow := p.Header.Get("Allow"); test.status == http.StatusMethodNotAllowed && allow != "GET, HEAD, POST" {
			t.Errorf("%s: Allow %q", name, allow)
		}
	}
}

// Paths that only look like those of the log-in are pages, and need one.
func TestPathsNeedLogIn(t *testing.T) {
	t.Parallel()
	b := newUsersLab(t).browser(t)
	for _, path := range []string{"/login/", "//login", "/Login", "/%6Cogin", "/login%00", "/login;x", "/style.css/", "/%73tyle.css", "/style.css/../", "/./style.css", "/oidc", "/oidc/start/", "/x/style.css"} {
		if p := b.get(t, path); p.Status != http.StatusSeeOther || !strings.HasPrefix(p.Location, "/login?next=%2F") {
			t.Errorf("%s: %d %q", path, p.Status, p.Location)
		}
	}
	for path, want := range map[string]int{"/oidc/start": 404, "/oidc/callback?code=x&state=y": 404, "/style.css?v=1": 200} {
		if p := b.get(t, path); p.Status != want {
			t.Errorf("%s: %d, want %d", path, p.Status, want)
		}
	}
}

// Without users, requests are let in that come from this machine, by one of its names, and by no proxy.
func TestLocal(t *testing.T) {
	t.Parallel()
	l := newLab(t, access.Settings{})
	b := l.browser(t)
	p := b.get(t, "/")
	if p.Status != http.StatusOK || p.Person != "local" || p.Source != access.Local || p.CSRF == "" || p.Header.Get("Strict-Transport-Security") != "" {
		t.Fatalf("a page: %+v", p)
	}
	if p := b.send(t, http.MethodPost, "/decide", url.Values{"csrf": {p.CSRF}}); p.Status != http.StatusOK {
		t.Errorf("a form: %d", p.Status)
	}
	if p := b.get(t, "/"); p.CSRF != b.get(t, "/x").CSRF {
		t.Error("each page has another token, so that a second window makes the first one useless")
	}
	for name, b := range map[string]*browser{"without the token": b, "without the cookie": l.browser(t)} {
		form := url.Values{"csrf": {p.CSRF}}
		if name == "without the token" {
			form = url.Values{}
		}
		if p := b.send(t, http.MethodPost, "/decide", form); p.Status != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", name, p.Status)
		}
	}
	for _, path := range []string{"/login", "/logout", "/oidc/start", "/oidc/callback"} {
		if p := b.get(t, path); p.Status != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, p.Status)
		}
	}
	if _, asked := l.store.found(); asked > 0 {
		t.Error("the store was asked for a session")
	}
}

// The client has to be on this machine too, whatever Host says.
func TestLocalPeer(t *testing.T) {
	t.Parallel()
	l := newLab(t, access.Settings{})
	for peer, want := range map[string]int{
		"127.0.0.1:1": 200, "127.8.9.1:1": 200, "[::1]:1": 200, "[::ffff:127.0.0.1]:1": 200,
		"10.0.0.1:1": 403, "192.0.2.1:1": 403, "[2001:db8::1]:1": 403, "[::ffff:10.0.0.1]:1": 403, "": 403, "@": 403, "127.0.0.1": 403,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/", nil)
		r.RemoteAddr = peer
		w := httptest.NewRecorder()
		l.guard.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("a client at %q: %d, want %d", peer, w.Code, want)
		}
	}
}

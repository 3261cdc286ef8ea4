package access_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// browser keeps cookies, and follows no redirect.
type browser struct {
	lab    *lab
	client *http.Client
}

func (l *lab) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := *l.Client()
	client.Jar = jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{l, &client}
}

// send sends a request; with a form it is that of this site.
func (b *browser) send(t *testing.T, method, path string, form url.Values, changes ...func(*http.Request)) shown {
	t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(t.Context(), method, b.lab.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, change := range changes {
		change(r)
	}
	answer, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	s := shown{}
	if err := json.NewDecoder(answer.Body).Decode(&s); err != nil && !errors.Is(err, io.EOF) {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	s.Status, s.Header, s.Location = answer.StatusCode, answer.Header, answer.Header.Get("Location")
	return s
}

func (b *browser) get(t *testing.T, path string, changes ...func(*http.Request)) shown {
	t.Helper()
	return b.send(t, http.MethodGet, path, nil, changes...)
}

// form is that of the log-in.
func (b *browser) form(t *testing.T, name, password string) url.Values {
	t.Helper()
	return url.Values{"name": {name}, "password": {password}, "csrf": {b.get(t, "/login").CSRF}, "next": {"/x?y=z"}}
}

func (b *browser) logIn(t *testing.T, name, password string) shown {
	t.Helper()
	return b.send(t, http.MethodPost, "/login", b.form(t, name, password))
}

// enter logs ada in.
func (b *browser) enter(t *testing.T) *browser {
	t.Helper()
	if p := b.logIn(t, person, password); p.Status != http.StatusSeeOther || p.Location != "/x?y=z" {
		t.Fatalf("the log-in: %d to %q: %s (%s)", p.Status, p.Location, p.Problem+p.Text, b.lab.reason())
	}
	return b
}

// isIn reports whether the pages are shown.
func (b *browser) isIn(t *testing.T) bool {
	t.Helper()
	p := b.get(t, "/")
	if p.Status != http.StatusOK && (p.Status != http.StatusSeeOther || p.Location != "/login?next=%2F") {
		t.Errorf("a page: %d to %q: %s", p.Status, p.Location, p.Text)
	}
	return p.Status == http.StatusOK
}

// cookies are those of the browser, by what they are for.
func (b *browser) cookies(t *testing.T) map[string]*http.Cookie {
	t.Helper()
	base, err := url.Parse(b.lab.URL)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*http.Cookie{}
	for _, c := range b.client.Jar.Cookies(base) {
		all[c.Name[strings.LastIndex(c.Name, "-")+1:]] = c
	}
	return all
}

// setCookie replaces a cookie.
func (b *browser) setCookie(t *testing.T, name, value string) {
	t.Helper()
	base, err := url.Parse(b.lab.URL)
	if err != nil {
		t.Fatal(err)
	}
	b.client.Jar.SetCookies(base, []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: base.Scheme == "https"}}) //nolint:gosec // G124: a test forges it
}

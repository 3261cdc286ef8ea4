package access_test

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/console/access"
)

const session = "__Host-step-posture-1-session"

// A session begins with the right password, and ends with the log-out; each is in the audit log.
func TestLogIn(t *testing.T) {
	t.Parallel()
	l := newUsersLab(t)
	b := l.browser(t)
	if b.isIn(t) {
		t.Fatal("a page is shown without a log-in")
	}
	if p := b.get(t, "/login?next=/decisions?since=24h"); !p.IsLogIn || !p.Password || p.OIDC || p.Next != "/decisions?since=24h" || p.Status != http.StatusOK {
		t.Errorf("the log-in: %+v", p)
	}
	b.enter(t)
	if p := b.get(t, "/anything"); p.Person != person || p.Source != access.File || p.Text != "page" {
		t.Errorf("a page: %+v", p)
	}
	if got := l.last(); got != "console_login ada ok" {
		t.Errorf("the audit log has %q", got)
	}
	if p := b.get(t, "/login?next=/here"); p.Status != http.StatusSeeOther || p.Location != "/here" {
		t.Errorf("the log-in of one who has logged in: %d %s", p.Status, p.Location)
	}
	csrf := b.get(t, "/").CSRF
	if p := b.get(t, "/logout"); p.Status != http.StatusMethodNotAllowed || p.Header.Get("Allow") != "POST" || !b.isIn(t) {
		t.Errorf("GET /logout: %d", p.Status)
	}
	copied := l.browser(t)
	copied.setCookie(t, session, b.cookies(t)["session"].Value)
	if p := b.send(t, http.MethodPost, "/logout", url.Values{"csrf": {csrf}}); p.Status != http.StatusSeeOther || p.Location != "/login" {
		t.Errorf("the log-out: %d %s", p.Status, p.Location)
	}
	if got := l.last(); got != "console_logout ada ok" {
		t.Errorf("the audit log has %q", got)
	}
	if b.isIn(t) || copied.isIn(t) || b.cookies(t)["session"] != nil {
		t.Error("the session goes on after the log-out")
	}
}

// Whatever is wrong with name or password, the person reads the same; only the log says which.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	l := newUsersLab(t)
	long := strings.Repeat("x", 72)
	l.guard.UseUsers(usersOf(t, person+":"+hashOf(t, password)+"\nlong:"+hashOf(t, long)+"\nempty:"+hashOf(t, "")+"\n"))
	for _, test := range []struct{ name, password, notice string }{
		{person, "a passwore of ada", "console_login ada failed"},
		{person, "", "console_login ada failed"},
		{person, password + "\x00", "console_login ada failed"},
		{"nobody", password, "console_login  unknown"},
		{"", password, "console_login  unknown"},
		{"Ada", password, "console_login  unknown"},
		{"long", long + "x", "console_login long failed"},
		{"empty", "", "console_login empty failed"},
	} {
		b := l.browser(t)
		p := b.logIn(t, test.name, test.password)
		if p.Status != http.StatusUnauthorized || p.Problem != "Name or password is wrong." || p.Next != "/x?y=z" || p.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("%q, %q: %d %q", test.name, test.password, p.Status, p.Problem)
		}
		if b.isIn(t) {
			t.Errorf("%q, %q: it is let in", test.name, test.password)
		}
		if got := l.last(); got != test.notice {
			t.Errorf("%q, %q: the audit log has %q, want %q", test.name, test.password, got, test.notice)
		}
	}
	if sessions, _ := l.store.found(); sessions != 0 {
		t.Errorf("there are %d sessions", sessions)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if strings.Contains(e.Person+e.Reason, "nobody") && e.Reason != "nobody has this name" || strings.Contains(e.Reason, password) {
			t.Errorf("the log has what was typed: %+v", e)
		}
	}
}

// Wrong tries are limited for a client and for a name; a right one does not count. Tries that are too many are not looked at.
func TestTooManyTries(t *testing.T) {
	t.Parallel()
	l := newUsersLab(t)
	for range 30 {
		l.browser(t).enter(t)
	}
	var b *browser
	limited := 0
	for range 20 {
		b = l.browser(t)
		p := b.logIn(t, person, "wrong")
		if p.Status != http.StatusTooManyRequests {
			if limited > 0 || p.Status != http.StatusUnauthorized {
				t.Fatalf("a wrong password: %d", p.Status)
			}
			continue
		}
		limited++
		if seconds, err := strconv.Atoi(p.Header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 6 || !p.IsLogIn || !strings.Contains(p.Problem, p.Header.Get("Retry-After")+" seconds") {
			t.Errorf("too many tries: Retry-After %q, %q", p.Header.Get("Retry-After"), p.Problem)
		}
	}
	if limited != 10 {
		t.Errorf("of 20 wrong tries %d were refused, want 10", limited)
	}
	if p := b.logIn(t, person, password); p.Status != http.StatusTooManyRequests || b.isIn(t) {
		t.Errorf("the right password, after too many wrong ones: %d", p.Status)
	}
	if got := l.last(); got != "console_login  limited" {
		t.Errorf("the audit log has %q", got)
	}
	l.pass(7 * time.Second)
	l.browser(t).enter(t)
}

// A form of the log-in needs the token that belongs to its cookie, and comes from this site.
func TestForgedLogIn(t *testing.T) {
	t.Parallel()
	l := newUsersLab(t)
	other := l.browser(t).form(t, person, password)
	for name, change := range map[string]func(url.Values){
		"no token":          func(f url.Values) { f.Del("csrf") },
		"an empty token":    func(f url.Values) { f.Set("csrf", "") },
		"another token":     func(f url.Values) { f.Set("csrf", strings.Repeat("A", 43)) },
		"the token twice":   func(f url.Values) { f.Add("csrf", f.Get("csrf")) },
		"of another cookie": func(f url.Values) { f.Set("csrf", other.Get("csrf")) },
	} {
		b := l.browser(t)
		form := b.form(t, person, password)
		change(form)
		if p := b.send(t, http.MethodPost, "/login", form); p.Status != http.StatusForbidden || !p.IsLogIn || p.Problem == "" || b.isIn(t) {
			t.Errorf("%s: %d %+v", name, p.Status, p)
		}
	}
	b := l.browser(t)
	form := b.form(t, person, password)
	if p := l.browser(t).send(t, http.MethodPost, "/login", form); p.Status != http.StatusForbidden || p.CSRF == "" {
		t.Errorf("without the cookie: %d", p.Status)
	}
	for _, header := range [][2]string{
		{"Origin", "https://evil.example.com"},
		{"Origin", "null"},
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
	} {
		p := b.send(t, http.MethodPost, "/login", form, func(r *http.Request) { r.Header.Set(header[0], header[1]) })
		if p.Status != http.StatusForbidden || b.isIn(t) {
			t.Errorf("%s: %d", header, p.Status)
		}
	}
	query := b.send(t, http.MethodPost, "/login?"+form.Encode(), url.Values{})
	if query.Status != http.StatusForbidden || b.isIn(t) {
		t.Errorf("a form in the query: %d", query.Status)
	}
	if p := b.send(t, http.MethodPost, "/login", form, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") }); p.Status != http.StatusSeeOther {
		t.Errorf("of this site: %d", p.Status)
	}
}

// Nobody is let in who is not in the audit log.
func TestLogInIsAudited(t *testing.T) {
	t.Parallel()
	l := newUsersLab(t)
	l.silent = errors.New("no space left on device")
	b := l.browser(t)
	p := b.logIn(t, person, password)
	if got := l.reason(); p.Status != http.StatusServiceUnavailable || !strings.HasPrefix(got, "audit log: no space left") || b.isIn(t) {
		t.Errorf("the log-in: %d, %s", p.Status, got)
	}
	if sessions, _ := l.store.found(); sessions != 0 {
		t.Errorf("there are %d sessions", sessions)
	}
}

// While the database does not answer nobody is let in, and nobody's session ends.
func TestDatabaseDown(t *testing.T) {
	t.Parallel()
	l := newUsersLab(t)
	b := l.browser(t).enter(t)
	form := l.browser(t)
	values := form.form(t, person, password)
	l.store.fail(errors.New("connection refused"))
	for _, path := range []string{"/", "/login"} {
		if p := b.get(t, path); p.Status != http.StatusServiceUnavailable || p.Header.Get("Retry-After") == "" || strings.Contains(p.Text, "refused") {
			t.Errorf("%s: %d %s", path, p.Status, p.Text)
		}
	}
	if p := form.send(t, http.MethodPost, "/login", values); p.Status != http.StatusServiceUnavailable {
		t.Errorf("a log-in: %d", p.Status)
	}
	csrf := url.Values{"csrf": {"x"}}
	if p := b.send(t, http.MethodPost, "/logout", csrf); p.Status != http.StatusServiceUnavailable || b.cookies(t)["session"] == nil {
		t.Errorf("a log-out: %d", p.Status)
	}
	if p := b.get(t, "/style.css"); p.Status != http.StatusOK {
		t.Errorf("the style: %d", p.Status)
	}
	l.store.fail(nil)
	if !b.isIn(t) {
		t.Error("the session has ended")
	}
	cold := newUsersLab(t)
	cold.store.fail(errors.New("connection refused"))
	if p := cold.browser(t).get(t, "/login"); p.Status != http.StatusServiceUnavailable {
		t.Errorf("without the key of cookies: %d", p.Status)
	}
}

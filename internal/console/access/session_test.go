package access_test

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/console/access"
)

// A session ends after eight hours, whatever is done with it.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	l := newUsersLab(t)
	b := l.browser(t).enter(t)
	for range 7 {
		l.pass(time.Hour)
		if !b.isIn(t) {
			t.Fatal("it has ended too soon")
		}
	}
	l.pass(time.Hour)
	if b.isIn(t) {
		t.Error("it goes on after eight hours")
	}
}

// A session ends when the person is removed, or has another password, and not when others change.
func TestSessionOfRemovedUser(t *testing.T) {
	t.Parallel()
	hash := hashOf(t, password)
	for name, test := range map[string]struct {
		users string
		goes  bool
	}{
		"the same":                       {person + ":" + hash + "\n", true},
		"with another person":            {person + ":" + hash + "\neve:" + hash + "\n", true},
		"removed":                        {"eve:" + hash + "\n", false},
		"another password":               {person + ":" + hashOf(t, "another") + "\n", false},
		"the same, hashed once more":     {person + ":" + hashOf(t, password) + "\n", false},
		"another case":                   {"Ada:" + hash + "\n", false},
		"the name of another, and so on": {"ada2:" + hash + "\n", false},
	} {
		l := newLab(t, access.Settings{TLS: true, Users: usersOf(t, person+":"+hash+"\n")})
		b := l.browser(t).enter(t)
		l.guard.UseUsers(usersOf(t, test.users))
		if b.isIn(t) != test.goes {
			t.Errorf("%s: the session goes on: %v, want %v", name, !test.goes, test.goes)
		}
		if p := b.send(t, http.MethodPost, "/decide", url.Values{}); !test.goes && p.Status != http.StatusUnauthorized {
			t.Errorf("%s: a form: %d, want 401", name, p.Status)
		}
	}
}

// Every log-in makes a new secret, and ends the session that the browser had: nobody can know one from before.
func TestNoFixation(t *testing.T) {
	t.Parallel()
	l := newUsersLab(t)
	b := l.browser(t)
	form := b.form(t, person, password)
	b.send(t, http.MethodPost, "/login", form)
	first := b.cookies(t)["session"].Value
	if b.cookies(t)["form"] != nil {
		t.Error("the cookie of the form stays")
	}
	// A second log-in, in a window that still has the form.
	again := l.browser(t)
	form = again.form(t, "bob", "of bob")
	again.setCookie(t, session, first)
	if p := again.send(t, http.MethodPost, "/login", form); p.Status != http.StatusSeeOther {
		t.Fatalf("the second log-in: %d", p.Status)
	}
	if again.cookies(t)["session"].Value == first || again.get(t, "/").Person != "bob" {
		t.Error("the session is still the first one")
	}
	if b.isIn(t) {
		t.Error("the first session goes on")
	}
	if sessions, _ := l.store.found(); sessions != 1 {
		t.Errorf("there are %d sessions", sessions)
	}
}

// A cookie that was not signed for a session is none, and costs no query.
func TestForgedCookies(t *testing.T) {
	t.Parallel()
	l := newUsersLab(t)
	b := l.browser(t)
	b.get(t, "/login")
	form := b.cookies(t)["form"].Value
	b.enter(t)
	good := b.cookies(t)["session"].Value
	flipped := []byte(good)
	flipped[len(flipped)/2] ^= 1
	_, before := l.store.found()
	for name, value := range map[string]string{
		"none": "", "a word": "admin", "another kind": form, "changed": string(flipped), "cut": good[:len(good)-2], "longer": good + "AAAA",
		"padded": good + "=", "zeros": strings.Repeat("A", len(good)), "huge": strings.Repeat("A", 9000),
	} {
		stranger := l.browser(t)
		stranger.setCookie(t, session, value)
		if stranger.isIn(t) {
			t.Errorf("%s: it is let in", name)
		}
	}
	twice := l.browser(t)
	if p := twice.get(t, "/", func(r *http.Request) { r.Header.Set("Cookie", session+"="+good+"; "+session+"="+good) }); p.Status != http.StatusSeeOther {
		t.Errorf("twice: %d", p.Status)
	}
	if p := twice.get(t, "/", func(r *http.Request) { r.Header.Set("Cookie", "step-posture-1-session="+good) }); p.Status != http.StatusSeeOther {
		t.Errorf("under the name without TLS: %d", p.Status)
	}
	if _, after := l.store.found(); after != before {
		t.Errorf("the store was asked %d times", after-before)
	}
	if !b.isIn(t) {
		t.Error("the good one is refused")
	}
}

// The store has neither the secret nor anything that a cookie can be made of.
func TestStoreHasHash(t *testing.T) {
	t.Parallel()
	l := newUsersLab(t)
	b := l.browser(t).enter(t)
	value := b.cookies(t)["session"].Value
	for hash, s := range l.store.sessions {
		if strings.Contains(value, string(hash[:])) || bytes.Contains([]byte(value), hash[:8]) || s.Person != person || s.Source != access.File ||
			s.Expires.Sub(s.Created) != 8*time.Hour {
			t.Errorf("the store has %x, %+v", hash, s)
		}
	}
	// Whoever reads the database cannot log in: what is stored is no secret of a cookie, and the key of another database signs nothing.
	other := newUsersLab(t)
	thief := other.browser(t)
	thief.setCookie(t, session, value)
	if thief.isIn(t) {
		t.Error("a cookie of another database is good")
	}
}

// Two replicas share sessions, forms and keys.
func TestReplicas(t *testing.T) {
	t.Parallel()
	users := usersOf(t, person+":"+hashOf(t, password)+"\n")
	one := newLab(t, access.Settings{TLS: true, Users: users})
	two := newLab(t, access.Settings{TLS: true, Users: users, Store: one.store})
	b := one.browser(t)
	form := b.form(t, person, password)
	there := two.browser(t)
	for _, c := range b.cookies(t) {
		there.setCookie(t, c.Name, c.Value)
	}
	if p := there.send(t, http.MethodPost, "/login", form); p.Status != http.StatusSeeOther {
		t.Fatalf("the form of the other replica: %d %s", p.Status, p.Problem)
	}
	b.setCookie(t, session, there.cookies(t)["session"].Value)
	if !b.isIn(t) {
		t.Error("the session of the other replica is none")
	}
}

// Every form of a page needs the token of the session.
func TestForgedForm(t *testing.T) {
	t.Parallel()
	l := newUsersLab(t)
	b, other := l.browser(t).enter(t), l.browser(t).enter(t)
	csrf := b.get(t, "/").CSRF
	for name, test := range map[string]struct {
		csrf   []string
		status int
	}{
		"the token": {[]string{csrf}, 200}, "none": {nil, 403}, "empty": {[]string{""}, 403}, "twice": {[]string{csrf, csrf}, 403},
		"of another session": {[]string{other.get(t, "/").CSRF}, 403},
	} {
		if p := b.send(t, http.MethodPost, "/decide", url.Values{"csrf": test.csrf}); p.Status != test.status {
			t.Errorf("%s: %d, want %d", name, p.Status, test.status)
		}
	}
	if p := b.send(t, http.MethodPost, "/decide", url.Values{"csrf": {csrf}}, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }); p.Status != http.StatusForbidden {
		t.Errorf("of another site: %d", p.Status)
	}
}

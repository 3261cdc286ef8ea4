package access_test

import (
	"net/http"
	"strings"
	"testing"

	"step-posture-connector/internal/console/access"
)

// Whose password is replaced while the one before is being verified is not let in with it: the session would be that of the new one,
// and last for hours.
func TestPasswordReplacedDuringLogIn(t *testing.T) {
	t.Parallel()
	l := newUsersLab(t)
	b := l.browser(t)
	after := usersOf(t, person+":"+hashOf(t, "another password")+"\n")
	l.mu.Lock()
	l.noting = func() { l.guard.UseUsers(after) }
	l.mu.Unlock()
	if s := b.logIn(t, person, password); s.Status != http.StatusForbidden {
		t.Errorf("the log-in: %d, want 403", s.Status)
	}
	if s := b.get(t, "/"); s.Status != http.StatusSeeOther {
		t.Errorf("a page with the password before: %d, want the log-in", s.Status)
	}
	if sessions, _ := l.store.found(); sessions != 0 {
		t.Errorf("there are %d sessions", sessions)
	}
}

// Browsers leave the default port of https out of Host: a CONSOLE_URL with it must not redirect to itself for ever.
func TestOIDCDefaultPort(t *testing.T) {
	t.Parallel()
	p := newIDP(t)
	l := newOIDCLab(t, p, func(s *access.ProviderSettings) { s.URL = "https://posture.example.com:443" })
	for _, host := range []string{"posture.example.com", "Posture.example.com", "posture.example.com:443"} {
		s := l.browser(t).get(t, "/oidc/start", func(r *http.Request) { r.Host = host })
		if s.Status != http.StatusSeeOther || !strings.HasPrefix(s.Location, p.URL+"/authorize?") {
			t.Errorf("asked as %s: %d to %s", host, s.Status, s.Location)
		}
	}
	if s := l.browser(t).get(t, "/oidc/start", func(r *http.Request) { r.Host = "posture.example.com:8443" }); s.Location != "https://posture.example.com:443/oidc/start?next=%2F" {
		t.Errorf("at another port: %d to %s", s.Status, s.Location)
	}
}

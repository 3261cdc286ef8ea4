package access_test

import (
	"net/http"
	"testing"
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

package access_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// While the provider hangs, strangers who want to log in do not take the places of people who have.
func TestProviderHangs(t *testing.T) {
	t.Parallel()
	p := newIDP(t)
	l := newOIDCLab(t, p, nil)
	b := l.browser(t)
	if s := b.back(t, p.consent(t, b.begin(t))); s.Status != http.StatusSeeOther {
		t.Fatalf("the log-in: %d", s.Status)
	}
	hangs := make(chan struct{}, 1)
	p.mu.Lock()
	p.serve = func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case hangs <- struct{}{}:
		default:
		}
		<-r.Context().Done()
		return true
	}
	p.mu.Unlock()
	l.pass(2 * time.Hour) // its endpoints are asked for again
	var strangers sync.WaitGroup
	for range 40 {
		stranger := l.browser(t)
		strangers.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.URL+"/oidc/start", nil)
			if err != nil {
				t.Error(err)
				return
			}
			if answer, err := stranger.client.Do(r); err == nil {
				_ = answer.Body.Close()
			}
		})
	}
	<-hangs
	for range 20 {
		if s := b.get(t, "/"); s.Status != http.StatusOK || !strings.HasPrefix(s.Person, "oidc:") {
			t.Errorf("the page: %d for %q", s.Status, s.Person)
		}
	}
	strangers.Wait()
}

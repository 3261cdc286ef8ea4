package console_test

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/console"
	"step-posture-connector/internal/console/access"

	"step-posture-connector/internal/test/browser"
)

var pictures = flag.String("pictures", "", "the folder into which to write the pictures of docs/console.md; none are written without it") //nolint:gochecknoglobals // a flag of the test

// The pictures of docs/console.md. They are always made, so that it is known that they are small enough; make console-pictures
// writes them.
func TestPictures(t *testing.T) {
	t.Parallel()
	pages := &console.Pages{Journal: journalOf(t, organization()), Live: live{}, Now: pictured, Notice: func(audit.Notice) error { return nil }, Version: "1.0.0"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session := access.Session{Person: "grace", Source: access.File, Created: pictured(), Expires: pictured()}
		pages.ServeHTTP(w, r.WithContext(access.WithSession(r.Context(), session, "token")))
	}))
	t.Cleanup(server.Close)
	p := browser.Start(t).NewPage(t)
	const wide = 980
	for name, of := range map[string]struct {
		path          string
		width, height int
		dark          bool
		follow        string
	}{
		"overview": {path: "/?over=7d", width: wide, height: 1180},
		"decision": {path: "/devices/" + ada, width: wide, height: 1000, follow: "Everything about this decision"},
		"device":   {path: "/devices/" + ada, width: wide, height: 1000},
		"impact":   {path: "/rules/laptops/os_current", width: wide, height: 900},
		"dark":     {path: "/?over=7d", width: wide, height: 720, dark: true},
		"narrow":   {path: "/devices/" + ada, width: browser.NarrowWidth, height: 1100, follow: "Everything about this decision"},
	} {
		t.Run(name, func(t *testing.T) {
			p.SetDark(t, of.dark)
			p.Resize(t, of.width, browser.WideHeight)
			if status := p.Open(t, server.URL+of.path); status != http.StatusOK {
				t.Fatalf("status %d", status)
			}
			if of.follow != "" {
				p.Follow(t, "link", of.follow)
			}
			picture := p.Picture(t, of.height)
			t.Logf("%d bytes", len(picture))
			if *pictures == "" {
				return
			}
			if err := os.WriteFile(filepath.Join(*pictures, "console-"+name+".png"), picture, 0o600); err != nil {
				t.Error(err)
			}
		})
	}
}

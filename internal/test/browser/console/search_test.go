package console_test

import (
	"net/http"
	"strings"
	"testing"

	"step-posture-connector/internal/test/browser"
)

const field = "Reference or serial number"

// A person finds what was decided.
func TestSearch(t *testing.T) {
	t.Parallel()
	l := prepare(t).withUsers(t, "ada").start(t)
	l.ask(t, l.laptops, goodMac)
	reference := l.ask(t, l.laptops, plainMac)
	l.ask(t, l.laptops, oldMac)
	l.settle(t)
	b := l.browser(t)
	p := l.as(t, b, "ada", "/")
	for name, typed := range map[string]string{"reference": reference, "lower case": strings.ToLower(reference), "in groups": reference[:4] + " " + reference[4:]} {
		t.Run(name, func(t *testing.T) {
			p.Open(t, l.base)
			p.Type(t, field, typed)
			p.Follow(t, "button", "Search")
			l.wantPath(t, p, "/decisions/")
			wantText(t, p, plainMac, "Refused", reference, adviceOfRule)
		})
	}
	t.Run("serial number", func(t *testing.T) {
		p.Type(t, field, strings.ToLower(plainMac))
		p.PressTo(t, browser.Enter)
		l.wantPath(t, p, "/devices/")
		wantText(t, p, "Device "+plainMac, "Refused")
	})
	t.Run("unknown", func(t *testing.T) {
		p.Type(t, field, noMac)
		if status := p.Follow(t, "button", "Search"); status != http.StatusNotFound {
			t.Errorf("status %d", status)
		}
		wantText(t, p, "Nothing was found", noMac)
		p.Follow(t, "link", "check the device now")
		if got := p.Value(t, "Serial number, or another identifier"); got != noMac {
			t.Errorf("the form has %q", got)
		}
		p.Expect(t, "status of 404")
	})
}

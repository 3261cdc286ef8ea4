package browser_test

import (
	"bytes"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"step-posture-connector/internal/test/browser"
)

// A person uses the page, with the mouse and with the keyboard.
func TestUse(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/": good, "/other": strings.Replace(good, "<h1>Decisions", "<h1>Another", 1)})
	b := browser.Start(t, s.server.Certificate())
	t.Run("mouse", func(t *testing.T) {
		p := open(t, b, s, "/")
		if got := p.Title(t); got != "Decisions" {
			t.Errorf("title %q", got)
		}
		p.Type(t, "Reference or serial number", "gone")
		p.Type(t, "Reference or serial number", "<b>&\u202eé")
		if got := p.Value(t, "Reference or serial number"); got != "<b>&\u202eé" {
			t.Errorf("the field has %q", got)
		}
		p.Click(t, "checkbox", "Denied only")
		p.Choose(t, "Order", "oldest")
		if status := p.Follow(t, "button", "Search"); status != http.StatusOK {
			t.Errorf("status %d", status)
		}
		if text := p.Text(t); !strings.Contains(text, "Searched: q=%3Cb%3E%26%E2%80%AE%C3%A9&denied=on&order=oldest") {
			t.Errorf("text %q", text)
		}
		if rows := p.Table(t, "Devices"); len(rows) != 2 || rows[0][0] != "Serial number" || rows[1][0] != "C02XK1JKLVCG" {
			t.Errorf("the table has %q", rows)
		}
		p.Follow(t, "link", "Other page")
		if !p.Has(t, "heading", "Another") || p.Has(t, "heading", "Decisions") || !strings.HasSuffix(p.URL(t), "/other") {
			t.Errorf("the link has led to %s", p.URL(t))
		}
		if p.Back(t); !strings.Contains(p.URL(t), "/search?") {
			t.Errorf("back leads to %s", p.URL(t))
		}
		if status := p.Open(t, s.url("/moved")); status != http.StatusOK || !strings.HasSuffix(p.URL(t), "/other") {
			t.Errorf("after the redirect: status %d, %s", status, p.URL(t))
		}
		if requests := p.Requests(); len(requests) < 5 || requests[0] != s.url("/") {
			t.Errorf("requests %q", requests)
		}
	})
	t.Run("keyboard", func(t *testing.T) {
		p := open(t, b, s, "/")
		var names []string
		for _, f := range p.Walk(t) {
			names = append(names, f.Role+" "+f.Name)
			if !f.InView || !f.Ring {
				t.Errorf("%+v", f)
			}
		}
		want := "link Overview, link Other page, searchbox Reference or serial number, checkbox Denied only, combobox Order, button Search"
		if got := strings.Join(names, ", "); got != want {
			t.Errorf("the focus takes the way %s, want %s", got, want)
		}
		p.Open(t, s.url("/"))
		p.Press(t, browser.Tab, browser.Tab, browser.Tab)
		p.TypeHere(t, "C02")
		if status := p.PressTo(t, browser.Enter); status != http.StatusOK || !strings.Contains(p.Text(t), "q=C02") {
			t.Errorf("status %d, %s", status, p.Text(t))
		}
		p.Press(t, browser.Tab, browser.Tab, browser.ShiftTab)
		if f := p.Focused(t); f.Name != "Overview" {
			t.Errorf("the focus is at %+v", f)
		}
	})
	t.Run("without JavaScript", func(t *testing.T) {
		p := b.NewPage(t)
		p.SetScript(t, false)
		p.Open(t, s.url("/"))
		if text := p.Text(t); !strings.Contains(text, "Works without JavaScript.") {
			t.Errorf("text %q", text)
		}
		p.Type(t, "Reference or serial number", "x")
		if p.Follow(t, "button", "Search"); !strings.Contains(p.Text(t), "q=x") {
			t.Errorf("text %q", p.Text(t))
		}
		p.Check(t, "banner", "navigation")
		p.SetScript(t, true)
		p.Open(t, s.url("/"))
		if text := p.Text(t); strings.Contains(text, "Works without JavaScript.") {
			t.Errorf("with JavaScript: text %q", text)
		}
	})
	t.Run("missing page", func(t *testing.T) {
		p := b.NewPage(t)
		if status := p.Open(t, s.url("/missing")); status != http.StatusNotFound {
			t.Errorf("status %d", status)
		}
		p.Expect(t, "status of 404")
	})
	t.Run("pictures", func(t *testing.T) {
		p := open(t, b, s, "/")
		light := p.Picture(t, 0)
		p.SetDark(t, true)
		p.Resize(t, browser.NarrowWidth, browser.NarrowHeight)
		dark := p.Picture(t, 200)
		for name, data := range map[string][]byte{"light": light, "dark": dark} {
			config, err := png.DecodeConfig(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %d x %d, %d bytes", name, config.Width, config.Height, len(data))
		}
		if bytes.Equal(light, dark) {
			t.Error("light and dark are equal")
		}
	})
}

// The certificate of another CA is refused.
func TestUntrusted(t *testing.T) {
	t.Parallel()
	s, other := newSite(t, map[string]string{"/": good}), newSite(t, nil)
	b := browser.Start(t, other.server.Certificate())
	wantFailure(t, "ERR_CERT_AUTHORITY_INVALID", func(t testing.TB) { open(t, b, s, "/") })
}

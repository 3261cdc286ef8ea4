package console_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/browser"
)

// hostileTexts are what a page must show as text: markup and scripts in several contexts, characters that nobody sees or that turn a
// text around, and a text of a length that breaks a layout.
func hostileTexts() map[string]string {
	return map[string]string{
		"script":    `<script>document.title="hacked";console.log("canary")</script>`,
		"handler":   `"><img src=x onerror="document.title='hacked'"><svg onload=alert(1)>`,
		"attribute": `' onfocus=alert(1) autofocus x='" onmouseover="alert(1)`,
		"close":     `</title></style></td></table></main></body><h1>Log in</h1><form action="https://elsewhere.example.com"><input name=password>`,
		"link":      `javascript:alert(1) https://elsewhere.example.com/ <a href="javascript:alert(1)">Search</a>`,
		"style":     `<style>body{display:none}</style><link rel=stylesheet href="https://elsewhere.example.com/x.css"><base href="https://elsewhere.example.com/">`,
		"template":  `{{.}} ${alert(1)} <!-- --><![CDATA[x]]>`,
		"rtl":       "\u202egnp.exe\u202c \u2066\u05d0\u2069 admin\u200f\u200e",
		"invisible": "ad\u200bmin\u200d\u2060\ufeff\u00ad zero width",
		"control":   "bell \u0007 escape \u001b[31m delete \u007f c1 \u0085 line\u2028\u2029",
		"marks":     "Z" + strings.Repeat("\u0301\u0338", 60),
		"long":      strings.Repeat("W", 3900),
		"words":     strings.Repeat("wide words ", 350),
	}
}

// Whatever devices, inventories and requests are called, pages show it as text, keep their form, and run nothing of it.
func TestHostile(t *testing.T) {
	t.Parallel()
	var devices []device
	serials := map[string]string{}
	for name, text := range hostileTexts() {
		serial := "C02" + strings.ToUpper(name)
		serials[name] = serial
		facts := map[string]any{
			"name": text, "model": text, "encrypted": false, "os": "macOS", "os_version": "14.7", "groups": []string{text, "Staff"}, "attributes": map[string]string{text: text},
		}
		if name == "control" { // no name of an attribute
			facts["attributes"] = map[string]string{"a": text}
		}
		devices = append(devices, device{serial, facts})
	}
	l := prepare(t, devices...).start(t)
	long := strings.Repeat("<b>long</b>", 1000) // 11 kB
	for name, text := range hostileTexts() {
		l.ask(t, l.laptops, serials[name])
		l.send(t, l.laptops, hostileBody(t, serials[name], text, text))
		l.login(t, serials[name], "NAS-Identifier", text, "Called-Station-Id", "00-11-22-33-44-55:"+text, "Calling-Station-Id", text, "User-Name", text)
	}
	for _, identifier := range []string{`<script>console.log("canary")</script>`, `"><img/src=x/onerror=alert(1)>`, strings.Repeat("X", 256), "../../login", "javascript:alert(1)", "C02 %00 %2F..%2F", "..", "{{.}}"} {
		l.ask(t, l.laptops, identifier)
		l.send(t, l.laptops, hostileBody(t, identifier, long, identifier))
	}
	for _, invalid := range []string{"C02\u202eX", "C02\u0000", long} { // no identifiers
		l.send(t, l.laptops, hostileBody(t, invalid, "acme", invalid))
	}
	l.settle(t)
	b := l.browser(t)
	p := b.NewPage(t)
	p.Resize(t, browser.NarrowWidth, browser.NarrowHeight)
	t.Run("every decision", func(t *testing.T) {
		for _, address := range l.everyDecision(t, p) {
			p.Open(t, address)
			l.wantIntact(t, p)
		}
	})
	t.Run("every device", func(t *testing.T) {
		for name, serial := range serials {
			p.Open(t, l.base+"/devices/"+serial)
			l.wantIntact(t, p)
			if name == "script" || name == "rtl" || name == "long" {
				p.Check(t, landmarks()...)
				p.Resize(t, browser.NarrowWidth, browser.NarrowHeight)
			}
		}
	})
	t.Run("lists", func(t *testing.T) {
		for _, path := range []string{"/", "/?over=30d", "/decisions?denied=1", "/decisions?policy=wifi", "/rules/laptops/os_current", "/rules/laptops/staff_only", "/inventories"} {
			p.Open(t, l.base+path)
			l.wantIntact(t, p)
		}
	})
	t.Run("parameters", func(t *testing.T) { l.testParameters(t, p) })
	t.Run("decide now", func(t *testing.T) {
		for _, name := range []string{"script", "rtl", "long"} {
			p.Open(t, l.base+"/decide")
			p.Type(t, "Serial number, or another identifier", serials[name])
			p.Choose(t, "Policy", "laptops")
			p.Follow(t, "button", "Check now")
			wantText(t, p, adviceOfRule)
			l.wantIntact(t, p)
			p.Check(t, landmarks()...)
		}
	})
	for _, one := range p.Requests() {
		if !strings.HasPrefix(one, l.base+"/") {
			t.Errorf("a request to %s", one)
		}
	}
}

// hostileBody is the body of a webhook whose members have hostile texts.
func hostileBody(t *testing.T, identifier, provisioner, name string) []byte {
	t.Helper()
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // as step-ca would not send it, and shorter
	if err := encoder.Encode(map[string]any{
		"timestamp": time.Now().Format(time.RFC3339Nano), "provisionerName": provisioner, "attestationData": map[string]any{"permanentIdentifier": identifier},
		"x509Certificate": map[string]any{"subject": map[string]any{"commonName": name}, "emailAddresses": []string{name}, "raw": nil},
	}); err != nil {
		t.Fatal(err)
	}
	return body.Bytes()
}

// everyDecision are the addresses of all decisions, from the pages of the list.
func (l *lab) everyDecision(t *testing.T, p *browser.Page) []string {
	t.Helper()
	var all []string
	p.Open(t, l.base+"/decisions")
	for {
		l.wantIntact(t, p)
		all = append(all, p.Addresses(t, "main a[href^='/decisions/']")...)
		if !p.Has(t, "link", "Older") {
			break
		}
		p.Follow(t, "link", "Older")
	}
	if len(all) < l.asked {
		t.Errorf("the list has %d decisions, want %d", len(all), l.asked)
	}
	return all
}

// wantIntact wants the page to have its own form and nothing else: its title, its parts, no script, nothing of another host, no
// character that nobody sees, and no overflow in the window, which is narrow.
func (l *lab) wantIntact(t *testing.T, p *browser.Page) {
	t.Helper()
	if title := p.Title(t); !strings.HasSuffix(title, "– Step Posture Connector") || len(title) > 1500 { // the beginning of a text, each character of which may be a number
		t.Errorf("%s has the title %q", p.URL(t), title)
	}
	own := []struct {
		selector string
		want     int
	}{
		{"script, img, iframe, object, embed, base, meta[http-equiv], style, [style], [onerror], [onload], [onfocus], [onmouseover], [autofocus]", 0},
		{"a[href^='javascript:' i], [action^='https://elsewhere'], input[name=password]", 0},
		{"link", 2},
		{"h1", 1},
		{"main", 1},
		{"header", 1},
		{"footer", 1},
		{"body > *", 4},
	}
	var selectors []string
	for _, one := range own {
		selectors = append(selectors, one.selector)
	}
	for i, got := range p.Count(t, selectors...) {
		if got != own[i].want {
			t.Errorf("%s has %d of %s, want %d", p.URL(t), got, own[i].selector, own[i].want)
		}
	}
	text := p.Text(t) + p.Title(t)
	for _, hidden := range "\u202e\u202c\u2066\u2069\u200b\u200d\u200e\u200f\u2060\ufeff\u00ad\u0007\u001b\u007f\u0085\u2028\u2029" {
		if strings.ContainsRune(text, hidden) {
			t.Errorf("%s shows the character %U", p.URL(t), hidden)
		}
	}
	for _, wide := range p.Overflow(t) {
		t.Errorf("%.200s: %s", p.URL(t), wide)
	}
}

// testParameters opens pages with hostile parameters.
func (l *lab) testParameters(t *testing.T, p *browser.Page) {
	t.Helper()
	for name, text := range hostileTexts() {
		if len(text) > 500 {
			text = text[:500]
		}
		for _, path := range []string{"/search?q=%s", "/devices/%s", "/decisions?code=%s", "/decisions?policy=%s", "/decide?identifier=%s", "/rules/laptops/%s", "/?over=%s", "/decisions?before=%s", "/decisions/%s"} {
			status := p.Open(t, l.base+fmt.Sprintf(path, escape(text)))
			if status >= 400 {
				p.Expect(t, fmt.Sprintf("status of %d", status))
			}
			if status != http.StatusOK && status != http.StatusBadRequest && status != http.StatusNotFound {
				t.Errorf("%s with %s: status %d", path, name, status)
			}
			l.wantIntact(t, p)
		}
	}
}

// escape encodes every byte of a text for an address.
func escape(text string) string {
	var all strings.Builder
	for _, c := range []byte(text) {
		fmt.Fprintf(&all, "%%%02X", c)
	}
	return all.String()
}

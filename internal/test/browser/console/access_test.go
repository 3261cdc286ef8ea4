package console_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"step-posture-connector/internal/test/program"

	"step-posture-connector/internal/test/browser"
)

// People log in with their password, and nobody sees anything else.
func TestPasswords(t *testing.T) {
	t.Parallel()
	l := prepare(t).withUsers(t, "ada", "bob", "cyd").start(t)
	reference := l.ask(t, l.laptops, plainMac)
	l.settle(t)
	b := l.browser(t)
	t.Run("nothing without log-in", func(t *testing.T) { l.testClosed(t, reference) })
	t.Run("wrong password", func(t *testing.T) {
		p := l.open(t, b, "/search?q="+reference)
		l.wantPath(t, p, "/login?next=%2Fsearch%3Fq%3D"+reference)
		for name, password := range map[string]string{"ada": "wrong", "nobody": passwordOf("ada"), "bob": passwordOf("ada")} {
			fillLogIn(t, p, name, password)
			if status := p.Follow(t, "button", "Log in"); status != http.StatusUnauthorized {
				t.Errorf("%s: status %d", name, status)
			}
			wantText(t, p, "Name or password is wrong.")
			if got := p.Value(t, "Password"); got != "" {
				t.Errorf("the page has the password %q", got)
			}
			p.Expect(t, "status of 401")
		}
		p.Check(t, "banner", "contentinfo")
		fillLogIn(t, p, "ada", passwordOf("ada"))
		p.PressTo(t, browser.Enter)
		l.wantPath(t, p, "/decisions/") // where the person wanted to go
		wantText(t, p, reference, adviceOfRule)
	})
	t.Run("next leads nowhere else", func(t *testing.T) {
		for _, next := range []string{"https://elsewhere.example.com/", "//elsewhere.example.com", `/\elsewhere.example.com`, "javascript:alert(1)", "/%0d%0aLocation:%20https://elsewhere.example.com", "/login", "/logout"} {
			p := l.open(t, b, "/login?next="+url.QueryEscape(next))
			fillLogIn(t, p, "ada", passwordOf("ada"))
			if status := p.Follow(t, "button", "Log in"); status != http.StatusOK && status != http.StatusNotFound {
				t.Errorf("%s: status %d", next, status)
			}
			if !strings.HasPrefix(p.URL(t), l.base+"/") || strings.HasPrefix(p.URL(t), l.base+"/login") {
				t.Errorf("%s leads to %s", next, p.URL(t))
			}
			if p.Has(t, "heading", "Why does a device get no certificate?") {
				continue
			}
			p.Expect(t, "status of 404")
		}
	})
	t.Run("log-out", func(t *testing.T) { l.testLogOut(t, b) })
	t.Run("forms of other sites", func(t *testing.T) { l.testForms(t, l.as(t, b, "ada", "/")) })
	t.Run("session ends with the user", func(t *testing.T) {
		p, other := l.as(t, b, "bob", "/decisions"), l.as(t, b, "ada", "/decisions")
		l.writeUsers(t, "ada", "cyd")
		l.WantLog(t, "reloaded: users of the console: 2")
		p.Reload(t)
		l.wantPath(t, p, "/login?next=%2Fdecisions")
		fillLogIn(t, p, "bob", passwordOf("bob"))
		p.Follow(t, "button", "Log in")
		wantText(t, p, "Name or password is wrong.")
		p.Expect(t, "status of 401")
		other.Reload(t)
		l.wantPath(t, other, "/decisions")
	})
	t.Run("too many tries", func(t *testing.T) { l.testTries(t, b) })
	want := []string{"ada ok ", "ada failed ", " unknown "}
	got := l.notices(t, "console_login")
	for _, one := range want {
		if !slices.Contains(got, one) {
			t.Errorf("the audit log has the log-ins %q, and not %q", got, one)
		}
	}
}

// bare asks the console without a browser, and follows no redirect.
func (l *lab) bare(t *testing.T, change func(*http.Request), method, path string, body io.Reader) (status int, header http.Header, text string) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: l.pki.Roots, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	asker := &http.Client{Transport: transport, Timeout: program.Patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	request, err := http.NewRequestWithContext(t.Context(), method, l.base+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if change != nil {
		change(request)
	}
	response, err := asker.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(content)
}

// testClosed asks for every path without a session, with each method.
func (l *lab) testClosed(t *testing.T, reference string) {
	t.Helper()
	paths := []string{
		"/", "/?over=7d", "/search", "/search?q=" + reference, "/search?q=" + plainMac, "/devices/" + plainMac, "/devices/missing", "/decisions", "/decisions?denied=1",
		"/decisions/" + strings.Repeat("0", 32), "/rules/laptops/encrypted", "/rules/laptops/missing", "/inventories", "/decide", "/missing", "/login/x", "/style.css/", "//", "/%2e%2e/decisions", "/style.css/../decisions", "/LOGIN",
	}
	hidden := []string{plainMac, reference, "diskNotEncrypted", "laptops", "owned", "Log out"}
	for _, path := range paths {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, "PROPFIND"} {
			var body io.Reader
			if method == http.MethodPost {
				body = strings.NewReader(url.Values{"identifier": {plainMac}, "csrf": {"x"}}.Encode())
			}
			status, header, text := l.bare(t, nil, method, path, body)
			isPage := method == http.MethodGet || method == http.MethodHead
			if isPage && (status != http.StatusSeeOther || !strings.HasPrefix(header.Get("Location"), "/login?next=")) || !isPage && (status < 400 || status >= 500) {
				t.Errorf("%s %s without log-in: %d to %q", method, path, status, header.Get("Location"))
			}
			for _, one := range hidden {
				if strings.Contains(strings.ReplaceAll(text, reference+"\"", ""), one) {
					t.Errorf("%s %s without log-in shows %q", method, path, one)
				}
			}
		}
	}
	for _, path := range []string{"/login", "/style.css"} {
		status, got, _ := l.bare(t, nil, http.MethodGet, path, nil)
		if status != http.StatusOK || got.Get("Cache-Control") != "no-store" || got.Get("Strict-Transport-Security") == "" || got.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %d %v", path, status, got)
		}
	}
	if status, _, _ := l.bare(t, func(r *http.Request) { r.Header.Set("Cookie", "__Host-step-posture-1-session=AAAA") }, http.MethodGet, "/", nil); status != http.StatusSeeOther {
		t.Errorf("a made-up cookie: status %d", status)
	}
}

// testLogOut goes back after the log-out, and uses the cookie of before.
func (l *lab) testLogOut(t *testing.T, b *browser.Browser) {
	t.Helper()
	p := l.as(t, b, "ada", "/devices/"+plainMac)
	wantText(t, p, adviceOfRule)
	cookies := p.Cookies(t)
	for _, c := range cookies {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HTTPOnly || c.SameSite == "None" || c.SameSite == "" {
			t.Errorf("cookie %+v", c)
		}
	}
	p.Follow(t, "link", "Overview")
	p.Follow(t, "button", "Log out")
	l.wantPath(t, p, "/login")
	for range 2 { // nothing was stored that Back could show
		p.Back(t)
		l.wantPath(t, p, "/login")
		if text := p.Text(t); strings.Contains(text, plainMac) || strings.Contains(text, adviceOfRule) || strings.Contains(text, "ada") {
			t.Errorf("after the log-out, Back shows %s", text)
		}
	}
	thief := l.open(t, b, "/")
	for _, c := range cookies {
		thief.SetCookie(t, c.Name, c.Value)
	}
	thief.Open(t, l.base+"/decisions")
	l.wantPath(t, thief, "/login")
}

// testForms sends forms without the token, with a wrong one, and from another site.
func (l *lab) testForms(t *testing.T, p *browser.Page) {
	t.Helper()
	var cookies []string
	for _, c := range p.Cookies(t) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	p.Open(t, l.base+"/decide")
	token := p.Hidden(t, "form[action='/decide'] input[name=csrf]")
	for name, test := range map[string]struct {
		token, origin, site string
		want                int
	}{
		"right":        {token, l.base, "same-origin", http.StatusOK},
		"no token":     {"", l.base, "same-origin", http.StatusForbidden},
		"wrong token":  {"x" + token[1:], l.base, "same-origin", http.StatusForbidden},
		"other origin": {token, "https://elsewhere.example.com", "", http.StatusForbidden},
		"other site":   {token, "", "cross-site", http.StatusForbidden},
		"null":         {token, "null", "", http.StatusForbidden},
	} {
		for _, path := range []string{"/decide", "/logout"} {
			if path == "/logout" && test.want == http.StatusOK {
				continue
			}
			form := url.Values{"identifier": {goodMac}, "policy": {"laptops"}, "csrf": {test.token}}
			status, _, text := l.bare(t, func(r *http.Request) {
				r.Header.Set("Cookie", strings.Join(cookies, "; "))
				for header, value := range map[string]string{"Origin": test.origin, "Sec-Fetch-Site": test.site} {
					if value != "" {
						r.Header.Set(header, value)
					}
				}
			}, http.MethodPost, path, strings.NewReader(form.Encode()))
			if status != test.want || status != http.StatusOK && strings.Contains(text, goodMac) {
				t.Errorf("%s to %s: %d %.300s", name, path, status, text)
			}
		}
	}
	p.Reload(t)
	l.wantPath(t, p, "/decide") // and is not logged out
}

// testTries has somebody try passwords, who is told to wait.
func (l *lab) testTries(t *testing.T, b *browser.Browser) {
	t.Helper()
	p := l.open(t, b, "/login")
	for try := range 40 {
		fillLogIn(t, p, "cyd", fmt.Sprintf("password%d", try))
		status := p.Follow(t, "button", "Log in")
		p.Expect(t, "status of "+strconv.Itoa(status))
		if status == http.StatusTooManyRequests {
			wantText(t, p, "Too many wrong tries. Try again in")
			p.Check(t, "banner", "contentinfo")
			text, err := os.ReadFile(l.trail)
			if err != nil || strings.Contains(string(text)+l.Output(), "password1") {
				t.Errorf("a password is in a log (%v)", err)
			}
			return
		}
		if status != http.StatusUnauthorized {
			t.Fatalf("try %d: status %d", try, status)
		}
	}
	t.Error("40 tries in a row are let through")
}

// Without users the console is for this machine alone.
func TestLoopback(t *testing.T) {
	t.Parallel()
	l := prepare(t).start(t)
	reference := l.ask(t, l.laptops, plainMac)
	l.settle(t)
	b := l.browser(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(l.base, "http://"), ":")
	for _, base := range []string{l.base, "http://localhost:" + port} {
		p := b.NewPage(t)
		p.Open(t, base+"/search?q="+reference)
		wantText(t, p, "on this machine", adviceOfRule)
		if p.Has(t, "button", "Log out") {
			t.Error("nobody has logged in who could log out")
		}
		p.Check(t, landmarks()...)
		p.Follow(t, "link", "check the device now")
		p.Follow(t, "button", "Check now")
		wantText(t, p, adviceOfRule, "It is not recorded as a decision")
	}
	for name, change := range map[string]func(*http.Request){
		"another name":    func(r *http.Request) { r.Host = "posture.example.com" },
		"another address": func(r *http.Request) { r.Host = "127.0.0.2:" + port },
		"X-Forwarded-For": func(r *http.Request) { r.Header.Set("X-Forwarded-For", "127.0.0.1") },
		"Forwarded":       func(r *http.Request) { r.Header.Set("Forwarded", "for=127.0.0.1") },
	} {
		for _, path := range []string{"/", "/search?q=" + reference, "/devices/" + plainMac, "/decide", "/decisions"} {
			if status, _, text := l.bare(t, change, http.MethodGet, path, nil); status != http.StatusForbidden || strings.Contains(text, plainMac) {
				t.Errorf("%s, %s: %d %s", name, path, status, text)
			}
		}
	}
}

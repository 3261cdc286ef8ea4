package blackbox_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"step-posture-connector/internal/test/program"
)

// consoleLab is a connector with a console.
type consoleLab struct {
	pki     *program.PKI
	env     program.Environment
	daemon  *program.Daemon
	address string
	users   string // path of the file of users
	trail   string
}

const (
	helpdesk      = "helpdesk"
	helpdeskWord  = "correct horse battery staple"
	usersVariable = "CONSOLE_USERS_FILE"
)

// htpasswd is a line of htpasswd -B.
func htpasswd(t *testing.T, name, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return name + ":" + strings.Replace(string(hash), "$2a$", "$2y$", 1) + "\n"
}

// newConsoleLab makes a configuration with a console on loopback, without users.
func newConsoleLab(t *testing.T) *consoleLab {
	t.Helper()
	l := &consoleLab{pki: program.NewPKI(t), address: program.FreeAddress(t)}
	folder := t.TempDir()
	l.users, l.trail = filepath.Join(folder, "users"), filepath.Join(folder, "audit.jsonl")
	l.env = program.WorkingEnvironment(t, l.pki).With("HEALTH_ADDRESS", program.FreeHealth, "JOURNAL", "1", "CONSOLE_ADDRESS", l.address,
		"STATE_URL", "sqlite:"+filepath.Join(folder, "state.db"), "AUDIT_LOG_PATH", l.trail)
	return l
}

// newUsersLab makes a configuration with a console for the one user helpdesk.
func newUsersLab(t *testing.T) *consoleLab {
	t.Helper()
	l := newConsoleLab(t)
	l.writeUsers(t, htpasswd(t, helpdesk, helpdeskWord))
	l.env = l.env.With(usersVariable, l.users)
	return l
}

func (l *consoleLab) writeUsers(t *testing.T, text string) {
	t.Helper()
	program.ReplaceFile(t, l.users, text)
}

func (l *consoleLab) start(t *testing.T) *consoleLab {
	t.Helper()
	l.daemon = program.StartDaemon(t, l.env)
	return l
}

// notices are the lines of the audit log about what people have done.
func (l *consoleLab) notices(t *testing.T) (lines []map[string]string) {
	t.Helper()
	text, err := os.ReadFile(l.trail)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, `"event":"console_`) {
			continue
		}
		var n map[string]string
		if err := json.Unmarshal([]byte(line), &n); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		lines = append(lines, n)
	}
	return lines
}

// browser asks the console as a browser does, and follows no redirect.
type browser struct {
	*http.Client

	base string
}

func (l *consoleLab) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: l.pki.Roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	base := "http://" + l.address
	if l.env[usersVariable] != "" {
		base = "https://" + l.address
	}
	return &browser{&http.Client{
		Transport: transport, Jar: jar, Timeout: program.Patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, base}
}

// page is an answer of the console.
type page struct {
	status int
	header http.Header
	text   string
}

// field is the value of a hidden field.
func (p page) field(name string) string {
	found := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(p.text)
	if found == nil {
		return ""
	}
	return strings.ReplaceAll(found[1], "&#43;", "+")
}

func (b *browser) do(t *testing.T, method, path string, form url.Values, changes ...func(*http.Request)) page {
	t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(t.Context(), method, b.base+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", b.base)
	}
	for _, change := range changes {
		change(r)
	}
	answer, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return page{answer.StatusCode, answer.Header, string(text)}
}

func (b *browser) get(t *testing.T, path string, changes ...func(*http.Request)) page {
	t.Helper()
	return b.do(t, http.MethodGet, path, nil, changes...)
}

// logIn sends the form of the log-in.
func (b *browser) logIn(t *testing.T, name, password string) page {
	t.Helper()
	form := b.get(t, "/login?next=%2Fdecisions")
	return b.do(t, http.MethodPost, "/login", url.Values{"name": {name}, "password": {password}, "csrf": {form.field("csrf")}, "next": {form.field("next")}})
}

// Where users are configured, nothing is shown before a log-in; after the log-out neither.
func TestConsoleLogIn(t *testing.T) {
	t.Parallel()
	l := newUsersLab(t).start(t)
	l.daemon.WantLog(t, "console on https://"+l.address, "who may log in: 1 person of "+l.users)
	b := l.browser(t)
	for _, path := range []string{"/", "/decisions", "/search?q=C02", "/inventories", "/no-such-page", "/decide"} {
		if p := b.get(t, path); p.status != http.StatusSeeOther || !strings.HasPrefix(p.header.Get("Location"), "/login?next=%2F") || p.text != "" {
			t.Errorf("%s without log-in: %d %q %q, want the log-in", path, p.status, p.header.Get("Location"), p.text)
		}
	}
	if p := b.do(t, http.MethodPost, "/decide", url.Values{"identifier": {"C02"}}); p.status != http.StatusUnauthorized {
		t.Errorf("a form without log-in: %d, want 401", p.status)
	}
	if p := b.get(t, "/style.css"); p.status != http.StatusOK {
		t.Errorf("the style: %d", p.status)
	}

	if p := b.logIn(t, helpdesk, "wrong"); p.status != http.StatusUnauthorized || !strings.Contains(p.text, "Name or password is wrong.") || strings.Contains(p.text, "wrong\"") {
		t.Errorf("a wrong password: %d %s", p.status, p.text)
	}
	if p := b.logIn(t, "Pa55word!", "x"); p.status != http.StatusUnauthorized || !strings.Contains(p.text, "Name or password is wrong.") {
		t.Errorf("an unknown name: %d %s", p.status, p.text)
	}
	p := b.logIn(t, helpdesk, helpdeskWord)
	if p.status != http.StatusSeeOther || p.header.Get("Location") != "/decisions" {
		t.Fatalf("the log-in: %d to %q, want 303 to /decisions: %s", p.status, p.header.Get("Location"), p.text)
	}
	wantSessionCookie(t, p)
	p = b.get(t, "/")
	if p.status != http.StatusOK || !strings.Contains(p.text, helpdesk) {
		t.Fatalf("the overview: %d %s", p.status, p.text)
	}
	if p := b.do(t, http.MethodPost, "/logout", url.Values{"csrf": {"wrong"}}); p.status != http.StatusForbidden {
		t.Errorf("a log-out without the token: %d, want 403", p.status)
	}
	kept := l.browser(t)
	base, err := url.Parse(b.base)
	if err != nil {
		t.Fatal(err)
	}
	kept.Jar.SetCookies(base, b.Jar.Cookies(base)) // as one who has copied the cookie
	if p := b.do(t, http.MethodPost, "/logout", url.Values{"csrf": {p.field("csrf")}}); p.status != http.StatusSeeOther || p.header.Get("Location") != "/login" {
		t.Errorf("the log-out: %d to %q", p.status, p.header.Get("Location"))
	}
	for name, b := range map[string]*browser{"the browser": b, "a copied cookie": kept} {
		if p := b.get(t, "/"); p.status != http.StatusSeeOther {
			t.Errorf("%s after the log-out: %d, want the log-in", name, p.status)
		}
	}
	l.wantNotices(t)
}

// wantSessionCookie wants a cookie that only this host gets, over TLS, and that no script reads.
func wantSessionCookie(t *testing.T, p page) {
	t.Helper()
	for _, c := range p.header["Set-Cookie"] {
		if strings.HasPrefix(c, "__Host-step-posture-1-session=") {
			for _, want := range []string{"; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax", "; Max-Age=28800"} {
				if !strings.Contains(c, want) || strings.Contains(c, "Domain") {
					t.Errorf("the cookie %s: want %s, and no domain", c, want)
				}
			}
			return
		}
	}
	t.Errorf("no cookie of a session: %q", p.header["Set-Cookie"])
}

// wantNotices wants who has logged in and out in the audit log, and no password or unknown name anywhere.
func (l *consoleLab) wantNotices(t *testing.T) {
	t.Helper()
	var got []string
	for _, n := range l.notices(t) {
		if n["event"] == "console_login" || n["event"] == "console_logout" {
			got = append(got, n["event"]+" "+n["user"]+" "+n["result"])
		}
		if !strings.HasPrefix(n["remote_address"], "127.0.0.1:") {
			t.Errorf("no client: %v", n)
		}
	}
	want := "console_login helpdesk failed|console_login  unknown|console_login helpdesk ok|console_logout helpdesk ok"
	if strings.Join(got, "|") != want {
		t.Errorf("the audit log has %q, want %q", got, want)
	}
	text, err := os.ReadFile(l.trail)
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{"Pa55word!", helpdeskWord, "$2y$", "search?q=C02"} {
		if strings.Contains(l.daemon.Output()+string(text), hidden) {
			t.Errorf("the log or the audit log has %q", hidden)
		}
	}
	if !strings.Contains(l.daemon.Output(), "[CONSOLE]") {
		t.Error("the log has no line about the console")
	}
}

// Without users the console is for this machine, without a password and without TLS.
func TestConsoleOnLoopback(t *testing.T) {
	t.Parallel()
	l := newConsoleLab(t).start(t)
	l.daemon.WantLog(t, "console on http://"+l.address, "everybody on this machine may see it, without a password")
	b := l.browser(t)
	if p := b.get(t, "/"); p.status != http.StatusOK || p.header.Get("Strict-Transport-Security") != "" {
		t.Fatalf("the overview: %d %v", p.status, p.header)
	}
	_, port, _ := strings.Cut(l.address, ":")
	for host, want := range map[string]int{
		"localhost": 200, "localhost:" + port: 200, "LOCALHOST:1": 200, "127.0.0.1": 200, "[::1]": 200, "[::1]:80": 200,
		"posture.example.com": 403, "localhost.example.com": 403, "127.0.0.2": 403, "localhost.": 403, "127.0.0.1.nip.io:80": 403, "::1": 403,
		"localhost:x": 403, "0.0.0.0": 403, "127.1": 403,
	} {
		if p := b.get(t, "/", func(r *http.Request) { r.Host = host }); p.status != want {
			t.Errorf("Host %s: %d, want %d", host, p.status, want)
		}
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Anything", "x-real-ip", "Via"} {
		if p := b.get(t, "/", func(r *http.Request) { r.Header.Set(name, "for=127.0.0.1") }); p.status != http.StatusForbidden || !strings.Contains(p.text, "proxy") {
			t.Errorf("%s: %d %s, want 403 with a page", name, p.status, p.text)
		}
	}
	if p := b.get(t, "/login"); p.status != http.StatusNotFound {
		t.Errorf("/login: %d, want 404", p.status)
	}
}

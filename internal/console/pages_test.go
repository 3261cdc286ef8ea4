package console_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/console"
	"step-posture-connector/internal/console/access"
	"step-posture-connector/internal/journal"
)

// browser asks pages as a person who has logged in.
type browser struct {
	pages   *console.Pages
	session access.Session

	mu      sync.Mutex
	notices []audit.Notice
	events  []console.Event
}

func open(tb testing.TB, j journal.Store, l console.Live) *browser {
	tb.Helper()
	b := &browser{session: access.Session{Person: "ada", Source: access.File}}
	b.pages = &console.Pages{
		Journal: j, Live: l, Now: today, Version: "2.4.0",
		Notice: func(n audit.Notice) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.notices = append(b.notices, n)
			return nil
		},
		Record: func(e console.Event) { b.mu.Lock(); defer b.mu.Unlock(); b.events = append(b.events, e) },
	}
	return b
}

// ask sends a request; with a form it is a POST.
func (b *browser) ask(tb testing.TB, method, address string, form url.Values) *httptest.ResponseRecorder {
	tb.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequestWithContext(tb.Context(), method, "http://localhost"+address, body)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r = r.WithContext(access.WithSession(r.Context(), b.session, "token-of-ada"))
	w := httptest.NewRecorder()
	b.pages.ServeHTTP(w, r)
	return w
}

// get opens a page, checks what every page has, and returns it.
func (b *browser) get(tb testing.TB, address string, status int) *document {
	tb.Helper()
	w := b.ask(tb, http.MethodGet, address, nil)
	return b.check(tb, address, w, status)
}

func (b *browser) check(tb testing.TB, address string, w *httptest.ResponseRecorder, status int) *document {
	tb.Helper()
	if w.Code != status {
		tb.Fatalf("%s: status %d, want %d: %.600s", address, w.Code, status, w.Body)
	}
	checkHeaders(tb, w)
	d := parse(tb, w.Body.String())
	d.checkPage(tb, address)
	if !slices.Equal(b.targets(d), nil) {
		tb.Errorf("%s leads elsewhere: %q", address, b.targets(d))
	}
	return d
}

// targets are the addresses of another host.
func (b *browser) targets(d *document) (foreign []string) {
	for n := range d.root.Descendants() {
		for _, a := range n.Attr {
			if a.Key == "href" || a.Key == "src" || a.Key == "action" {
				if ours := strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "//") || strings.HasPrefix(a.Val, "#") || n.Data == "link" && strings.HasPrefix(a.Val, "data:image/svg+xml,"); !ours {
					foreign = append(foreign, a.Val)
				}
			}
		}
	}
	return foreign
}

// scene is the journal of the organization, and one of its decisions of each kind: by code, policy and a plus where a rule reports.
type scene struct {
	journal journal.Store
	kinds   map[string]*audit.Event
}

func (s *scene) browser(tb testing.TB) *browser {
	tb.Helper()
	return open(tb, s.journal, live{decides})
}

// TestOrganization runs tests that need the same large journal, which none of them changes.
func TestOrganization(t *testing.T) {
	t.Parallel()
	events := organization(today(), 300)
	s := &scene{inMemory(t, events...), map[string]*audit.Event{}}
	for _, e := range slices.Backward(events) {
		kind := e.Code + " " + e.Policy
		if len(e.Verdict.WouldDeny) > 0 {
			kind += "+"
		}
		if s.kinds[kind] == nil {
			s.kinds[kind] = e
		}
	}
	for name, test := range map[string]func(*testing.T, *scene){
		"ThreeQuestions": testThreeQuestions,
		"Sentences":      testSentences,
		"Lists":          testLists,
		"Refused":        testRefused,
		"WithoutSession": testWithoutSession,
		"Style":          testStyle,
		"NotNoted":       testNotNoted,
		"Decide":         testDecide,
		"LogIn":          testLogIn,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
}

// The pages of a journal in SQLite are those of one in memory.
func TestInDatabase(t *testing.T) {
	t.Parallel()
	events := organization(today(), 12)
	kept, found := inDatabase(t, events...), inMemory(t, events...)
	shown := func(j journal.Store, address string) string {
		w := open(t, j, live{decides}).ask(t, http.MethodGet, address, nil)
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d", address, w.Code)
		}
		return parse(t, w.Body.String()).text
	}
	for _, address := range []string{"/?over=30d", "/?over=24h", "/decisions", "/decisions?denied=1&since=7d&policy=laptops", "/decisions?code=osOutdated", "/devices/" + events[0].Identifier, "/rules/laptops/seen_lately", "/rules/wifi/seen_lately"} {
		if got, want := shown(kept, address), shown(found, address); got != want {
			t.Errorf("%s of SQLite is\n%s\nof memory\n%s", address, got, want)
		}
	}
}

// A person who has the reference of a refusal finds the reason, what to do, and whom a rule would hit.
func testThreeQuestions(t *testing.T, s *scene) {
	t.Helper()
	b, kinds := s.browser(t), s.kinds
	refused := kinds["diskNotEncrypted laptops+"]
	w := b.ask(t, http.MethodGet, "/search?q="+strings.ToLower(refused.Reference[:4])+"-"+refused.Reference[4:], nil)
	if w.Code != http.StatusSeeOther {
		t.Fatalf("the search answers %d: %s", w.Code, w.Body)
	}
	decision := w.Header().Get("Location")
	d := b.get(t, decision, http.StatusOK)
	d.wants(t, "Refused", "This Mac gets no certificate because it does not meet the rule encrypted.", "turn FileVault on", "device.encrypted is false",
		"The person at the device has read: The disk of this Mac is not encrypted; turn FileVault on and try again (ref "+refused.Reference+")",
		"These rules would refuse it too once they are enforced", "seen_lately", "in 4 days", "has the device", "not asked", "unknown", "acme-da", "A-00")
	device := b.ask(t, http.MethodGet, "/search?q="+strings.ToLower(refused.Identifier), nil).Header().Get("Location")
	if want := "/devices/" + refused.Identifier; device != want {
		t.Fatalf("the search for a serial number leads to %q, want %q", device, want)
	}
	d = b.get(t, device, http.StatusOK)
	d.wants(t, "What was decided about it", "Everything about this decision", "Check it now", refused.Reference)
	overview := b.get(t, "/?over=30d", http.StatusOK)
	overview.wants(t, "The last 30 days", "osOutdated", "Rules that only report", "seen_lately", "intune", "Does not answer", "12,840")
	if at := len(overview.all("svg", "role", "img")); at != 2 {
		t.Errorf("the overview has %d charts, want 2", at)
	}
	rule := b.get(t, "/rules/laptops/seen_lately", http.StatusOK)
	rule.wants(t, "devices would be refused", "It begins to refuse at", "device.last_seen > now - days(14)")
	if n := len(rule.all("a", "class", "ref")); n < 20 {
		t.Errorf("the page of the rule lists %d devices", n)
	}
	for _, n := range b.notices {
		if n.Event != "console_view" || n.User != "ada" || n.Page == "" || n.RemoteAddress == "" || n.Time.IsZero() {
			t.Errorf("the audit log gets %+v", n)
		}
	}
	want := []string{"search", "decision", "search", "device", "rule"}
	if got := pagesOf(b.notices); !slices.Equal(got, want) {
		t.Errorf("the audit log has the pages %q, want %q", got, want)
	}
	if n := b.notices[1]; n.Reference != refused.Reference || n.Identifier != refused.Identifier {
		t.Errorf("the audit log has %+v of the decision", n)
	}
}

func pagesOf(notices []audit.Notice) (names []string) {
	for _, n := range notices {
		names = append(names, n.Page)
	}
	return names
}

// Each kind of decision is a sentence.
func testSentences(t *testing.T, s *scene) {
	t.Helper()
	b, kinds := s.browser(t), s.kinds
	for kind, want := range map[string]string{
		" laptops":               "This Mac may have a certificate.",
		" wifi":                  "This Mac may join the network, in VLAN 20.",
		" phones+":               "It is allowed so far, but these rules would refuse it",
		"osOutdated wifi":        "This Mac may not join the network because it does not meet the rule",
		"osOutdated phones":      "This iPhone gets no certificate because it does not meet the rule os_current.",
		"deviceNotFound laptops": "This computer gets no certificate because it is not in the inventory.",
		"unavailable laptops":    "Nothing could be decided, so this computer gets no certificate for now. It may try again.",
		"deviceNotFound wifi":    "does not have the device",
	} {
		e := kinds[kind]
		if e == nil {
			t.Errorf("there is no decision %q", kind)
			continue
		}
		address := b.ask(t, http.MethodGet, "/search?q="+e.Reference, nil).Header().Get("Location")
		b.get(t, address, http.StatusOK).wants(t, want)
	}
}

// Lists have pages, which overlap nowhere.
func testLists(t *testing.T, s *scene) {
	t.Helper()
	b := s.browser(t)
	seen, address := map[string]bool{}, "/decisions?denied=1&since=30d&policy=laptops"
	for pages := 0; address != ""; pages++ {
		d := b.get(t, address, http.StatusOK)
		if pages > 20 {
			t.Fatal("the list has no end")
		}
		for _, a := range d.all("a", "class", "ref") {
			if href := attribute(a, "href"); seen[href] {
				t.Errorf("%s is listed twice", href)
			} else {
				seen[href] = true
			}
		}
		address = ""
		for _, a := range d.all("a", "rel", "next") {
			address = attribute(a, "href")
		}
	}
	if len(seen) < 80 {
		t.Errorf("%d decisions are listed, want more", len(seen))
	}
	b.get(t, "/decisions?code=nothing", http.StatusOK).wants(t, "No decision is like this.")
	b.get(t, "/decisions?code=osOutdated&over=x", http.StatusOK).wants(t, "it does not meet the rule os_current")
	b.get(t, "/inventories", http.StatusOK).wants(t, "jamf_eu", "11 minutes ago", "a file in memory", "Microsoft Graph answers with status 503")
}

// What is not accepted says what is; nothing else than GET, and POST for one page.
func testRefused(t *testing.T, s *scene) {
	t.Helper()
	b := s.browser(t)
	for address, want := range map[string]struct {
		status int
		text   string
	}{
		"/decisions?before=x":                         {400, "32 hexadecimal digits"},
		"/decisions?since=1y":                         {400, "Accepted: 1h, 24h, 7d, 30d."},
		"/decisions?denied=1&denied=1":                {400, "one text"},
		"/decisions?a=%zz":                            {400, "percent-encoding"},
		"/?over=1":                                    {400, "Accepted: 24h, 7d, 30d."},
		"/search?q=" + strings.Repeat("a", 513):       {400, "at most 512 bytes"},
		"/search?x=" + strings.Repeat("a", 9000):      {400, "bytes of parameters"},
		"/decisions/x":                                {400, "the search finds a decision by its reference"},
		"/decisions/00000000000000000000000000000000": {404, "JOURNAL_RETENTION"},
		"/devices/%00":                                {400, "no identifier"},
		"/devices/NOTHING":                            {404, "no decision about this device"},
		"/search?q=NOTHING0":                          {404, "Nothing was found"},
		"/rules/laptops/none":                         {404, "no such rule"},
		"/rules/laptops":                              {404, "no such page"},
		"/devices/a/b":                                {404, "no such page"},
		"/x":                                          {404, "no such page"},
		"/decisions/":                                 {400, "32 hexadecimal digits"},
		"//":                                          {404, "no such page"},
	} {
		b.get(t, address, want.status).wants(t, want.text)
	}
	for _, address := range []string{"/", "/decisions", "/style.css", "/devices/A"} {
		w := b.ask(t, http.MethodPost, address, url.Values{})
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s: %d, Allow %q", address, w.Code, w.Header().Get("Allow"))
		}
	}
	if w := b.ask(t, http.MethodDelete, "/decide", nil); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("DELETE /decide: %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

// Without a session there is only the style sheet, whatever is asked for.
func testWithoutSession(t *testing.T, s *scene) {
	t.Helper()
	b := s.browser(t)
	b.session = access.Session{}
	for _, address := range []string{"/", "/decisions", "/search?q=x", "/devices/C02X0K000JL", "/decide", "/inventories", "/none", "/login"} {
		d := b.get(t, address, http.StatusForbidden)
		d.wants(t, "Log in first.")
		if len(d.all("nav", "", "")) > 0 {
			t.Errorf("%s shows the pages", address)
		}
	}
	w := b.ask(t, http.MethodGet, "/style.css", nil)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/css; charset=utf-8" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("the style sheet: %d %v", w.Code, w.Header())
	}
	if len(b.notices) > 0 {
		t.Errorf("the audit log gets %+v", b.notices)
	}
}

// A browser keeps the style sheet by the address that pages have.
func testStyle(t *testing.T, s *scene) {
	t.Helper()
	b := s.browser(t)
	address := attribute(b.get(t, "/", http.StatusOK).all("link", "rel", "stylesheet")[0], "href")
	w := b.ask(t, http.MethodGet, address, nil)
	if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || strings.Contains(w.Body.String(), "url(") || strings.Contains(w.Body.String(), "@import") {
		t.Errorf("%s: %d %v", address, w.Code, w.Header())
	}
}

// failing is a journal whose database does not answer.
type failing struct{ journal.Store }

var errDown = errors.New("the server is down: secret detail")

func (failing) Find(context.Context, journal.Filter) ([]journal.Found, bool, error) {
	return nil, false, errDown
}

func (failing) Get(context.Context, journal.ID) (journal.Found, bool, error) {
	return journal.Found{}, false, errDown
}

func (failing) Overview(context.Context, time.Time, time.Time, time.Duration) (journal.Overview, error) {
	return journal.Overview{}, errDown
}

func (failing) Affected(context.Context) ([]journal.Count, error) { return nil, errDown }

// A database that does not answer is said so, without its error, which is in the log.
func TestDatabaseDown(t *testing.T) {
	t.Parallel()
	b := open(t, failing{}, live{decides})
	addresses := []string{"/", "/decisions", "/search?q=x", "/devices/A", "/decisions/00000000000000000000000000000000", "/rules/laptops/os_current"}
	for _, address := range addresses {
		w := b.ask(t, http.MethodGet, address, nil)
		d := b.check(t, address, w, http.StatusServiceUnavailable)
		d.wants(t, "Decisions go on without it")
		if strings.Contains(d.text, "secret detail") || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %v, %s", address, w.Header(), d.text)
		}
	}
	if len(b.events) != len(addresses) || b.events[0].Reason != errDown.Error() || b.events[0].Status != 503 || b.events[0].Page != "overview" || b.events[0].Person != "ada" {
		t.Errorf("the log gets %+v", b.events)
	}
	b.get(t, "/inventories", http.StatusOK)
	b.get(t, "/decide", http.StatusOK)
}

// What cannot be noted in the audit log is not shown, nor that it was found.
func testNotNoted(t *testing.T, s *scene) {
	t.Helper()
	b, kinds := s.browser(t), s.kinds
	refused := kinds["osOutdated laptops"]
	id := b.ask(t, http.MethodGet, "/search?q="+refused.Reference, nil).Header().Get("Location")
	for name, notice := range map[string]func(audit.Notice) error{"failed": func(audit.Notice) error { return errDown }, "missing": nil} {
		b.pages.Notice = notice
		for _, address := range []string{id, "/decisions", "/devices/" + refused.Identifier, "/search?q=" + refused.Reference, "/search?q=nothing", "/rules/laptops/seen_lately"} {
			w := b.ask(t, http.MethodGet, address, nil)
			b.check(t, address, w, http.StatusServiceUnavailable)
			if text := w.Body.String(); strings.Contains(text, refused.Identifier) || w.Header().Get("Location") != "" {
				t.Errorf("%s, %s: shown all the same", name, address)
			}
		}
		b.get(t, "/", http.StatusOK) // no device is on it
		if w := b.ask(t, http.MethodPost, "/decide", url.Values{"identifier": {refused.Identifier}}); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "FileVault") {
			t.Errorf("%s, decide: %d", name, w.Code)
		}
	}
}

// A lookup is a form; each person has five a minute, and nothing is recorded but the notice.
func testDecide(t *testing.T, s *scene) {
	t.Helper()
	b := s.browser(t)
	now := today()
	b.pages.Now = func() time.Time { return now }
	d := b.get(t, "/decide?identifier=C02X5K187JL&policy=wifi", http.StatusOK)
	if got := attribute(d.all("input", "id", "identifier")[0], "value"); got != "C02X5K187JL" {
		t.Errorf("the form has the identifier %q", got)
	}
	if csrf := d.all("input", "name", "csrf"); len(csrf) < 2 || attribute(csrf[1], "value") != "token-of-ada" {
		t.Errorf("the form has the tokens %v", csrf)
	}
	if selected := d.all("option", "selected", ""); len(selected) != 1 || selected[0].FirstChild.Data != "wifi" {
		t.Error("the form has not the policy of the address")
	}
	form := url.Values{"identifier": {" C02X5K187JL "}, "policy": {"laptops"}, "mode": {"computer"}}
	for range 5 {
		w := b.ask(t, http.MethodPost, "/decide", form)
		b.check(t, "/decide", w, http.StatusOK).wants(t, "Refused", "It is not recorded as a decision", "encrypted", "312 milliseconds")
	}
	w := b.ask(t, http.MethodPost, "/decide", form)
	b.check(t, "/decide", w, http.StatusTooManyRequests).wants(t, "five a minute")
	if w.Header().Get("Retry-After") == "" {
		t.Error("there is no Retry-After")
	}
	if n := b.notices[0]; len(b.notices) != 5 || n.Event != "decide_now" || n.Identifier != "C02X5K187JL" || n.Result != "refused" || n.User != "ada" {
		t.Errorf("the audit log gets %+v", b.notices)
	}
	b.session.Person = "grace"
	b.check(t, "/decide", b.ask(t, http.MethodPost, "/decide", form), http.StatusOK)
	b.session.Person, now = "ada", now.Add(time.Minute)
	b.check(t, "/decide", b.ask(t, http.MethodPost, "/decide", form), http.StatusOK)
	for person := range 40 { // all together have thirty
		b.session.Person = "p" + string(rune('a'+person))
		if got, want := b.ask(t, http.MethodPost, "/decide", form).Code, map[bool]int{true: 200, false: 429}[person < 29]; got != want {
			t.Errorf("lookup %d of all: %d, want %d", person, got, want)
		}
	}
	now = now.Add(time.Minute)
	for field, value := range map[string]string{"identifier": "", "policy": "none", "mode": "toaster"} {
		wrong := url.Values{"identifier": {"C02X5K187JL"}}
		wrong.Set(field, value)
		b.check(t, field, b.ask(t, http.MethodPost, "/decide", wrong), http.StatusBadRequest).wants(t, "The parameter "+field+" is not accepted")
	}
	b.check(t, "large", b.ask(t, http.MethodPost, "/decide", url.Values{"x": {strings.Repeat("x", 10_000)}}), http.StatusBadRequest).wants(t, "bytes of a form")
	b.check(t, "query", b.ask(t, http.MethodPost, "/decide?identifier=C02X5K187JL", url.Values{}), http.StatusBadRequest) // a link must not fill in the form
	b.pages.Live = live{func(string, string) (console.Decided, error) { return console.Decided{}, context.DeadlineExceeded }}
	b.check(t, "late", b.ask(t, http.MethodPost, "/decide", form), http.StatusServiceUnavailable).wants(t, "in time")
	if n := b.notices[len(b.notices)-1]; n.Event != "decide_now" || n.Identifier != "C02X5K187JL" || n.Result != "failed" { // the inventories were asked
		t.Errorf("the audit log gets %+v", n)
	}
	b.pages.Live = live{func(string, string) (console.Decided, error) { panic("a fault") }}
	var logged console.Event
	b.pages.Record = func(e console.Event) { logged = e }
	b.check(t, "fault", b.ask(t, http.MethodPost, "/decide", form), http.StatusInternalServerError).wants(t, "The console has a fault")
	if logged.Reason != "panic: value of type string" || !strings.Contains(logged.Stack, "pages_test.go") {
		t.Errorf("logged %+v, want the panic with its stack", logged)
	}
}

// Two decisions may have the same reference, which may be a serial number too.
func TestSameReference(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	first, second, third := device(1).asks(today(), random), device(2).asks(today(), random), device(5).asks(today(), random)
	second.Reference, third.Identifier = first.Reference, first.Reference
	b := open(t, inMemory(t, first, second, third), live{decides})
	d := b.get(t, "/search?q="+first.Reference, http.StatusOK)
	d.wants(t, "Several decisions match", first.Identifier, second.Identifier, "also the identifier of a device")
	if n := len(d.all("tr", "", "")); n != 3 {
		t.Errorf("%d rows, want 3", n)
	}
	b.get(t, "/search", http.StatusOK).wants(t, "Type the reference")
}

// The pages of the log-in look like the others, and have the fields of the guard.
func testLogIn(t *testing.T, s *scene) {
	t.Helper()
	b := s.browser(t)
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/login", nil)
	b.pages.LogIn(w, r, http.StatusOK, access.View{Password: true, OIDC: true, Problem: "<b>wrong</b>\u202e", CSRF: "t", Next: "/devices/a?b=c&d"})
	d := b.check(t, "/login", w, http.StatusOK)
	d.wants(t, "Log in with your organization", `<b>wrong</b>\u{202E}`)
	if next := attribute(d.all("a", "class", "button")[0], "href"); next != "/oidc/start?next=%2fdevices%2fa%3fb%3dc%26d" {
		t.Errorf("the link leads to %q", next)
	}
	for name, want := range map[string]string{"csrf": "t", "next": "/devices/a?b=c&d", "name": "", "password": ""} {
		if fields := d.all("input", "name", name); len(fields) != 1 || attribute(fields[0], "value") != want {
			t.Errorf("the field %s is %v", name, fields)
		}
	}
	w = httptest.NewRecorder()
	b.pages.Refuse(w, r, http.StatusMisdirectedRequest, "Open the console by its own name.")
	b.check(t, "/login", w, http.StatusMisdirectedRequest).wants(t, "Misdirected Request", "Open the console by its own name.")
}

// attribute is one of a node; empty without it.
func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// try asks, and checks the page that comes back, if it is one. With a form it is a POST.
func (b *browser) try(tb testing.TB, u *url.URL, form string) int {
	tb.Helper()
	r := &http.Request{Method: http.MethodGet, URL: u, Header: http.Header{}, RemoteAddr: "127.0.0.1:1", Body: http.NoBody}
	if form != "" {
		r.Method, r.Body = http.MethodPost, io.NopCloser(strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	b.pages.ServeHTTP(w, r.WithContext(access.WithSession(tb.Context(), b.session, "token")))
	if w.Header().Get("Location") == "" && u.Path != access.PathStyle {
		b.check(tb, "the page", w, w.Code)
	}
	return w.Code
}

// odd is a journal that has one entry.
type odd struct {
	failing

	found journal.Found
}

func (o odd) Find(context.Context, journal.Filter) ([]journal.Found, bool, error) {
	return []journal.Found{o.found}, false, nil
}

func (o odd) Get(context.Context, journal.ID) (journal.Found, bool, error) { return o.found, true, nil }

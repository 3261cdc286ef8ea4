package console_test

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/console"
	"step-posture-connector/internal/journal"
	"step-posture-connector/internal/posture"
)

// hostile are texts that devices, inventories and policy files may have.
func hostile() []string {
	return []string{
		`"><script>alert(1)</script><img src=x onerror=alert(1)>`, `</title></style></textarea><svg onload=alert(1)>`, `javascript:alert(1)`, `' onmouseover='alert(1)`,
		"a\u202etxt.exe\u2066b\u200bc\u00a0d", "a\x1b[31mred\x00\x07\nHTTP/1.1 200 OK\r\n\r\n", "\xff\xfe broken", "{{.Main}} {{template \"layout.html\"}}", strings.Repeat("long ", 2000), strings.Repeat("ä", 10_000), "<!--", "]]>", "Z" + strings.Repeat("\u0301\u0338", 500), "`code` `", "..", "%2e%2e/%00", "//evil.example.com/x",
	}
}

// poisoned are decisions whose every text is a hostile one.
func poisoned(seed uint64, identifier, text string) []*audit.Event {
	random := rand.New(rand.NewPCG(5, seed))
	var events []*audit.Event
	for n := range 3 {
		e := device(n+5).asks(today(), random)
		record := *e.Evidence.Deciding
		record.Facts.Name, record.Facts.Model = posture.Known(text), posture.Known(text)
		record.Facts.Groups, record.Facts.Attributes = posture.Known([]string{text, text}), posture.Known(map[string]string{text: text})
		record.Facts.User.Username = posture.Known(text)
		e.Evidence.Put(posture.Answer{Inventory: "jamf_eu", Record: &record, Asked: posture.AllFacts()})
		e.Evidence.Request.Names, e.Evidence.Request.Principal = []string{text}, text
		e.Identifier, e.Caller, e.NAS, e.VLAN, e.Reason, e.RequestID, e.Groups = text, text, text, text, text, text, []string{text}
		e.Allowed, e.Code = false, "osOutdated"
		for i := range e.Verdict.Outcomes {
			o := &e.Verdict.Outcomes[i]
			o.Result, o.Message, o.Reason = posture.Unmet, text, text
		}
		e.Verdict.Unmet, e.Verdict.WouldDeny = []string{"os_current"}, []string{"seen_lately"}
		events = append(events, e)
	}
	events[1].Identifier = identifier // its page can be opened
	events[2].Notification = &audit.Notification{TransactionID: text, SerialNumber: text}
	return events
}

// poisonedLive is a daemon with hostile names.
type poisonedLive struct {
	live

	text string
}

func (l poisonedLive) Inventories() []console.Inventory {
	return []console.Inventory{{Name: l.text, Kind: l.text, Wrong: l.text}}
}

func (l poisonedLive) Policies() []console.Policy {
	return []console.Policy{{Name: "laptops", Rules: []console.Rule{
		{Name: "os_current", Expression: l.text, Message: l.text, Code: "osOutdated"}, {Name: "seen_lately", Expression: l.text, Message: l.text, ReportOnly: true}, {Name: l.text, ReportOnly: true},
	}}, {Name: l.text}}
}

// Hostile texts are texts on every page: no element, no attribute and no address comes from them, and nothing in them is hidden.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	var events []*audit.Event
	for n, text := range hostile() {
		events = append(events, poisoned(uint64(n), "C02HOSTILE"+strconv.Itoa(n), text)...)
	}
	j := inMemory(t, events...)
	for n, text := range hostile() {
		identifier, own := "C02HOSTILE"+strconv.Itoa(n), events[3*n:3*n+3]
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			b := open(t, j, poisonedLive{live{decides}, text})
			b.session.Person = text
			decision := b.ask(t, http.MethodGet, "/search?q="+identifier, nil).Header().Get("Location")
			if decision != "/devices/"+identifier {
				t.Fatalf("the search leads to %q", decision)
			}
			addresses := []string{"/", "/decisions", "/decisions?denied=1&code=" + url.QueryEscape(text[:min(len(text), 100)]), "/inventories", "/rules/laptops/seen_lately", "/rules/laptops/os_current", "/decide?identifier=" + url.QueryEscape(text[:min(len(text), 500)]), decision}
			for _, e := range own {
				if address := b.ask(t, http.MethodGet, "/search?q="+e.Reference, nil).Header().Get("Location"); address != "" {
					addresses = append(addresses, address)
				}
			}
			if len(addresses) != 11 {
				t.Fatalf("%d pages, want 11: %q", len(addresses), addresses)
			}
			for _, address := range addresses {
				d := b.get(t, address, http.StatusOK) // it checks that there is no script, and nothing that leads elsewhere
				if title := []rune(d.all("title", "", "")[0].FirstChild.Data); len(title) > 160 {
					t.Errorf("%s has a title of %d characters", address, len(title))
				}
				if len(d.all("svg", "onload", "")) > 0 {
					t.Errorf("%s has an element of the text", address)
				}
			}
			for _, address := range []string{"/search?q=" + url.QueryEscape(text[:min(len(text), 500)]), "/devices/" + url.PathEscape(text), "/rules/laptops/" + url.PathEscape(text), "/decisions/" + url.PathEscape(text)} {
				w := b.ask(t, http.MethodGet, address, nil)
				if location := w.Header().Get("Location"); w.Code >= http.StatusInternalServerError || location != "" && !strings.HasPrefix(location, "/d") {
					t.Errorf("%.80s: %d, leads to %q", address, w.Code, location)
				}
				if w.Header().Get("Location") == "" {
					b.check(t, "a hostile address", w, w.Code)
				}
			}
			w := b.ask(t, http.MethodPost, "/decide", url.Values{"identifier": {"C02HOSTILE"}})
			b.check(t, "/decide", w, http.StatusOK)
		})
	}
}

// The page of the decision has the whole text, as characters that can be seen.
func TestWholeText(t *testing.T) {
	t.Parallel()
	name := "Ada's <b>Mac</b> \u202e" + strings.Repeat("x", 10_000)
	e := poisoned(1, "C02HOSTILE", name)[1]
	b := open(t, inMemory(t, e), live{decides})
	d := b.get(t, b.ask(t, http.MethodGet, "/search?q="+e.Reference, nil).Header().Get("Location"), http.StatusOK)
	d.wants(t, `Ada's <b>Mac</b> \u{202E}`+strings.Repeat("x", 10_000))
}

// Names as people write them stay as they are; spaces of other kinds become plain ones.
func TestOrdinaryNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"iPhone von\u00a0Zoë": "iPhone von Zoë", "Máy của Nguyễn": "Máy của Nguyễn", "Nguye\u0302\u0303n": "Nguye\u0302\u0303n", "מחשב של דנה": "מחשב של דנה", "田中さんのMac 🦊": "田中さんのMac 🦊", "a\tb": "a b",
		"Z\u0301\u0301\u0301\u0301\u0301": "Z\u0301\u0301\u0301\u0301\\u{0301}", "x\u2066y": "x\\u{2066}y",
	} {
		e := poisoned(1, "C02HOSTILE", name)[1]
		b := open(t, inMemory(t, e), live{decides})
		b.get(t, b.ask(t, http.MethodGet, "/search?q="+e.Reference, nil).Header().Get("Location"), http.StatusOK).wants(t, want)
	}
}

// A line of another version is shown as far as it can be read, and said to be so.
func TestLinesOfOtherVersions(t *testing.T) {
	t.Parallel()
	for n, line := range []string{`{"time":"2026-11-27T10:00:00Z","reference":"7F3K9Q2M","decision":"deny","code":"newCode","facts":{"now":7,"records":[]},"later":{}}`, `{`, `null`, `[]`, `{"facts":{"left_out":"too large"},"decision":"deny","code":"deviceNotFound"}`, `{"facts":{"records":{"a":{"answer":"new","device":{"x":{"y":["z",7,null]}}}}}}`} {
		j := odd{found: journal.Found{ID: journal.FirstID(today()), Line: []byte(line)}}
		b := open(t, j, live{decides})
		b.get(t, "/decisions", http.StatusOK)
		b.get(t, "/devices/A", http.StatusOK)
		d := b.get(t, "/decisions/"+j.found.ID.String(), http.StatusOK)
		if n < 4 && n != 2 {
			d.wants(t, "a part of it cannot be shown")
		}
		if strings.Contains(d.text, "Allowed") {
			t.Errorf("%s is shown as allowed: %s", line, d.text)
		}
	}
}

// FuzzParameters: whatever the parameters are, the page is complete, and the fault is that of who has asked.
func FuzzParameters(f *testing.F) {
	for _, address := range []string{
		"/?over=7d", "/search?q=7F3K9Q2M", "/decisions?denied=1&since=24h&code=x&policy=laptops&before=0006613cae0a151a67bbd3f74f57511b", "/devices/A?before=", "/rules/laptops/seen_lately?after=A",
		"/decide?identifier=x&mode=computer", "/rules/-/x", "/%2e%2e/", "/decisions/%", "/search?q=%00%ff", "/?%", "/devices/%2F%2F?;", "/search?q=.", "/search?q=" + strings.Repeat("A", 256),
	} {
		f.Add(address, "identifier=A&policy=laptops")
	}
	j := inMemory(f, poisoned(1, "C02HOSTILE", hostile()[0])...)
	f.Fuzz(func(t *testing.T, address, form string) {
		u, err := url.ParseRequestURI(address)
		if err != nil || u.Host != "" || !strings.HasPrefix(address, "/") {
			return
		}
		b := open(t, j, live{decides})
		for _, ask := range []func() int{
			func() int { return b.try(t, u, "") },
			func() int { return b.try(t, &url.URL{Path: "/decide"}, form) },
		} {
			if code := ask(); code >= http.StatusInternalServerError {
				t.Errorf("%q, %q: %d", address, form, code)
			}
		}
	})
}

package browser_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/browser"
)

// Each check finds the fault that is planted into a page, and nothing in the page without it.
func TestChecks(t *testing.T) {
	t.Parallel()
	faults := map[string]struct {
		old, changed string
		check        string
		want         string
	}{
		"gray on white":       {"color: #222", "color: #999", "light", `h1 "Decisions": contrast 2.85`},
		"gray in dark":        {"color: #ddd", "color: #555", "dark", `h1 "Decisions": contrast`},
		"link in dark":        {"a { color: #8ab4f8 }", "", "dark", `a "Overview": contrast`},
		"transparent":         {"<h2>", `<h2 style="opacity: 0.4">`, "light", `h2 "Devices": contrast`},
		"half a background":   {"<h2>", `<h2 style="background: rgba(0, 0, 0, 0.7)">`, "light", `h2 "Devices": contrast`},
		"another notation":    {"<h2>", `<h2 style="color: oklch(0.8 0.1 200)">`, "light", `h2 "Devices": contrast`},
		"behind a picture":    {"<h2>", `<h2 style="background-image: linear-gradient(red, blue)">`, "light", "a picture is behind it"},
		"text of a drawing":   {`fill="none"`, `fill="#333"`, "light", `text "42": contrast`},
		"drawing in dark":     {"svg text { fill: #ddd }", "", "dark", `text "42": contrast`},
		"placeholder":         {`<input name="q" type="search">`, `<style>::placeholder { color: #bbb }</style><input name="q" type="search" placeholder="abc">`, "light", `input "abc": contrast`},
		"text of a field":     {`type="search"`, `type="search" value="abc" style="color: #eee"`, "light", `input "abc": contrast`},
		"text of a style":     {`color: #222`, `color: #222 } h2::after { content: "new"; color: #eee`, "light", `contrast`},
		"no label":            {`<input name="q" type="search">`, `</label><input name="q" type="search"><label>`, "structure", "no label: <input"},
		"placeholder only":    {`<input name="q" type="search">`, `</label><input name="q" type="search" placeholder="Reference"><label>`, "structure", "no label: <input"},
		"no name":             {"<button>Search", "<button>", "structure", "a button has no name"},
		"link without text":   {">Other page<", "><", "structure", "a link has no name"},
		"no language":         {` lang="en"`, "", "structure", "does not say its language"},
		"no title":            {"<title>Decisions</title>", "", "structure", "no title"},
		"no viewport":         {`name="viewport"`, `name="other"`, "structure", "no viewport"},
		"no main":             {"<main>", "<div>", "structure", "no main"},
		"two of main":         {"<h2>", "</main><main><h2>", "structure", "2 times main"},
		"no navigation":       {`<nav aria-label="Pages">`, "<div>", "structure", "no navigation"},
		"no banner":           {"<header>", "<div>", "structure", "no banner"},
		"no h1":               {"<h1>", "<h2>", "structure", "0 headings of level 1"},
		"two of h1":           {"<h2>Devices</h2>", "<h1>Devices</h1>", "structure", "2 headings of level 1"},
		"level left out":      {"<h2>Devices</h2>", "<h4>Devices</h4>", "structure", "has level 4 after level 1"},
		"no header":           {`<th scope="col">Serial number</th>`, "<td>Serial number</td>", "structure", "no header with a scope"},
		"no caption":          {"<caption>Devices</caption>", "", "structure", "no caption"},
		"drawing without":     {` aria-label="Decisions of today"`, "", "structure", "has no name"},
		"drawing of no role":  {`<svg role="img"`, "<svg", "structure", "neither an img nor hidden"},
		"order of the focus":  {`name="q"`, `name="q" tabindex="3"`, "structure", "tabindex changes the order"},
		"id twice":            {"<h2>", `<p id="a"></p><p id="a"></p><h2>`, "structure", "the id a is there twice"},
		"id missing":          {`name="q"`, `name="q" aria-describedby="gone"`, "structure", "names gone, which is missing"},
		"no ring":             {":focus-visible { outline: 2px solid #0645ad }", ":focus { outline: none }", "keyboard", `link "Overview" has the focus and no mark`},
		"pale ring":           {"solid #0645ad }", "solid #eee }", "keyboard", "has the focus and no mark"},
		"not by keyboard":     {"<button>Search", `<button tabindex="-1">Search`, "keyboard", `button "Search" cannot be reached`},
		"focus out of view":   {`<a href="/other"`, `<a style="position: fixed; left: -900px" href="/other"`, "keyboard", "is not in view"},
		"focus below another": {"<h2>", `<div style="position: fixed; inset: 0"></div><h2>`, "keyboard", "is not in view"},
		"wide table":          {`<div class="box"><table>`, `<div><table style="width: 700px">`, "narrow", "wide in a window of 360"},
		"long word":           {"<h2>", "<p>" + strings.Repeat("long", 50) + "</p><h2>", "narrow", "<p>longlong"},
	}
	pages := map[string]string{"/": good}
	for name, fault := range faults {
		pages["/"+name] = with(t, fault.old, fault.changed)
	}
	s := newSite(t, pages)
	b := browser.Start(t, s.server.Certificate())
	open(t, b, s, "/").Check(t, "banner", "navigation")
	p := b.NewPage(t)
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			p.SetDark(t, false)
			p.Resize(t, browser.WideWidth, browser.WideHeight)
			p.Open(t, s.url("/"+strings.ReplaceAll(name, " ", "%20")))
			found := strings.Join(check(t, p, fault.check), "\n")
			if !strings.Contains(found, fault.want) {
				t.Errorf("found %q, want %q", found, fault.want)
			}
			p.Forgive(t) // the browser has an opinion of some faults too
		})
	}
	t.Run("reported", func(t *testing.T) {
		wantFailure(t, "contrast", func(t testing.TB) { open(t, b, s, "/gray%20on%20white").Check(t) })
	})
}

// check looks at a page in one way.
func check(t *testing.T, p *browser.Page, how string) []string {
	t.Helper()
	switch how {
	case "structure":
		return p.Structure(t, "banner", "navigation")
	case "keyboard":
		return p.Keyboard(t)
	case "narrow":
		p.Resize(t, browser.NarrowWidth, browser.NarrowHeight)
		return p.Overflow(t)
	case "dark":
		p.SetDark(t, true)
	}
	return p.Contrast(t)
}

// What a page may not do fails its test.
func TestProblems(t *testing.T) {
	t.Parallel()
	const elsewhere = "https://elsewhere.example.com/"
	s := newSite(t, map[string]string{
		"/":                 good,
		"/script/image":     with(t, "<h2>", `<img alt="" src="`+elsewhere+`a.png"><h2>`),
		"/script/style":     with(t, "<style>", `<link rel="stylesheet" href="`+elsewhere+`a.css"><style>`),
		"/script/font":      with(t, "<style>", `<style>@font-face { font-family: x; src: url(`+elsewhere+`x.woff2) } h1 { font-family: x }`),
		"/script/frame":     with(t, "<h2>", `<iframe title="x" src="`+elsewhere+`"></iframe><h2>`),
		"/script/connect":   with(t, "<style>", `<link rel="preconnect" href="https://elsewhere.example.com"><style>`),
		"/script/socket":    with(t, "<h2>", `<script>new WebSocket("wss://elsewhere.example.com/")</script><h2>`),
		"/script/same host": with(t, "<h2>", `<img alt="" src="http://127.0.0.1:1/a.png"><h2>`),
		"/script/google":    with(t, "<style>", `<link rel="stylesheet" href="https://fonts.googleapis.com/a.css"><style>`),
		"/script/console":   with(t, "<h2>", `<script>console.log("said", 42)</script><h2>`),
		"/script/exception": with(t, "<h2>", `<script>throw new Error("thrown")</script><h2>`),
		"/script/rejection": with(t, "<h2>", `<script>Promise.reject(new Error("rejected"))</script><h2>`),
		"/script/dialog":    with(t, "<h2>", `<script>alert("shown")</script><h2>`),
		"/script/not found": with(t, "<h2>", `<img alt="" src="/missing.png"><h2>`),
		"/inline script":    with(t, "<h2>", `<script>document.title = "changed"</script><h2>`),
		"/event attribute":  with(t, "<h2>", `<img alt="" src="data:," onerror="document.title = 'changed'"><h2>`),
		"/blocked image":    with(t, "<h2>", `<img alt="" src="`+elsewhere+`"><h2>`),
	})
	b := browser.Start(t, s.server.Certificate())
	t.Cleanup(func() { t.Logf("the proxy was asked for %q", b.Left()) })
	p := b.NewPage(t)
	for path, want := range map[string]string{
		"/script/image": "request: " + elsewhere, "/script/style": "request: " + elsewhere, "/script/font": "request: " + elsewhere,
		"/script/frame": "request: " + elsewhere, "/script/socket": "request: wss://elsewhere.example.com/|WebSocket connection to 'wss://elsewhere.example.com/' failed",
		"/script/same host": "request: http://127.0.0.1:1/a.png", "/script/google": "request: https://fonts.googleapis.com/a.css",
		"/script/console": `console: log: "said" 42`, "/script/exception": "exception: Uncaught Error: thrown",
		"/script/rejection": "rejected", "/script/dialog": "dialog: shown", "/script/not found": "status of 404",
		"/inline script": "Content Security Policy", "/event attribute": "Content Security Policy", "/blocked image": "Content Security Policy",
	} {
		t.Run(strings.Trim(path, "/"), func(t *testing.T) {
			p.Open(t, s.url(strings.ReplaceAll(path, " ", "%20")))
			var got strings.Builder
			for range 300 { // that a connection has failed is known later
				for _, problem := range p.Problems(t) {
					fmt.Fprintf(&got, "%s: %s\n", problem.Kind, problem.Text)
				}
				if hasAll(got.String(), strings.Split(want, "|")) {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
			t.Errorf("problems %q, want %q", got.String(), want)
		})
	}
	t.Run("at the end", func(t *testing.T) {
		wantFailure(t, "exception: Uncaught Error: thrown", func(t testing.TB) { open(t, b, s, "/script/exception") })
		wantFailure(t, "no problem of the page has", func(t testing.TB) { open(t, b, s, "/").Expect(t, "something") })
	})
	t.Run("connection without a request", func(t *testing.T) {
		p.Open(t, s.url("/script/connect"))
		for range 300 {
			if strings.Contains(strings.Join(b.Left(), " "), "elsewhere.example.com") {
				return
			}
			p.Forgive(t)
			time.Sleep(20 * time.Millisecond)
		}
		t.Error("the proxy was not asked")
	})
	t.Run("names", func(t *testing.T) {
		wantFailure(t, `0 elements "Gone" of role link, want 1; it has "Overview", "Other page"`, func(t testing.TB) { open(t, b, s, "/").Follow(t, "link", "Gone") })
		wantFailure(t, `no option "none"`, func(t testing.TB) { open(t, b, s, "/").Choose(t, "Order", "none") })
	})
}

func hasAll(text string, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(one string) bool { return !strings.Contains(text, one) })
}

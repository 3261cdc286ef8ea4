package console_test

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"
)

// document is a page that was parsed.
type document struct {
	source string
	root   *html.Node
	text   string // of its text nodes, with single spaces
}

func parse(tb testing.TB, source string) *document {
	tb.Helper()
	root, err := html.Parse(strings.NewReader(source))
	if err != nil {
		tb.Fatal(err)
	}
	d := &document{source: source, root: root}
	var text strings.Builder
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			text.WriteString(n.Data)
		}
	}
	d.text = strings.Join(strings.Fields(text.String()), " ")
	return d
}

func (d *document) wants(tb testing.TB, texts ...string) {
	tb.Helper()
	for _, text := range texts {
		if !strings.Contains(d.text, text) {
			tb.Errorf("the page lacks %q: %.3000s", text, d.text)
		}
	}
}

// all are the elements of a name whose attribute has a value; an empty value is any, where it is present.
func (d *document) all(name, key, value string) (found []*html.Node) {
	for n := range d.root.Descendants() {
		if n.Type != html.ElementNode || n.Data != name {
			continue
		}
		if key == "" || slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key && (value == "" || a.Val == value) }) {
			found = append(found, n)
		}
	}
	return found
}

func checkHeaders(tb testing.TB, w *httptest.ResponseRecorder) {
	tb.Helper()
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options":  "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
		"Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8",
	} {
		if got := w.Header().Get(name); got != want {
			tb.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if w.Header().Get("Permissions-Policy") == "" {
		tb.Error("there is no Permissions-Policy")
	}
}

// checkPage checks what every page has: elements that are closed in their order, no script and no style of its own, landmarks, one
// heading of the first level, and a label for each field.
func (d *document) checkPage(tb testing.TB, of string) {
	tb.Helper()
	d.checkNesting(tb, of)
	for name, want := range map[string]int{"h1": 1, "main": 1, "header": 1, "footer": 1, "title": 1 + len(d.all("title", "id", "")) + len(d.all("rect", "class", "hit")), "script": 0, "style": 0, "iframe": 0, "object": 0, "img": 0, "base": 0} {
		if n := len(d.all(name, "", "")); n != want {
			tb.Errorf("%s has %d times %s, want %d", of, n, name, want)
		}
	}
	ids := map[string]bool{}
	for n := range d.root.Descendants() {
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || a.Key != "value" && strings.HasPrefix(strings.ToLower(a.Val), "javascript:") {
				tb.Errorf("%s has the attribute %s=%q", of, a.Key, a.Val)
			}
			if a.Key == "id" && ids[a.Val] {
				tb.Errorf("%s has the ID %s twice", of, a.Val)
			}
			if a.Key == "id" {
				ids[a.Val] = true
			}
		}
		if n.Type == html.ElementNode && n.Data == "html" && attribute(n, "lang") != "en" {
			tb.Errorf("%s has no language", of)
		}
	}
	for _, n := range d.all("form", "", "") {
		if attribute(n, "aria-label") == "" {
			tb.Errorf("%s has a form without a name: %v", of, n.Attr)
		}
	}
	if len(d.all("caption", "", "")) != len(d.all("table", "", "")) {
		tb.Errorf("%s has a table without a caption", of)
	}
	for n := range d.root.Descendants() {
		for _, key := range []string{"for", "aria-labelledby", "aria-describedby"} {
			for id := range strings.FieldsSeq(attribute(n, key)) {
				if !ids[id] {
					tb.Errorf("%s: %s refers to %s, which does not exist", of, key, id)
				}
			}
		}
		if field := n.Data == "input" && attribute(n, "type") != "hidden" || n.Data == "select"; field && len(d.all("label", "for", attribute(n, "id"))) != 1 {
			tb.Errorf("%s has a field without a label: %v", of, n.Attr)
		}
	}
	if at := strings.IndexFunc(d.source, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' }); at >= 0 {
		tb.Errorf("%s has a character that cannot be seen: %q", of, d.source[at:min(at+10, len(d.source))])
	}
}

// checkNesting reads the source as it is, because html.Parse repairs what it reads.
func (d *document) checkNesting(tb testing.TB, of string) {
	tb.Helper()
	var opened []string
	for z := html.NewTokenizer(strings.NewReader(d.source)); ; {
		switch z.Next() {
		case html.ErrorToken:
			if len(opened) > 0 {
				tb.Errorf("%s leaves %q open", of, opened)
			}
			return
		case html.StartTagToken:
			name, _ := z.TagName()
			if !slices.Contains([]string{"meta", "link", "input", "br"}, string(name)) {
				opened = append(opened, string(name))
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if last := len(opened) - 1; last < 0 || opened[last] != string(name) {
				tb.Fatalf("%s closes %s while %q are open", of, name, opened)
			}
			opened = opened[:len(opened)-1]
		default:
		}
	}
}

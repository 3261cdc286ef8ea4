package browser

import (
	_ "embed"
	"fmt"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
)

//go:embed texts.js
var textsScript string

//go:embed structure.js
var structureScript string

//go:embed overflow.js
var overflowScript string

// Contrast returns the texts whose contrast with what is behind them does not suffice. A text in front of a picture is one of
// them, as nothing can be said of it.
func (p *Page) Contrast(t testing.TB) []string {
	t.Helper()
	return evaluate[[]string](t, p, fmt.Sprintf("(function(least) {%s%s})(%v)", contrastScript, textsScript, minimumContrast))
}

// Overflow returns the elements that make the page wider than the window. What scrolls within the page is none of them.
func (p *Page) Overflow(t testing.TB) []string {
	t.Helper()
	return evaluate[[]string](t, p, "(function() {"+overflowScript+"})()")
}

// Structure returns what a person with a screen reader misses: the language, a title, landmarks, headings in order, and names of
// fields, links, buttons and pictures; tables whose cells have headers. Landmarks are the roles that the page must have: "main"
// by default, once, and others such as "banner" and "navigation".
func (p *Page) Structure(t testing.TB, landmarks ...string) []string {
	t.Helper()
	wrong := evaluate[[]string](t, p, "(function() {"+structureScript+"})()")
	count := map[string]int{}
	named := append(fields(), "link", "button", "checkbox", "radio", "listbox", "img", "image", "SvgRoot", "table", "form", "navigation", "dialog", "DisclosureTriangle")
	onlyIfSeveral := []string{"form", "navigation"}
	all := p.Elements(t)
	for _, e := range all {
		count[e.Role]++
	}
	for _, e := range all {
		if slices.Contains(named, e.Role) && e.Name == "" && (count[e.Role] > 1 || !slices.Contains(onlyIfSeveral, e.Role)) {
			wrong = append(wrong, fmt.Sprintf("a %s has no name", e.Role))
		}
	}
	for _, landmark := range append(landmarks, "main") {
		if count[landmark] == 0 {
			wrong = append(wrong, "no "+landmark)
		}
	}
	for _, once := range []string{"main", "banner", "contentinfo"} {
		if count[once] > 1 {
			wrong = append(wrong, fmt.Sprintf("%d times %s", count[once], once))
		}
	}
	return append(wrong, p.headings(t)...)
}

// headings returns what is wrong with the order of headings.
func (p *Page) headings(t testing.TB) []string {
	t.Helper()
	var wrong []string
	first, before := 0, 0
	for _, n := range call(t, p, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes {
		if n.Ignored || text(n.Role) != "heading" {
			continue
		}
		level := 0
		for _, property := range n.Properties {
			if property.Name == "level" {
				_, _ = fmt.Sscan(text(property.Value), &level)
			}
		}
		if level == 1 {
			first++
		}
		if level == 0 || level > before+1 {
			wrong = append(wrong, fmt.Sprintf("the heading %q has level %d after level %d", text(n.Name), level, before))
		}
		if text(n.Name) == "" {
			wrong = append(wrong, "a heading has no text")
		}
		before = level
	}
	if first != 1 {
		wrong = append(wrong, fmt.Sprintf("%d headings of level 1", first))
	}
	return wrong
}

// Check fails the test with everything that the checks find on this page: structure, keyboard, contrast in light and dark, and
// the width on a narrow window. Landmarks are those of Structure. The window is as before at the end; it is light and wide.
func (p *Page) Check(t testing.TB, landmarks ...string) {
	t.Helper()
	report := func(what string, found []string) {
		for _, one := range found {
			t.Errorf("%s, %s: %s", p.URL(t), what, one)
		}
	}
	report("structure", p.Structure(t, landmarks...))
	report("keyboard", p.Keyboard(t))
	for _, dark := range []bool{true, false} {
		p.SetDark(t, dark)
		report(map[bool]string{true: "dark", false: "light"}[dark], p.Contrast(t))
	}
	p.Resize(t, NarrowWidth, NarrowHeight)
	report("narrow", p.Overflow(t))
	p.Resize(t, WideWidth, WideHeight)
	report("wide", p.Overflow(t))
}

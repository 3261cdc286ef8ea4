package browser

import (
	_ "embed"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/runtime"
)

// Focus is the element that has the focus of the keyboard.
type Focus struct {
	Element
	// InView reports whether the element is within the window, and nothing is above it.
	InView bool
	// Ring reports whether the element is marked: by an outline whose contrast with what is behind it suffices, or by a shadow.
	Ring bool
}

// Focused returns the element that has the focus. Its role is empty where none has it.
func (p *Page) Focused(t testing.TB) Focus {
	t.Helper()
	active := call(t, p, runtime.Evaluate, runtime.EvaluateParams{Expression: "document.activeElement"}).Result
	if active == nil || active.ObjectID == "" || active.ClassName == "HTMLBodyElement" || active.ClassName == "HTMLHtmlElement" {
		return Focus{}
	}
	nodes := call(t, p, accessibility.GetPartialAXTree, accessibility.GetPartialAXTreeParams{ObjectID: active.ObjectID, FetchRelatives: new(false)}).Nodes
	if len(nodes) == 0 {
		t.Fatalf("%s has the focus, and a screen reader does not know it", active.ClassName)
	}
	f := Focus{Element: Element{text(nodes[0].Role), text(nodes[0].Name), nodes[0].BackendDOMNodeID}}
	f.InView, f.Ring = p.mark(t, f.id)
	return f
}

func (p *Page) mark(t testing.TB, id cdp.BackendNodeID) (inView, ring bool) {
	t.Helper()
	found := onElement[struct{ InView, Ring bool }](t, p, id, "function(least) {"+contrastScript+focusScript+"}", ringContrast)
	return found.InView, found.Ring
}

// Walk presses Tab from the beginning of the page until the focus has left it, and returns what had the focus.
func (p *Page) Walk(t testing.TB) []Focus {
	t.Helper()
	// After a click, the browser would go on from there: what had the focus last is now before everything else.
	evaluate[any](t, p, `(function() {
		const first = document.createElement("i")
		first.tabIndex = -1
		document.body.prepend(first)
		first.focus()
		first.remove()
		getSelection().removeAllRanges()
		scrollTo(0, 0)
	})()`)
	var all []Focus
	for range tabs {
		p.Press(t, Tab)
		f := p.Focused(t)
		if f.Role == "" || len(all) > 0 && f.id == all[0].id {
			return all
		}
		all = append(all, f)
	}
	t.Fatalf("the focus does not leave the page after %d keys", tabs)
	return nil
}

// Keyboard returns what a person without a mouse cannot reach or see.
func (p *Page) Keyboard(t testing.TB) []string {
	t.Helper()
	var wrong []string
	reached := map[cdp.BackendNodeID]bool{}
	for _, f := range p.Walk(t) {
		reached[f.id] = true
		if !f.InView {
			wrong = append(wrong, fmt.Sprintf("%s %q has the focus and is not in view", f.Role, f.Name))
		}
		if !f.Ring {
			wrong = append(wrong, fmt.Sprintf("%s %q has the focus and no mark", f.Role, f.Name))
		}
	}
	for _, e := range p.Elements(t, append(fields(), "link", "button", "checkbox", "listbox", "DisclosureTriangle")...) {
		if !reached[e.id] && !onElement[bool](t, p, e.id, "function() { return this.disabled === true }") {
			wrong = append(wrong, fmt.Sprintf("%s %q cannot be reached with the Tab key", e.Role, e.Name))
		}
	}
	return wrong
}

//go:embed contrast.js
var contrastScript string

//go:embed focus.js
var focusScript string

package browser

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Key is a key that a person presses.
type Key string

// The keys with which a page can be used.
const (
	Tab      Key = kb.Tab
	ShiftTab Key = "shift+" + kb.Tab
	Enter    Key = kb.Enter
	Space    Key = " "
	Escape   Key = kb.Escape
	Down     Key = kb.ArrowDown
)

// Type replaces the text of a field, found by its accessible name.
func (p *Page) Type(t testing.TB, name, text string) {
	t.Helper()
	field := p.find(t, name, fields()...)
	call(t, p, dom.Focus, dom.FocusParams{BackendNodeID: field.id})
	onElement[any](t, p, field.id, "function() { this.select() }")
	if text == "" {
		p.Press(t, kb.Backspace)
		return
	}
	p.TypeHere(t, text)
}

// TypeHere types into the field that has the focus.
func (p *Page) TypeHere(t testing.TB, text string) {
	t.Helper()
	call(t, p, input.InsertText, input.InsertTextParams{Text: text})
}

// Value is what a field has.
func (p *Page) Value(t testing.TB, name string) string {
	t.Helper()
	return onElement[string](t, p, p.find(t, name, fields()...).id, "function() { return this.value }")
}

// Choose chooses an option of a list, by its text.
func (p *Page) Choose(t testing.TB, name, option string) {
	t.Helper()
	list := p.find(t, name, "combobox", "listbox")
	if !onElement[bool](t, p, list.id, `function(text) {
		const found = [...this.options].find(o => o.text.trim() === text)
		if (!found) return false
		this.value = found.value
		this.dispatchEvent(new Event("change", {bubbles: true}))
		return true
	}`, option) {
		t.Fatalf("the list %q has no option %q", name, option)
	}
}

// Press presses keys, one after the other, that do not lead to another page.
func (p *Page) Press(t testing.TB, keys ...Key) {
	t.Helper()
	for _, key := range keys {
		ctx, cancel := p.limited()
		err := chromedp.Do(ctx, press(key))
		cancel()
		if err != nil {
			t.Fatalf("press %q: %v", key, err)
		}
	}
}

// PressTo presses a key that leads to another page, and returns the status of the answer.
func (p *Page) PressTo(t testing.TB, key Key) int {
	t.Helper()
	return p.leads(t, "press a key", leading(press(key)))
}

// leading waits for the page to which an action leads.
func leading(action chromedp.Action[chromedp.Void]) func(context.Context) (*network.Response, error) {
	return func(ctx context.Context) (*network.Response, error) { return chromedp.RunResponse(ctx, action) }
}

func press(key Key) chromedp.Action[chromedp.Void] {
	if name, shifted := strings.CutPrefix(string(key), "shift+"); shifted {
		return chromedp.KeyEvent(name, chromedp.KeyModifiers(kb.ModifierShift))
	}
	return chromedp.KeyEvent(string(key))
}

// Click clicks an element that does not lead to another page, such as a checkbox, found by role and accessible name.
func (p *Page) Click(t testing.TB, role, name string) {
	t.Helper()
	x, y := p.place(t, p.find(t, name, role))
	ctx, cancel := p.limited()
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.MouseClickXY(x, y)); err != nil {
		t.Fatalf("click %s %q: %v", role, name, err)
	}
}

// Follow clicks a link or a button that leads to another page, and returns the status of the answer.
func (p *Page) Follow(t testing.TB, role, name string) int {
	t.Helper()
	x, y := p.place(t, p.find(t, name, role))
	return p.leads(t, "follow "+role+" "+name, leading(chromedp.MouseClickXY(x, y)))
}

// place scrolls to an element, and returns a point of it at which a click meets it, and nothing above it.
func (p *Page) place(t testing.TB, e Element) (x, y float64) {
	t.Helper()
	call(t, p, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: e.id})
	at := onElement[[]float64](t, p, e.id, `function() {
		for (const box of this.getClientRects()) {
			const x = box.x + box.width / 2, y = box.y + box.height / 2
			const met = document.elementFromPoint(x, y)
			const own = met && (this.contains(met) || met.contains(this) && met.tagName === "LABEL")
			if (box.width > 0 && box.height > 0 && own) return [x, y]
		}
		return []
	}`)
	if len(at) != 2 {
		t.Fatalf("%s %q cannot be clicked: it has no size, or something is above it", e.Role, e.Name)
	}
	return at[0], at[1]
}

package browser

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/runtime"
)

// Element is a part of a page, as a screen reader knows it.
type Element struct {
	// Role is that of WAI-ARIA: "link", "button", "textbox".
	Role string
	// Name is the accessible name.
	Name string

	id cdp.BackendNodeID
}

// fields are the roles of fields into which a person types.
func fields() []string { return []string{"textbox", "searchbox", "spinbutton", "combobox"} }

// Elements returns the elements of the page that have one of these roles, in their order; without roles, all. Those that a
// screen reader leaves out are left out.
func (p *Page) Elements(t testing.TB, roles ...string) []Element {
	t.Helper()
	var found []Element
	for _, n := range call(t, p, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes {
		role := text(n.Role)
		if n.Ignored || n.BackendDOMNodeID == 0 || len(roles) > 0 && !slices.Contains(roles, role) {
			continue
		}
		found = append(found, Element{role, text(n.Name), n.BackendDOMNodeID})
	}
	return found
}

// text is the text of a property of an element.
func text(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	var s string
	if err := json.Unmarshal([]byte(v.Value), &s); err != nil {
		return string(v.Value)
	}
	return s
}

// Has reports whether the page has an element of this role and name.
func (p *Page) Has(t testing.TB, role, name string) bool {
	t.Helper()
	return slices.ContainsFunc(p.Elements(t, role), func(e Element) bool { return e.Name == name })
}

// find returns the one element of this name that has one of these roles.
func (p *Page) find(t testing.TB, name string, roles ...string) Element {
	t.Helper()
	all := p.Elements(t, roles...)
	found := slices.DeleteFunc(slices.Clone(all), func(e Element) bool { return e.Name != name })
	if len(found) != 1 {
		var names []string
		for _, e := range all {
			names = append(names, fmt.Sprintf("%q", e.Name))
		}
		t.Fatalf("%s has %d elements %q of role %s, want 1; it has %s", p.URL(t), len(found), name, strings.Join(roles, ", "), strings.Join(names, ", "))
	}
	return found[0]
}

// onElement calls a function of JavaScript with an element as this, and returns its result.
func onElement[T any](t testing.TB, p *Page, id cdp.BackendNodeID, function string, arguments ...any) T {
	t.Helper()
	object := call(t, p, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: id}).Object.ObjectID
	var given []*runtime.CallArgument
	for _, argument := range arguments {
		value, err := json.Marshal(argument)
		if err != nil {
			t.Fatal(err)
		}
		given = append(given, &runtime.CallArgument{Value: value})
	}
	result := call(t, p, runtime.CallFunctionOn, runtime.CallFunctionOnParams{
		FunctionDeclaration: function, ObjectID: object, Arguments: given, ReturnByValue: new(true), AwaitPromise: new(true),
	})
	if result.ExceptionDetails != nil {
		t.Fatalf("a function of the tests failed in the page: %s", result.ExceptionDetails.Text)
	}
	var value T
	if len(result.Result.Value) > 0 {
		if err := json.Unmarshal([]byte(result.Result.Value), &value); err != nil {
			t.Fatal(err)
		}
	}
	return value
}

package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Cookie is a cookie that the window has for its page.
type Cookie struct {
	Name, Value, Path, SameSite string
	Secure, HTTPOnly            bool
	// Session reports whether the cookie ends with the browser.
	Session bool
}

// Cookies returns the cookies that the window sends to the address of its page.
func (p *Page) Cookies(t testing.TB) []Cookie {
	t.Helper()
	var all []Cookie
	for _, c := range call(t, p, network.GetCookies, network.GetCookiesParams{}).Cookies {
		all = append(all, Cookie{c.Name, c.Value, c.Path, string(c.SameSite), c.Secure, c.HTTPOnly, c.Session})
	}
	return all
}

// SetCookie gives the window a cookie for its page, as somebody does who has stolen it or made it up.
func (p *Page) SetCookie(t testing.TB, name, value string) {
	t.Helper()
	call(t, p, network.SetCookie, network.SetCookieParams{Name: name, Value: value, URL: p.URL(t), Secure: new(true), Path: "/"})
}

// Reload asks for the page again, and returns the status of the answer.
func (p *Page) Reload(t testing.TB) int {
	t.Helper()
	return p.leads(t, "reload", func(ctx context.Context) (*network.Response, error) {
		return chromedp.RunResponse(ctx, func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
			_, err := chromedp.Call(ctx, page.Reload, page.ReloadParams{})
			return chromedp.Void{}, err
		})
	})
}

// Back goes to the page before, as the button of the browser does, and waits until it is complete. A
// page that a form has led to is none to which it goes: the browser would ask whether to send the form again.
func (p *Page) Back(t testing.TB) {
	t.Helper()
	ctx, cancel := p.limited()
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.NavigateBack()); err != nil {
		t.Fatalf("go back: %v", err)
	}
}

// Table returns the texts of the cells of a table, found by its accessible name, in rows; the header is the first.
func (p *Page) Table(t testing.TB, name string) [][]string {
	t.Helper()
	return onElement[[][]string](t, p, p.find(t, name, "table").id, `function() {
		return [...this.rows].map(row => [...row.cells].map(cell => cell.innerText.trim()))
	}`)
}

// Count is how many elements selectors of CSS find, each by itself.
func (p *Page) Count(t testing.TB, selectors ...string) []int {
	t.Helper()
	list, err := json.Marshal(selectors)
	if err != nil {
		t.Fatal(err)
	}
	return evaluate[[]int](t, p, fmt.Sprintf("%s.map(one => document.querySelectorAll(one).length)", list))
}

// Hidden is the value of a field that the page does not show, found by a selector of CSS.
func (p *Page) Hidden(t testing.TB, selector string) string {
	t.Helper()
	return evaluate[string](t, p, fmt.Sprintf("document.querySelector(%q).value", selector))
}

// Addresses are those to which links lead that a selector of CSS finds, in their order, each once.
func (p *Page) Addresses(t testing.TB, selector string) []string {
	t.Helper()
	return evaluate[[]string](t, p, fmt.Sprintf("[...new Set([...document.querySelectorAll(%q)].map(a => a.href))]", selector))
}

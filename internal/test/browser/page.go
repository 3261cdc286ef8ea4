package browser

import (
	"context"
	"net/url"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// Page is a window with cookies of its own, as that of one person. One goroutine uses it.
type Page struct {
	ctx    context.Context // chromedp keeps the page in it
	record *record
	silent bool // JavaScript of pages is off
}

// The sizes of windows, in CSS pixels.
const (
	// WideWidth and WideHeight are those of a small laptop.
	WideWidth  = 1100
	WideHeight = 800
	// NarrowWidth and NarrowHeight are those of a phone.
	NarrowWidth  = 360
	NarrowHeight = 740
)

// NewPage opens an empty window until the end of the test. The test fails then, if the page has done what it may not.
func (b *Browser) NewPage(t testing.TB) *Page {
	t.Helper()
	p := &Page{record: &record{hosts: map[string]bool{}, dialogs: make(chan struct{}, 1)}}
	var cancel context.CancelFunc
	p.ctx, cancel = chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.record.listen))
	t.Cleanup(cancel)
	if err := chromedp.Do(p.ctx); err != nil {
		t.Fatalf("open a window: %v", err)
	}
	call(t, p, audits.Enable, cdp.Empty{})
	call(t, p, accessibility.Enable, cdp.Empty{})
	p.Resize(t, WideWidth, WideHeight)
	p.SetDark(t, false)
	go p.closeDialogs()
	t.Cleanup(func() {
		for _, problem := range p.Problems(t) {
			t.Errorf("%s: %s", problem.Kind, problem.Text)
		}
	})
	return p
}

// limited is the context of one step.
func (p *Page) limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(p.ctx, actionLimit)
}

// call sends a command to the browser.
func call[P, R any](t testing.TB, p *Page, command cdp.Command[P, R], params P) R {
	t.Helper()
	ctx, cancel := p.limited()
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		t.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

// evaluate returns the value of an expression of JavaScript, which may be a promise. The page's policy, and Script, do not hold
// for it.
func evaluate[T any](t testing.TB, p *Page, expression string) T {
	t.Helper()
	ctx, cancel := p.limited()
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise, chromedp.EvalAsValue))
	if err != nil {
		t.Fatalf("evaluate %.80q: %v", expression, err)
	}
	return value
}

// Open opens a URL, whose host the page may ask from now on, and returns the status of the answer.
func (p *Page) Open(t testing.TB, address string) int {
	t.Helper()
	if parsed, err := url.Parse(address); err == nil && parsed.Host != "" {
		p.AllowHost(t, address)
	}
	return p.leads(t, "open "+address, func(ctx context.Context) (*network.Response, error) {
		return chromedp.Run(ctx, chromedp.NavigateResponse(address))
	})
}

// leads runs a step that leads to another page, waits until that page is complete, and returns the status of its answer. It is 0
// for a place within the page.
func (p *Page) leads(t testing.TB, what string, step func(context.Context) (*network.Response, error)) int {
	t.Helper()
	ctx, cancel := p.limited()
	defer cancel()
	response, err := step(ctx)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if response == nil {
		return 0
	}
	return int(response.Status)
}

// Resize gives the window a size, in CSS pixels.
func (p *Page) Resize(t testing.TB, width, height int) {
	t.Helper()
	call(t, p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: int64(width), Height: int64(height), DeviceScaleFactor: 1})
}

// SetDark chooses whether the person prefers dark colors. Movement is never preferred: pictures would differ.
func (p *Page) SetDark(t testing.TB, dark bool) {
	t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	call(t, p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// SetScript switches JavaScript of pages on or off; it is on at first. It holds from the next page.
func (p *Page) SetScript(t testing.TB, on bool) {
	t.Helper()
	call(t, p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
	p.silent = !on
}

// Text is the text of the page as a person sees it.
func (p *Page) Text(t testing.TB) string {
	t.Helper()
	return evaluate[string](t, p, "document.body.innerText")
}

// Title is the title of the page.
func (p *Page) Title(t testing.TB) string {
	t.Helper()
	return evaluate[string](t, p, "document.title")
}

// URL is the address of the page.
func (p *Page) URL(t testing.TB) string {
	t.Helper()
	return evaluate[string](t, p, "location.href")
}

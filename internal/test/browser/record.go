package browser

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/inspector"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Problem is something that a page may not do.
type Problem struct {
	// Kind is "request" (to another host), "console", "exception", "log", "issue" (also a violation of the content security
	// policy), "dialog" or "crash".
	Kind string
	Text string
}

// record is what a page has done.
type record struct {
	mu       sync.Mutex
	hosts    map[string]bool // host:port to which requests may go
	requests []string
	problems []Problem
	dialogs  chan struct{}
}

func (r *record) add(kind, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, Problem{kind, text})
}

// request writes down a request, and compares its host with those that the test has opened. Contents within the page's own
// address are no requests.
func (r *record) request(address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	parsed, err := url.Parse(address)
	switch {
	case err == nil && (parsed.Scheme == "data" || parsed.Scheme == "about" || parsed.Scheme == "blob"):
		return
	case err != nil || !r.hosts[parsed.Host]:
		r.problems = append(r.problems, Problem{"request", address})
	}
	r.requests = append(r.requests, address)
}

// listen takes the events of the page. It must not wait.
func (r *record) listen(event any) {
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		r.request(e.Request.URL)
	case *network.EventWebSocketCreated:
		r.request(e.URL)
	case *network.EventWebTransportCreated:
		r.request(e.URL)
	case *runtime.EventConsoleAPICalled:
		var texts []string
		for _, argument := range e.Args {
			texts = append(texts, string(argument.Value)+argument.Description)
		}
		r.add("console", fmt.Sprintf("%s: %s", e.Type, strings.Join(texts, " ")))
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		r.add("exception", text)
	case *log.EventEntryAdded:
		r.add("log", fmt.Sprintf("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *audits.EventIssueAdded:
		// A provider that has a session sends a person back at once, which looks like tracking.
		if e.Issue.Code == audits.InspectorIssueCodeBounceTrackingIssue {
			return
		}
		details, err := json.Marshal(e.Issue.Details)
		r.add("issue", strings.TrimSpace(fmt.Sprintf("%s %s", e.Issue.Code, details))+errorText(err))
	case *page.EventJavascriptDialogOpening:
		r.add("dialog", e.Message)
		select {
		case r.dialogs <- struct{}{}:
		default: // one is being closed
		}
	case *inspector.EventTargetCrashed:
		r.add("crash", "the page has crashed")
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// closeDialogs closes dialogs, which would stop the page. It ends with the page.
func (p *Page) closeDialogs() {
	for {
		select {
		case <-p.record.dialogs:
			ctx, cancel := p.limited()
			// Where it fails, the step that waits for the page fails too.
			_, _ = chromedp.Call(ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{})
			cancel()
		case <-p.ctx.Done():
			return
		}
	}
}

// AllowHost lets the page send requests to this server too, given as a URL of it.
func (p *Page) AllowHost(t testing.TB, address string) {
	t.Helper()
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" {
		t.Fatalf("not the URL of a server: %q", address)
	}
	p.record.mu.Lock()
	defer p.record.mu.Unlock()
	p.record.hosts[parsed.Host] = true
}

// Requests returns the URLs of all requests, in their order.
func (p *Page) Requests() []string {
	p.record.mu.Lock()
	defer p.record.mu.Unlock()
	return slices.Clone(p.record.requests)
}

// Problems returns what the page has done that it may not, since the last call. What nobody asks for fails the test.
func (p *Page) Problems(t testing.TB) []Problem {
	t.Helper()
	// The browser reports events in their order, so those before this answer are here.
	if p.silent { // timers do not run
		evaluate[bool](t, p, "true")
	} else {
		evaluate[bool](t, p, "new Promise(done => setTimeout(() => done(true), 0))")
	}
	return p.take()
}

func (p *Page) take() []Problem {
	p.record.mu.Lock()
	defer p.record.mu.Unlock()
	problems := p.record.problems
	p.record.problems = nil
	return problems
}

// Expect takes the problems whose text contains this one, as the status of a page that refuses is a problem to the browser. The
// test fails where there is none.
func (p *Page) Expect(t testing.TB, text string) {
	t.Helper()
	all := p.Problems(t)
	rest := slices.DeleteFunc(slices.Clone(all), func(one Problem) bool { return strings.Contains(one.Text, text) })
	if len(rest) == len(all) {
		t.Errorf("no problem of the page has %q: %q", text, all)
	}
	p.record.mu.Lock()
	defer p.record.mu.Unlock()
	p.record.problems = append(rest, p.record.problems...)
}

// Forgive takes all problems of the page so far.
func (p *Page) Forgive(t testing.TB) {
	t.Helper()
	p.Problems(t)
}

package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/console/access"
	"step-posture-connector/internal/panics"
)

// request is a request of a person who has logged in.
type request struct {
	*http.Request

	session access.Session
	csrf    string
	now     time.Time
	under   []string // what follows the name of the page in the path, unescaped
	values  url.Values
}

// answer is what a page shows.
type answer struct {
	status   int    // zero for 200
	page     string // name of the template
	title    string
	data     any
	location string // a redirect, in place of a page
	// notice is written to the audit log before the page is; nil where the page has no personal data.
	notice *audit.Notice
}

// problem is why a page is not shown. Text is for the person, and says what to do; cause stays in the log.
type problem struct {
	status int
	text   string
	cause  error
	allow  string        // the methods that are accepted, of 405
	wait   time.Duration // until it may be tried again
}

func (p *problem) Error() string {
	if p.cause != nil {
		return p.text + ": " + p.cause.Error()
	}
	return p.text
}

func (p *problem) Unwrap() error { return p.cause }

// page is one kind of pages.
type page struct {
	name    string
	methods string
	under   int // how many names follow in the path
	limit   time.Duration
	serve   func(*Pages, context.Context, *request) (answer, error)
}

// find returns the page at a path, and the names that follow in it.
func find(path string) (found page, under []string, ok bool) {
	const get = "GET, HEAD"
	names := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i := range names {
		name, err := url.PathUnescape(names[i])
		if err != nil {
			return page{}, nil, false
		}
		names[i] = name
	}
	first, under := names[0], names[1:]
	switch first {
	case "":
		found = page{"overview", get, 0, queryTimeout, (*Pages).overview}
	case "search":
		found = page{"search", get, 0, queryTimeout, (*Pages).search}
	case "devices":
		found = page{"device", get, 1, queryTimeout, (*Pages).device}
	case "decisions":
		if found = (page{"decisions", get, 0, queryTimeout, (*Pages).decisions}); len(under) > 0 {
			found = page{"decision", get, 1, queryTimeout, (*Pages).decision}
		}
	case "rules":
		found = page{"rule", get, 2, queryTimeout, (*Pages).rule}
	case "inventories":
		found = page{"inventories", get, 0, queryTimeout, (*Pages).inventories}
	case "decide":
		found = page{"decide", get + ", POST", 0, decideTimeout, (*Pages).decide}
	}
	return found, under, found.serve != nil && found.under == len(under)
}

// ServeHTTP implements http.Handler.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := p.Now()
	event := Event{Page: "none", RemoteAddress: r.RemoteAddr}
	session, csrf := access.SessionOf(r.Context())
	event.Person = session.Person
	defer func() {
		if cause := panics.Recovered(recover()); cause != nil {
			// Nothing was written yet: every page is complete before its first byte.
			err := &problem{status: http.StatusInternalServerError, text: "The console has a fault. It is in the log of the connector.", cause: cause}
			value, stack := panics.Origin(cause)
			event.Status, event.Reason, event.Stack = p.fail(w, r, err), "panic: "+panics.Describe(value), stack
		}
		if event.Duration = p.Now().Sub(began); p.Record != nil {
			p.Record(event)
		}
	}()
	if r.URL.Path == access.PathStyle {
		event.Page, event.Status = "style", p.style(w, r)
		return
	}
	if session.Person == "" { // fail closed: without a guard in front, nobody sees anything
		event.Status = p.fail(w, r, &problem{status: http.StatusForbidden, text: "Log in first."})
		return
	}
	q := &request{Request: r, session: session, csrf: csrf, now: began}
	err := p.serve(r.Context(), w, q, &event)
	if err != nil {
		event.Status, event.Reason = p.fail(w, r, err), audit.Clean(err.Error(), maxSearch)
	}
}

// serve answers a request of a person who has logged in. Nothing is written where it returns an error.
func (p *Pages) serve(ctx context.Context, w http.ResponseWriter, q *request, event *Event) error {
	at, under, ok := find(q.URL.EscapedPath())
	if !ok {
		return &problem{status: http.StatusNotFound, text: "There is no such page. Search for a reference or a serial number, or begin at the overview."}
	}
	event.Page, q.under = at.name, under
	if !strings.Contains(", "+at.methods+",", ", "+q.Method+",") {
		return &problem{status: http.StatusMethodNotAllowed, text: "This page only reads: it accepts " + at.methods + ".", allow: at.methods}
	}
	if err := q.parse(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, at.limit)
	defer cancel()
	a, err := at.serve(p, ctx, q)
	if err != nil {
		return err
	}
	if a.location != "" { // which says that something was found
		if err := p.notify(q, at.name, a.notice); err != nil {
			return err
		}
		setHeaders(w)
		http.Redirect(w, q.Request, a.location, http.StatusSeeOther)
		event.Status = http.StatusSeeOther
		return nil
	}
	text, err := p.page(q, at.name, a)
	if err != nil {
		return &problem{status: http.StatusInternalServerError, text: "The console has a fault. It is in the log of the connector.", cause: err}
	}
	if err := p.notify(q, at.name, a.notice); err != nil {
		return err
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	event.Status = a.status
	write(w, a.status, text)
	return nil
}

// notify writes to the audit log that a person sees personal data. Fail closed: what could not be written is not shown.
func (p *Pages) notify(q *request, page string, n *audit.Notice) error {
	if n == nil {
		return nil
	}
	n.Time, n.User, n.RemoteAddress, n.Page = q.now, q.session.Person, q.RemoteAddr, page
	if n.Event == "" {
		n.Event = "console_view"
	}
	if n.Result == "" {
		n.Result = "shown"
	}
	if p.Notice == nil {
		return &problem{status: http.StatusServiceUnavailable, text: "Pages with personal data are not shown, because nothing notes who has seen them."}
	}
	if err := p.Notice(*n); err != nil {
		return &problem{
			status: http.StatusServiceUnavailable, cause: err,
			text: "The audit log cannot be written at present, so no personal data is shown. Decisions go on. Tell the administrator of the connector.",
		}
	}
	return nil
}

// fail shows why there is no page, and returns the status.
func (p *Pages) fail(w http.ResponseWriter, r *http.Request, err error) int {
	shown := &problem{}
	if !errors.As(err, &shown) { // of the database
		shown = &problem{status: http.StatusServiceUnavailable, text: "The database of the journal does not answer at present. Decisions go on without it; try again in a minute.", wait: time.Minute}
	}
	if shown.allow != "" {
		w.Header().Set("Allow", shown.allow)
	}
	if shown.wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(shown.wait.Seconds()+1)))
	}
	p.Refuse(w, r, shown.status, shown.text)
	return shown.status
}

// setHeaders sets the headers of every answer. Strict-Transport-Security is the guard's, which knows whether there is TLS.
func setHeaders(w http.ResponseWriter) {
	for name, value := range map[string]string{
		// There is no script at all, nothing of another origin, and the pattern of a chart is in the page itself.
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options":  "nosniff",
		"X-Frame-Options":         "DENY",
		// The address of a page may have an identifier. With no-referrer a browser would send no origin with a form either.
		"Referrer-Policy":              "same-origin",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Permissions-Policy":           "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
		"Cache-Control":                "no-store",
	} {
		w.Header().Set(name, value)
	}
}

func write(w http.ResponseWriter, status int, text []byte) {
	setHeaders(w)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client has left
}

package access

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/inbound"
)

// Settings are what a Guard needs.
type Settings struct {
	Pages    http.Handler
	Renderer Renderer
	Store    Store // not asked without Users and Provider
	Now      func() time.Time
	// Users may log in with a password, and Provider is where others log in. Without both everybody on this machine is let in, and
	// nobody else.
	Users    *Users
	Provider *Provider
	// TLS says that the listener has TLS.
	TLS bool
	// Notice gets every log-in, log-out and try. With an error nobody is logged in.
	Notice func(audit.Notice) error
	// Trust gets the context of every request of a person who has logged in. It may be nil.
	Trust func(context.Context)
	// Record gets every request that the Guard has answered itself. It must not wait for anything.
	Record func(Event)
}

// Guard admits requests to the pages, and answers those of the log-in.
type Guard struct {
	s         Settings
	users     atomic.Pointer[Users]
	key       atomic.Pointer[key]
	candidate key // of the key, and that of a Guard without log-in
	cross     *http.CrossOriginProtection
	room      chan struct{} // of requests that are answered at once
	guests    chan struct{} // of those among them that are about a log-in
	passwords passwords
	tries     tries
	notices   *rate.Limiter // of tries that were too many
}

// NewGuard makes a Guard.
func NewGuard(s Settings) *Guard {
	g := &Guard{
		s: s, candidate: key(newSecret()), cross: http.NewCrossOriginProtection(), room: make(chan struct{}, maxRequests), guests: make(chan struct{}, maxGuests),
		passwords: newPasswords(), notices: rate.NewLimiter(rate.Every(noticesEvery), 1),
	}
	g.users.Store(s.Users)
	return g
}

// UseUsers replaces the people who may log in with a password. The sessions of those that are gone, or have another password, end.
func (g *Guard) UseUsers(u *Users) { g.users.Store(u) }

// isLocal reports whether everybody on this machine is let in.
func (g *Guard) isLocal() bool { return g.s.Users == nil && g.s.Provider == nil }

// exchange is a request.
type exchange struct {
	w       http.ResponseWriter
	r       *http.Request
	key     key // signs cookies
	started time.Time
	event   Event
}

// refusal ends a request. Its text is for the person, and the reason for the administrator; empty where the text says it.
type refusal struct {
	status       int
	text, reason string
	after        time.Duration // until it may be tried again
}

// ServeHTTP admits a request to the pages, or answers it.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	counted := &statusWriter{ResponseWriter: w}
	x := &exchange{w: counted, r: r.WithContext(ctx), started: g.s.Now(), event: Event{Page: pageOf(r.URL.EscapedPath()), RemoteAddress: r.RemoteAddr}}
	g.secure(w.Header())
	mine := g.serve(x) //nolint:contextcheck // the request of x has the context
	if !mine {
		return
	}
	x.event.Status, x.event.Duration = counted.status, g.s.Now().Sub(x.started)
	g.s.Record(x.event)
}

// secure sets the headers that every answer has. What is allowed within a page is the business of the pages.
func (g *Guard) secure(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer, browsers send forms with Origin: null
	if g.s.TLS {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// serve answers a request, in the order of what may be known of it. mine is false where the pages have answered.
func (g *Guard) serve(x *exchange) (mine bool) {
	if p := g.admit(x); p != nil {
		return g.refuse(x, *p)
	}
	if x.event.Page != pageOther { // of the log-in: while a provider hangs, strangers must not take the places of all others
		if p := enter(x, g.guests); p != nil {
			return g.refuse(x, *p)
		}
		defer func() { <-g.guests }()
	}
	if p := enter(x, g.room); p != nil {
		return g.refuse(x, *p)
	}
	defer func() { <-g.room }()
	if x.r.URL.EscapedPath() == PathStyle && x.r.Method != http.MethodPost {
		g.s.Pages.ServeHTTP(x.w, x.r)
		return false
	}
	if g.isLocal() {
		x.key = g.candidate
		return g.serveLocal(x)
	}
	var p *refusal
	if x.key, p = g.signingKey(x.r.Context()); p != nil {
		return g.refuse(x, *p)
	}
	switch x.event.Page {
	case pageLogIn:
		g.serveLogIn(x)
	case pageLogOut:
		g.serveLogOut(x)
	case pageOIDC:
		g.serveStart(x)
	case pageCallback:
		g.serveCallback(x)
	default:
		return g.servePage(x)
	}
	return true
}

// enter waits for a place in a room.
func enter(x *exchange, room chan struct{}) *refusal {
	select {
	case room <- struct{}{}:
		return nil
	case <-time.After(roomTimeout):
		return &refusal{status: http.StatusServiceUnavailable, text: "Too many requests at once. Try again.", reason: "more requests at once than the console answers", after: time.Second}
	case <-x.r.Context().Done():
		return &refusal{status: http.StatusServiceUnavailable, text: "The request took too long.", reason: "the client has left, or the time was up"}
	}
}

// admit refuses what needs no page: bounds, host, method, another site, a form that cannot be read.
func (g *Guard) admit(x *exchange) *refusal {
	if err := inbound.CheckHeader(x.r.Header, inbound.MaxHeader); err != nil {
		return &refusal{status: http.StatusRequestHeaderFieldsTooLarge, text: "The request is too large.", reason: err.Error()}
	}
	if g.isLocal() {
		if reason := notLocal(x.r); reason != "" {
			return &refusal{status: http.StatusForbidden, text: "Without users, this page is only for this machine itself, at http://localhost or http://127.0.0.1, and not through a proxy.", reason: reason}
		}
	}
	switch x.r.Method {
	case http.MethodGet, http.MethodHead:
		return nil
	case http.MethodPost:
	default:
		x.w.Header().Set("Allow", "GET, HEAD, POST")
		return &refusal{status: http.StatusMethodNotAllowed, text: "There is nothing for this method here.", reason: "the method is none of GET, HEAD and POST"}
	}
	if err := g.cross.Check(x.r); err != nil {
		return &refusal{status: http.StatusForbidden, text: "The form comes from another site.", reason: "another site has sent the form: " + err.Error()}
	}
	return readForm(x)
}

// readForm reads the form of a POST.
func readForm(x *exchange) *refusal {
	form, _, _ := strings.Cut(x.r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(form), "application/x-www-form-urlencoded") {
		return &refusal{status: http.StatusUnsupportedMediaType, text: "This is no form of this page.", reason: "the content type is not application/x-www-form-urlencoded"}
	}
	if x.r.ProtoMajor == 1 {
		_ = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(bodyTimeout)) // otherwise the limit of the server applies
	}
	x.r.Body = http.MaxBytesReader(x.w, x.r.Body, maxForm)
	err := x.r.ParseForm()
	if over := (*http.MaxBytesError)(nil); errors.As(err, &over) {
		return &refusal{status: http.StatusRequestEntityTooLarge, text: "The form is too large.", reason: "the form has more than " + strconv.Itoa(maxForm) + " bytes"}
	}
	if err != nil {
		return &refusal{status: http.StatusBadRequest, text: "The form cannot be read.", reason: "the form cannot be read"}
	}
	return nil
}

// serveLocal serves a Guard without log-in. Its forms have a token of a cookie all the same: another page in the same browser could
// send them else.
func (g *Guard) serveLocal(x *exchange) (mine bool) {
	if x.event.Page != pageOther {
		return g.refuse(x, refusal{status: http.StatusNotFound, text: "Nobody logs in here: this page is for everybody on this machine.", reason: "there are no users"})
	}
	s, _, ok := g.cookie(x.r, x.key, formCookie)
	if x.r.Method == http.MethodPost {
		if p := x.checkCSRF(formCookie, s, ok); p != nil {
			return g.refuse(x, *p)
		}
	}
	if !ok {
		s = newSecret()
		g.setCookie(x.w, formCookie, x.key.seal(formCookie, s, nil), formLife)
	}
	return g.show(x, Session{Person: string(Local), Source: Local, Created: x.started, Expires: x.started.Add(sessionLife)}, x.key.csrf(formCookie, s))
}

// servePage serves a page to a person who has logged in.
func (g *Guard) servePage(x *exchange) (mine bool) {
	found, s, p := g.session(x)
	switch {
	case p != nil:
		return g.refuse(x, *p)
	case found == nil && x.r.Method == http.MethodPost:
		return g.refuse(x, refusal{status: http.StatusUnauthorized, text: "Your session has ended. Log in again; the form was not carried out.", reason: "there is no session"})
	case found == nil:
		x.event.Reason = "there is no session"
		redirect(x.w, PathLogIn+"?"+queryOf(FieldNext, cleanNext(x.r.URL.RequestURI())))
		return true
	}
	x.event.Person = found.Person
	if x.r.Method == http.MethodPost {
		if p := x.checkCSRF(sessionCookie, s, true); p != nil {
			return g.refuse(x, *p)
		}
	}
	return g.show(x, *found, x.key.csrf(sessionCookie, s))
}

func (g *Guard) show(x *exchange, s Session, csrf string) (mine bool) {
	if g.s.Trust != nil {
		g.s.Trust(x.r.Context())
	}
	g.s.Pages.ServeHTTP(x.w, x.r.WithContext(context.WithValue(x.r.Context(), contextKey{}, admitted{s, csrf})))
	return false
}

// refuse shows that a request is refused.
func (g *Guard) refuse(x *exchange, p refusal) (mine bool) {
	x.event.Reason = p.reason
	if p.after > 0 {
		x.w.Header().Set("Retry-After", strconv.Itoa(int((p.after+time.Second-1)/time.Second)))
	}
	g.s.Renderer.Refuse(x.w, x.r, p.status, p.text)
	return true
}

// pageOf names what a path is.
func pageOf(path string) string {
	switch path {
	case PathLogIn:
		return pageLogIn
	case PathLogOut:
		return pageLogOut
	case PathOIDC:
		return pageOIDC
	case PathCallback:
		return pageCallback
	default:
		return pageOther
	}
}

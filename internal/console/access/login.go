package access

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"step-posture-connector/internal/audit"
)

// EventLogIn and EventLogOut are the events of the audit log.
const (
	EventLogIn  = "console_login"
	EventLogOut = "console_logout"
)

// What came of them.
const (
	resultOK      = "ok"
	resultFailed  = "failed"  // the password is wrong
	resultUnknown = "unknown" // nobody has the name, which the line does not have either
	resultLimited = "limited" // there were too many tries
	resultRefused = "refused" // the OpenID provider, or its answer, does not let the person in
)

// Results are what can come of a try to log in.
func Results() []string {
	return []string{resultOK, resultFailed, resultUnknown, resultLimited, resultRefused}
}

// notice writes a line to the audit log. Its error has to keep a person out.
func (g *Guard) notice(x *exchange, event, person, result string) error {
	return g.s.Notice(audit.Notice{Time: x.started, Event: event, User: person, RemoteAddress: x.r.RemoteAddr, Page: x.event.Page, Result: result})
}

// auditFault refuses a log-in that cannot be recorded. Fail closed: nobody sees personal data without a line about it.
func auditFault(err error) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, text: "The audit log cannot be written, so nobody can log in. Try again later.", reason: "audit log: " + err.Error()}
}

// serveLogIn shows the form of the log-in, and takes it.
func (g *Guard) serveLogIn(x *exchange) {
	if x.r.Method == http.MethodPost {
		g.takeLogIn(x)
		return
	}
	next := cleanNext(x.r.URL.Query().Get(FieldNext))
	found, _, p := g.session(x)
	switch {
	case p != nil:
		g.refuse(x, *p)
	case found != nil:
		x.event.Person = found.Person
		redirect(x.w, next)
	default:
		g.showLogIn(x, http.StatusOK, next, "", "")
	}
}

// showLogIn shows the page of the log-in. The form needs a cookie, so that another site cannot log a person in as somebody else.
func (g *Guard) showLogIn(x *exchange, status int, next, problem, reason string) {
	x.event.Reason = reason
	s, _, ok := g.cookie(x.r, x.key, formCookie)
	if !ok {
		s = newSecret()
		g.setCookie(x.w, formCookie, x.key.seal(formCookie, s, nil), formLife)
	}
	g.s.Renderer.LogIn(x.w, x.r, status, View{
		Password: g.users.Load() != nil, OIDC: g.s.Provider != nil, Problem: problem, CSRF: x.key.csrf(formCookie, s), Next: next,
	})
}

// takeLogIn logs a person in who has sent name and password.
func (g *Guard) takeLogIn(x *exchange) {
	next := cleanNext(x.field(FieldNext))
	users := g.users.Load()
	if users == nil {
		g.refuse(x, refusal{status: http.StatusNotFound, text: "Nobody logs in with a password here.", reason: "there is no file of users"})
		return
	}
	s, _, ok := g.cookie(x.r, x.key, formCookie)
	if p := x.checkCSRF(formCookie, s, ok); p != nil {
		g.showLogIn(x, p.status, next, "The form was too old, or your browser takes no cookies. Try again.", p.reason)
		return
	}
	name, password := x.field(FieldName), x.field(FieldPassword)
	client := clientOf(x.r)
	if wait := g.tries.take(client, name, x.started); wait > 0 {
		g.tooMany(x, next, wait)
		return
	}
	right, err := g.passwords.verify(x.r.Context(), users, name, password)
	switch {
	case err != nil:
		g.tries.giveBack(client, name)
		g.retryAfter(x, time.Second)
		g.showLogIn(x, http.StatusServiceUnavailable, next, "Too many people are logging in. Try again.", err.Error())
	case !right:
		g.wrong(x, users, name, next)
	default:
		g.tries.giveBack(client, name)
		g.letIn(x, name, File, users.fingerprint(x.key, name), next)
	}
}

// wrong answers a log-in whose name or password is wrong, in the same words. Which of both, the log has; a name that nobody has is
// in neither log, because it may be a password in the wrong field.
func (g *Guard) wrong(x *exchange, users *Users, name, next string) {
	result, person, reason := resultFailed, name, "the password is wrong"
	if !users.has(name) {
		result, person, reason = resultUnknown, "", "nobody has this name"
	}
	x.event.Person = person
	_ = g.notice(x, EventLogIn, person, result) // nobody is let in, whatever the audit log does
	g.showLogIn(x, http.StatusUnauthorized, next, "Name or password is wrong.", reason)
}

// tooMany answers a try that is not looked at.
func (g *Guard) tooMany(x *exchange, next string, wait time.Duration) {
	if g.notices.AllowN(x.started, 1) {
		_ = g.notice(x, EventLogIn, "", resultLimited)
	}
	seconds := g.retryAfter(x, wait)
	g.showLogIn(x, http.StatusTooManyRequests, next, fmt.Sprintf("Too many wrong tries. Try again in %d seconds.", seconds), "too many wrong tries of this client, under this name, or of all together")
}

// retryAfter says when to try again, in whole seconds.
func (g *Guard) retryAfter(x *exchange, wait time.Duration) (seconds int) {
	seconds = max(1, int((wait+time.Second-1)/time.Second))
	x.w.Header().Set("Retry-After", fmt.Sprint(seconds))
	return seconds
}

// letIn begins the session of a person, after the audit log has it. The fingerprint is that of what the person has logged in by.
func (g *Guard) letIn(x *exchange, person string, source Source, fingerprint []byte, next string) {
	x.event.Person = person
	if err := g.notice(x, EventLogIn, person, resultOK); err != nil {
		g.refuse(x, *auditFault(err))
		return
	}
	if p := g.begin(x, person, source, fingerprint); p != nil {
		g.refuse(x, *p)
		return
	}
	redirect(x.w, next)
}

// passwords verifies one password at a time: each uses up a processor for a part of a second, which the webhooks need too.
type passwords struct{ one, waiting chan struct{} }

func newPasswords() passwords {
	return passwords{make(chan struct{}, 1), make(chan struct{}, maxPasswords)}
}

// errBusy says that too many passwords wait.
type errBusy struct{}

func (errBusy) Error() string { return "too many passwords wait to be verified" }

// verify verifies a password. Its error says that it was not.
func (p passwords) verify(ctx context.Context, users *Users, name, password string) (right bool, err error) {
	select {
	case p.waiting <- struct{}{}:
		defer func() { <-p.waiting }()
	default:
		return false, errBusy{}
	}
	limited, cancel := context.WithTimeout(ctx, passwordTimeout)
	defer cancel()
	select {
	case p.one <- struct{}{}:
		defer func() { <-p.one }()
	case <-limited.Done():
		return false, errBusy{}
	}
	return users.verify(name, password), nil
}

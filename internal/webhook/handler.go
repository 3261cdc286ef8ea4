package webhook

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/inbound"
	"step-posture-connector/internal/panics"
	"step-posture-connector/internal/posture"
)

// Handler answers step-ca's webhook calls. The server around it has a ReadTimeout, which bounds bodies
// on HTTP/2.
type Handler struct {
	Tolerance time.Duration // how far a timestamp may differ from the clock
	Now       func() time.Time
	// Audit gets every authenticated request before it is answered, so that every answer is
	// on record. It may be nil.
	Audit func(*audit.Event)
	// Record gets every request after it was answered, except a successful one for the status. It must not
	// wait for anything: on HTTP/2 the end of the answer is sent when it returns.
	Record func(*audit.Event)
	// Tokens are the enrolment tokens; nil where no policy requires one.
	Tokens *enroll.Tokens
	// Trust gets the context of every request that was authenticated. It may be nil.
	Trust func(context.Context)

	hooks atomic.Pointer[Hooks]

	once      sync.Once
	endpoints []endpoint

	// Of *[usualBody]byte. A body is used no longer than its request, so the next one may have its memory.
	buffers sync.Pool
}

// Use makes hooks those that may call, from the next request on. Requests under way finish with those that they began
// with. Before the first call every request is refused.
func (h *Handler) Use(hooks *Hooks) { h.hooks.Store(hooks) }

// ServeHTTP answers a request in one write and logs it as one event.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := h.Now()
	event := &audit.Event{
		Time:          start,
		Reference:     audit.NewReference(),
		RequestID:     audit.CleanRequestID(first(r.Header, requestIDHeader)),
		Method:        r.Method,
		Path:          escapedPath(r.URL),
		RemoteAddress: r.RemoteAddr,
	}
	a := h.answer(w, r, start, event)
	a.budget = cmp.Or(a.budget, Budget)
	event.Status = a.status
	event.Duration = h.Now().Sub(start)
	if event.Authenticated && h.Audit != nil {
		event.Left = max(a.budget-writing-event.Duration, time.Nanosecond) // zero would mean no limit
		h.Audit(event)
	}
	respond(w, r, a)
	if event.Path == StatusPath && a.status == http.StatusOK {
		return
	}
	event.Duration = h.Now().Sub(start)
	h.Record(event)
}

// answer turns every error and every panic into a refusal or a fault. Only a decision that allows becomes an allow.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, start time.Time, event *audit.Event) (a answer) {
	defer func() {
		if cause := recover(); cause != nil {
			cause, event.Stack = panics.Origin(cause)
			a = refuse(event, problemf(codeInternal, "panic: %s", panics.Describe(cause)))
		}
	}()
	tooLarge := inbound.CheckHeader(r.Header, inbound.MaxHeader)
	hooks := h.hooks.Load()
	if hooks == nil {
		hooks = NewHooks(nil, false)
	}
	called, exists := h.endpointAt(event.Path, hooks)
	switch {
	case tooLarge != nil:
		a = refuse(event, &Problem{codeTooLarge, tooLarge})
		a.status = http.StatusRequestHeaderFieldsTooLarge
	case exists:
		a = h.call(called, hooks, w, r, start, event)
		a.budget = called.budget
	case event.Path == StatusPath:
		a = status(r, event)
	default:
		a = refuse(event, h.unknownPath(event.Path))
	}
	// Unauthenticated clients do not keep a connection that step-ca may need; on HTTP/2 the header makes the
	// server send GOAWAY and finish what is under way, because other requests share it.
	a.hangUp = a.status != http.StatusOK && !event.Authenticated
	return a
}

// call runs the steps of a webhook request in order. The first step that refuses ends the request.
func (h *Handler) call(e *endpoint, hooks *Hooks, w http.ResponseWriter, r *http.Request, start time.Time, event *audit.Event) answer {
	if r.Method != http.MethodPost {
		return methodNotAllowed(event, http.MethodPost)
	}
	buffer, ok := h.buffers.Get().(*[usualBody]byte)
	if !ok {
		buffer = new([usualBody]byte)
	}
	defer h.buffers.Put(buffer)
	body, p := receive(w, r, buffer[:])
	if p != nil {
		return refuse(event, p)
	}
	event.WebhookID = first(r.Header, idHeader)
	signed, p := hooks.authenticate(e, r.Header, body, start)
	if p != nil {
		return refuse(event, p)
	}
	event.Authenticated = true
	gate := signed.hook.Gate
	if gate != nil {
		event.Provider = gate.Inventories[0].Kind
	}
	if hooks.policyFile {
		event.Caller, event.Door = signed.hook.Name, door
		if e.shows {
			event.Door = posture.RADIUSDoor
		}
		if gate != nil {
			event.Policy = gate.Policy.Name
		}
	}
	if h.Trust != nil {
		h.Trust(r.Context())
	}
	request, p := h.decode(e, signed, start)
	if request != nil {
		event.Provisioner = request.ProvisionerName
		if request.AttestationData != nil {
			event.Identifier = request.AttestationData.PermanentIdentifier
		}
	}
	if p != nil {
		return refuse(event, p)
	}
	event.Evidence = &posture.Evidence{Now: start, Reference: event.Reference}
	c := &exchange{at: e, hook: signed.hook, body: request, raw: signed.raw, query: r.URL.RawQuery, request: &event.Evidence.Request, event: event, tokens: h.Tokens}
	ctx := r.Context()
	if c.rule() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, e.budget-writeReserve-h.Now().Sub(start))
		defer cancel()
	}
	a, done := c.identify(ctx)
	c.noteKey()
	if done {
		event.Evidence = nil // no inventory was asked
		return a
	}
	return h.ask(ctx, c)
}

func (h *Handler) decode(e *endpoint, signed Signed, now time.Time) (*requestBody, *Problem) {
	if e.shows {
		return decodeShown(signed, now, h.Tolerance)
	}
	return decode(signed, now, h.Tolerance, e.notifies)
}

// identify finds out whom the request is about. done says that it is answered without asking an inventory.
func (c *exchange) identify(ctx context.Context) (a answer, done bool) {
	if p := c.admit(); p != nil {
		return refuse(c.event, p), true
	}
	if c.at.ask == nil {
		return c.notified(), true
	}
	id, p := c.at.ask(ctx, c)
	if p != nil {
		return refuse(c.event, p), true
	}
	c.id = id
	c.event.Identifier = cmp.Or(c.event.Identifier, id.String())
	if c.at.shows {
		return answer{}, false // a token is for an order
	}
	if p := c.present(ctx); p != nil {
		return refuse(c.event, p), true
	}
	return answer{}, false
}

// ask asks the inventories and the policy.
func (h *Handler) ask(ctx context.Context, c *exchange) answer {
	event, gate := c.event, c.hook.Gate
	// Without a request ID from step-ca, the provider's server gets our reference.
	q := posture.Query{Identifier: c.id, Type: c.deviceType, RequestID: cmp.Or(event.RequestID, event.Reference)}
	if c.ticket.shown {
		event.Evidence.Fits = func(e *posture.Evidence) bool { return c.ticket.token.MatchesRecord(c.rule(), e) == nil }
	}
	event.Mode = string(gate.TypeOf(q))
	if c.request.Door != "" {
		c.request.Mode, c.request.Identifier = event.Mode, c.id.String()
	}
	decision, p := h.decide(ctx, c, q)
	event.Verdict, event.Inventory = decision.Verdict(), event.Evidence.Inventory
	if event.Inventory != "" {
		event.Provider = gate.KindOf(event.Inventory)
	}
	if p != nil {
		return refuse(event, p)
	}
	if decision.Allowed() && !c.at.shows {
		// Last: nothing that refuses, and no fault, has used the token up.
		if p := c.redeem(ctx); p != nil {
			return refuse(event, p)
		}
	}
	event.Groups, event.DataUnknown = decision.Groups(), decision.DataUnknown()
	a := conclude(event, decision)
	if decision.Allowed() && c.at.shows {
		a.body = []byte(`{"allow":true}`) // there is no certificate that data could go into
	}
	return a
}

// door is the word for this protocol in rules and logs.
const door = posture.WebhookDoor

// decide asks the inventories, within what is left of the budget since the request came.
func (h *Handler) decide(ctx context.Context, c *exchange, q posture.Query) (posture.Decision, *Problem) {
	event, gate := c.event, c.hook.Gate
	if !gate.InMemory() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.at.budget-writeReserve-h.Now().Sub(event.Time))
		defer cancel()
	}
	if c.at.shows {
		ctx = posture.AtDoor(ctx)
	}
	asked := h.Now()
	decision, err := gate.Decide(ctx, q, event.Evidence)
	for pause := firstPause; err != nil && c.at.retries && wait(ctx, pause); pause *= 2 {
		event.Evidence = &posture.Evidence{Now: event.Evidence.Now, Reference: event.Reference, Request: event.Evidence.Request, Fits: event.Evidence.Fits}
		decision, err = gate.Decide(ctx, q, event.Evidence)
	}
	event.ProviderTime = h.Now().Sub(asked)
	event.ProviderAnswered = err == nil
	if err != nil {
		// Fail closed: without an answer the device gets no certificate. It is no refusal either; step-ca
		// tries once more, and an order can be finalized later.
		if !errors.Is(err, context.Canceled) {
			event.ProviderErr = err
		}
		return decision, &Problem{codeUnavailable, err}
	}
	return decision, nil
}

// wait waits before a fault is tried again. It is false where ctx ends before that; one that never ends has no second try.
func wait(ctx context.Context, pause time.Duration) bool {
	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) <= pause {
		return false
	}
	select {
	case <-time.After(pause):
		return true
	case <-ctx.Done():
		return false
	}
}

// first returns the first value of a header. name is canonical already; http.Header.Get would check that again.
func first(header http.Header, name string) string {
	if values := header[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// escapedPath returns u.EscapedPath(), and does not call it for the usual path: it checks the path byte by byte.
func escapedPath(u *url.URL) string {
	if u.RawPath == "" && u.Path == AttestPath {
		return AttestPath
	}
	return u.EscapedPath()
}

package doors

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/inbound"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/panics"
	"step-posture-connector/internal/posture"
)

// The paths of the listener. Everything below ForwardAuthPath is that path too: Envoy appends the path of its client.
const (
	RADIUSPath      = "/door/radius"
	ForwardAuthPath = "/door/http"
)

// Handler answers the questions of RADIUS servers and web servers. The TLS listener around it demands a client certificate.
type Handler struct {
	Now func() time.Time
	// Audit gets every decision before it is answered; it may be nil. Record gets every question after it was answered, and
	// must not wait for anything.
	Audit, Record func(*audit.Event)
	// Trust gets the context of every question of a known caller. It may be nil.
	Trust func(context.Context)

	doors atomic.Pointer[Doors]
}

// Use makes doors those that answer, from the next question on. Before the first call, and with nil, every question is refused.
func (h *Handler) Use(doors *Doors) { h.doors.Store(doors) }

// Forget empties the cache.
func (h *Handler) Forget() {
	if doors := h.doors.Load(); doors != nil {
		doors.Forget()
	}
}

// ServeHTTP answers a question.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := h.Now()
	event := &audit.Event{
		Time: start, Reference: audit.NewReference(), RequestID: audit.CleanRequestID(r.Header.Get("X-Request-Id")),
		Method: r.Method, Path: shownPath(r.URL.EscapedPath()), RemoteAddress: r.RemoteAddr,
	}
	a := h.answer(w, r, event)
	event.Status, event.Duration = a.status, h.Now().Sub(start)
	if event.Authenticated && !event.Repeats && h.Audit != nil {
		event.Left = max(budget(event.Door)-writing-event.Duration, time.Nanosecond) // zero would mean no limit
		h.Audit(event)
	}
	respond(w, r, a)
	event.Duration = h.Now().Sub(start)
	h.Record(event)
}

// shownPath is a path for the log: what is below ForwardAuthPath is the browser's.
func shownPath(path string) string {
	if strings.HasPrefix(path, ForwardAuthPath+"/") {
		return ForwardAuthPath + "/…"
	}
	return path
}

// answer turns every problem and every panic into a refusal or a fault.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, event *audit.Event) (a answer) {
	event.Door = doorOf(r.URL.EscapedPath())
	defer func() {
		if cause := recover(); cause != nil {
			cause, event.Stack = panics.Origin(cause)
			a = refuse(event, problemf(outcome.Internal, "panic: %s", panics.Describe(cause)))
		}
	}()
	q, p := h.admit(r, event)
	if p == nil {
		ctx, cancel := context.WithDeadline(r.Context(), event.Time.Add(budget(q.entry.Door)-writeReserve))
		defer cancel()
		if p = q.read(w, r); p == nil {
			return q.answer(ctx)
		}
	}
	a = refuse(event, p)
	a.hangUp = !event.Authenticated
	return a
}

// doorOf is the door at a path, in its escaped form; empty for none. Nothing else of a URL counts.
func doorOf(path string) string {
	switch {
	case path == RADIUSPath:
		return posture.RADIUSDoor
	case path == ForwardAuthPath, strings.HasPrefix(path, ForwardAuthPath+"/"):
		return posture.ForwardAuthDoor
	}
	return ""
}

// admit finds out who asks, and at which door. Nothing of the question is read before.
func (h *Handler) admit(r *http.Request, event *audit.Event) (*question, *problem) {
	doors := h.doors.Load()
	if err := inbound.CheckHeader(r.Header, maxHeader); err != nil {
		return nil, &problem{outcome.TooLarge, err}
	}
	switch {
	case event.Door == "":
		return nil, problemf(outcome.NotFound, "there is no door at this path; those are %s and %s", RADIUSPath, ForwardAuthPath)
	case event.Door == posture.RADIUSDoor && r.Method != http.MethodPost:
		return nil, problemf(outcome.MethodNotAllowed, "allowed is POST")
	case doors == nil:
		return nil, problemf(outcome.Unavailable, "the policy file in effect has no doors")
	case r.TLS == nil || len(r.TLS.PeerCertificates) == 0: // cannot happen behind the listener; fail closed
		return nil, problemf(outcome.Unauthenticated, "the caller has no certificate")
	}
	entry, name, err := doors.caller(event.Door, r.TLS.PeerCertificates[0])
	if err != nil {
		return nil, &problem{outcome.Unauthenticated, err}
	}
	event.Authenticated, event.Caller = true, name
	event.Policy = entry.Gate.Policy.Name
	event.Provider = entry.Gate.Inventories[0].Kind
	if h.Trust != nil {
		h.Trust(r.Context())
	}
	return &question{handler: h, doors: doors, entry: entry, caller: name, event: event}, nil
}

// question is one about a device, on its way through the steps.
type question struct {
	handler *Handler
	doors   *Doors
	entry   *Entry
	caller  string
	event   *audit.Event

	shown       shown
	fingerprint [sha256.Size]byte
	id          posture.Identifier
	radius      *posture.RADIUSRequest
	expires     time.Time // of the certificate
}

// shown is what rules may know of the certificate.
type shown interface{ Describe(into *posture.Request) }

// read finds out which device the question is about.
func (q *question) read(w http.ResponseWriter, r *http.Request) *problem {
	if q.entry.Door == posture.RADIUSDoor {
		return q.readRADIUS(w, r)
	}
	return q.readForwardAuth(r)
}

// answer answers a question about a known device.
func (q *question) answer(ctx context.Context) answer {
	if q.entry.Cache == 0 {
		return q.decide(ctx)
	}
	return q.remembered(ctx)
}

// decide asks the inventories and the policy.
func (q *question) decide(ctx context.Context) answer {
	event, gate := q.event, q.entry.Gate
	event.Evidence = &posture.Evidence{Now: event.Time, Reference: event.Reference}
	request := &event.Evidence.Request
	q.shown.Describe(request)
	request.RADIUS = q.radius
	query := posture.Query{Identifier: q.id, RequestID: event.Reference}
	event.Mode = string(gate.TypeOf(query))
	request.Door, request.Caller, request.Mode, request.Identifier = q.entry.Door, q.caller, event.Mode, q.id.String()
	asked := q.handler.Now()
	decision, err := gate.Decide(posture.AtDoor(ctx), query, event.Evidence)
	event.ProviderTime, event.ProviderAnswered = q.handler.Now().Sub(asked), err == nil
	event.Verdict, event.Inventory = decision.Verdict(), event.Evidence.Inventory
	if event.Inventory != "" {
		event.Provider = gate.KindOf(event.Inventory)
	}
	if err != nil {
		// Fail closed: without an answer nobody gets in, and no quarantine is given either.
		if !errors.Is(err, context.Canceled) {
			event.ProviderErr = err
		}
		return refuse(event, &problem{outcome.Unavailable, err})
	}
	event.Groups, event.DataUnknown = decision.Groups(), decision.DataUnknown()
	if q.entry.Door == posture.RADIUSDoor {
		return q.concludeRADIUS(decision)
	}
	return q.concludeForwardAuth(decision)
}

// Package compat has the endpoints of mdmsecuritydemo that its enrollhandler calls, so that the connector takes the place of its
// services deviceinventory and dynamicacme: POST /devices/query and POST /api/key/UDID.
package compat

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/inbound"
	"step-posture-connector/internal/panics"
	"step-posture-connector/internal/posture"
)

const (
	queryPath = "/devices/query"
	apiPath   = "/api/"
	keyPath   = "/api/key/" // and a UDID
)

// Handles reports whether a path, in its escaped form, belongs to the Handler: all but those of webhooks, of the API of tokens,
// and /status. With a slip in enrollhandler's DYNAMIC_API_URL, such as a missing /api/key, nobody else may answer, because every
// other error of the connector is JSON; see refuse.
func Handles(path string) bool {
	return path != "/status" && path != "/webhook" && !strings.HasPrefix(path, "/webhook/") && !strings.HasPrefix(path, "/v1/")
}

// belowAPI reports whether a path is below /api/, also where slashes are doubled or letters escaped.
func belowAPI(path string) bool {
	if plain, err := url.PathUnescape(path); err == nil {
		path = plain
	}
	return strings.HasPrefix("/"+strings.TrimLeft(path, "/")+"/", apiPath)
}

// Handler answers the requests of enrollhandler. The server around it has a ReadTimeout, which bounds bodies on HTTP/2.
type Handler struct {
	// Keys and Queries are the credentials of the two endpoints. Without one nobody may use its endpoint.
	Keys, Queries inbound.Credential
	Tokens        *enroll.Tokens
	// Rule returns what the policy in effect requires of tokens. It may return nil: then no keys are issued.
	Rule func() *posture.TokenRequirement
	// Known reports whether an inventory has a device, and it is managed. One of the two may be empty, which is no device's. It
	// returns by the deadline of its context.
	Known func(ctx context.Context, serial, udid string) (bool, error)
	// Trust gets the context of every request that was authenticated. It may be nil.
	Trust func(context.Context)
	// Record gets every request after it was answered. It must not wait for anything.
	Record func(*Event)
}

// ServeHTTP answers a request at any path, and records it as one event.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.serve(w, r, true) }

// QueriesOnly answers /devices/query alone: for a listener without TLS, over which no key may go.
func (h *Handler) QueriesOnly() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, false) })
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, keys bool) {
	event := &Event{
		Reference: audit.NewReference(), Method: audit.Clean(r.Method, maxShown), Path: shownPath(r.URL.EscapedPath()), RemoteAddress: r.RemoteAddr,
	}
	ctx, cancel := context.WithTimeout(r.Context(), budget)
	defer cancel()
	a := h.answer(w, r.WithContext(ctx), keys, event)
	event.Status = a.status
	respond(w, r, a)
	h.Record(event)
}

// shownPath is a path for the log. What is below /api/ is left out: it may be a key in the wrong place.
func shownPath(path string) string {
	switch {
	case path == queryPath:
		return path
	case strings.HasPrefix(path, keyPath):
		return keyPath + "…"
	case belowAPI(path):
		return apiPath + "…"
	}
	return audit.Clean(path, maxShown)
}

// answer turns every problem and every panic into a refusal.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, keys bool, event *Event) (a answer) {
	defer func() {
		if cause := recover(); cause != nil {
			cause, event.Stack = panics.Origin(cause)
			a = refuse(event, internal(fmt.Errorf("panic: %s", panics.Describe(cause))))
		}
	}()
	a, p := h.call(w, r, keys, event)
	if p != nil {
		return refuse(event, p)
	}
	return a
}

// call runs the steps of a request in order; the first that refuses ends it. Nothing of the body is read before it is known
// who calls.
func (h *Handler) call(w http.ResponseWriter, r *http.Request, keys bool, event *Event) (answer, *problem) {
	if err := inbound.CheckHeader(r.Header, inbound.MaxHeader); err != nil {
		return answer{}, problemf(http.StatusRequestHeaderFieldsTooLarge, codeTooLarge, "%w", err)
	}
	path := r.URL.EscapedPath()
	udid, isKey := strings.CutPrefix(path, keyPath)
	isKey = isKey && keys && udid != "" && !strings.Contains(udid, "/")
	switch {
	case !isKey && path != queryPath:
		return answer{}, noSuchPath()
	case r.Method != http.MethodPost:
		return answer{}, methodNotAllowed()
	}
	operation, credential := "query", h.Queries
	if isKey {
		operation, credential = "key", h.Keys
	}
	event.Operation = operation
	if err := authenticate(r.Header, credential); err != nil {
		return answer{}, unauthenticated(err)
	}
	if h.Trust != nil {
		h.Trust(r.Context())
	}
	body, p := receive(w, r)
	switch {
	case p != nil:
		return answer{}, p
	case isKey:
		return h.issue(r, udid, event)
	default:
		return h.query(r.Context(), body, event)
	}
}

// authenticate compares the credential of a request as a whole. Its errors repeat nothing of the header.
func authenticate(header http.Header, credential inbound.Credential) error {
	text, err := inbound.Bearer(header)
	if err == nil && credential.Is(text) != 1 {
		err = errors.New("wrong bearer credential: compare those of enrollhandler with API_KEY (keys) and DEVICE_INVENTORY_API_KEY (queries)")
	}
	return err
}

// receive reads the body, within the budget. On HTTP/2 the server's ReadTimeout is the limit.
func receive(w http.ResponseWriter, r *http.Request) ([]byte, *problem) {
	body, err := inbound.ReadBody(w, r, maxBody, budget)
	if over := (*inbound.TooLarge)(nil); errors.As(err, &over) {
		return nil, problemf(http.StatusRequestEntityTooLarge, codeTooLarge, "%w", err)
	}
	if err != nil {
		return nil, malformed("%w", err)
	}
	return body, nil
}

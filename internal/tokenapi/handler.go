package tokenapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/inbound"
	"step-posture-connector/internal/panics"
)

const (
	tokensPath = "/v1/tokens"
	tokenPath  = tokensPath + "/" // and the ID of a token
)

// Handles reports whether a path, in its escaped form, belongs to this API: also where slashes are doubled, letters escaped or in
// the other case, which gets 404. The rest of such a path is the ID of a token as well, and nobody else may log it.
func Handles(path string) bool {
	if plain, err := url.PathUnescape(path); err == nil {
		path = plain
	}
	parts := strings.FieldsFunc(strings.ToLower(path), func(c rune) bool { return c == '/' })
	return len(parts) >= 2 && "/"+parts[0]+"/"+parts[1] == tokensPath
}

// Handler answers the requests of the API. The server around it has a ReadTimeout, which bounds bodies on HTTP/2.
type Handler struct {
	Tokens *enroll.Tokens
	Now    func() time.Time
	// Trust gets the context of every request that was authenticated. It may be nil.
	Trust func(context.Context)
	// Record gets every request after it was answered. It must not wait for anything.
	Record func(*Event)

	mu      sync.Mutex // of Use
	current atomic.Pointer[inEffect]
}

// inEffect is an Access with the rate limits of its clients, by name.
type inEffect struct {
	*Access
	limits map[string]*rate.Limiter
}

// Use makes access the one that applies from the next request on. Requests under way finish with the one that they began
// with. A client that stays has used up as much of its rate limit as before. Before the first call every request is refused.
func (h *Handler) Use(access *Access) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before, next := h.current.Load(), &inEffect{access, make(map[string]*rate.Limiter, len(access.clients))}
	for _, c := range access.clients {
		var limit *rate.Limiter
		if before != nil {
			limit = before.limits[c.name]
		}
		if limit == nil {
			limit = rate.NewLimiter(perSecond, perSecond)
		}
		next.limits[c.name] = limit
	}
	h.current.Store(next)
}

// ServeHTTP answers a request and records it as one event.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.serve(w, r, h.call) }

// Closed answers as if there were nothing at any path: where the API has no clients, and beside it on a listener of its own.
func (h *Handler) Closed(w http.ResponseWriter, r *http.Request) {
	h.serve(w, r, func(http.ResponseWriter, *http.Request, string, *Event) (answer, *problem) {
		return answer{}, nothing()
	})
}

// steps answer a request at a path.
type steps func(w http.ResponseWriter, r *http.Request, path string, event *Event) (answer, *problem)

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, call steps) {
	path := r.URL.EscapedPath()
	event := &Event{
		Time: h.Now(), Reference: audit.NewReference(), Method: audit.Clean(r.Method, maxShown), Path: withoutID(path), RemoteAddress: r.RemoteAddr,
	}
	ctx, cancel := context.WithTimeout(r.Context(), budget)
	defer cancel()
	a := answerBy(call, w, r.WithContext(ctx), path, event)
	event.Status = a.status
	respond(w, r, a)
	h.Record(event)
}

// withoutID is a path for the log. The ID of a token is left out, and so is whatever else a client may write there, which may
// be the token itself.
func withoutID(path string) string {
	if path != tokensPath && Handles(path) {
		return tokenPath + "…"
	}
	return audit.Clean(path, maxShown)
}

// answerBy turns every problem and every panic into an error of the API.
func answerBy(call steps, w http.ResponseWriter, r *http.Request, path string, event *Event) (a answer) {
	defer func() {
		if cause := recover(); cause != nil {
			cause, event.Stack = panics.Origin(cause)
			a = refuse(event, internal(fmt.Errorf("panic: %s", panics.Describe(cause))))
			a.hangUp = event.Client == ""
		}
	}()
	a, p := call(w, r, path, event)
	if p != nil {
		a = refuse(event, p)
	}
	a.hangUp = event.Client == "" // unauthenticated clients do not keep a connection
	return a
}

// exchange is an authenticated request.
type exchange struct {
	*inEffect
	client *knownClient
	event  *Event
	query  string
	body   []byte
	id     string // of the path
}

// call runs the steps of a request in order; the first that refuses ends it. Nothing of the body is read before it is known
// who calls.
func (h *Handler) call(w http.ResponseWriter, r *http.Request, path string, event *Event) (answer, *problem) {
	if err := inbound.CheckHeader(r.Header, inbound.MaxHeader); err != nil {
		return answer{}, tooLarge(http.StatusRequestHeaderFieldsTooLarge, "%w", err)
	}
	serve, p := h.route(r.Method, path, event)
	if p != nil {
		return answer{}, p
	}
	current := h.current.Load()
	if current == nil {
		current = &inEffect{Access: NewAccess(nil, nil)}
	}
	client, err := current.authenticate(r.Header)
	if err != nil {
		return answer{}, unauthenticated(err)
	}
	event.Client = client.name
	if h.Trust != nil {
		h.Trust(r.Context())
	}
	if !current.limits[client.name].AllowN(event.Time, 1) {
		return answer{}, tooManyRequests()
	}
	x := &exchange{inEffect: current, client: client, event: event, query: r.URL.RawQuery, id: strings.TrimPrefix(path, tokenPath)}
	if x.body, p = receive(w, r); p != nil {
		return answer{}, p
	}
	return serve(r.Context(), x)
}

// route returns what answers a method at a path.
func (h *Handler) route(method, path string, event *Event) (func(context.Context, *exchange) (answer, *problem), *problem) {
	id, isToken := strings.CutPrefix(path, tokenPath)
	switch {
	case isToken && (id == "" || strings.Contains(id, "/")), !isToken && path != tokensPath:
		return nil, noSuchPath()
	case isToken && method == http.MethodDelete:
		event.Operation = "revoke"
		return h.revoke, nil
	case isToken:
		return nil, methodNotAllowed(http.MethodDelete)
	case method == http.MethodPost:
		event.Operation = "issue"
		return h.issue, nil
	case method == http.MethodGet:
		event.Operation = "list"
		return h.list, nil
	default:
		return nil, methodNotAllowed(http.MethodGet + ", " + http.MethodPost)
	}
}

// receive reads the body, within the budget. On HTTP/2 the server's ReadTimeout is the limit.
func receive(w http.ResponseWriter, r *http.Request) ([]byte, *problem) {
	body, err := inbound.ReadBody(w, r, maxBody, budget)
	if over := (*inbound.TooLarge)(nil); errors.As(err, &over) {
		return nil, tooLarge(http.StatusRequestEntityTooLarge, "%w", err)
	}
	if err != nil {
		p := malformed("the body did not come whole within %s", budget)
		p.cause = err
		return nil, p
	}
	return body, nil
}

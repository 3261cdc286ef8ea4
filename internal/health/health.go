// Package health serves health checks and metrics over plain HTTP.
package health

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
)

// Status is the state of the daemon, or of one part of it.
type Status string

// The statuses, from good to bad.
const (
	OK          Status = "ok"
	Degraded    Status = "degraded"    // something is stale, but decisions are still right
	Unavailable Status = "unavailable" // it cannot serve
)

// Check is one part of the daemon that can be healthy or not.
type Check struct {
	Name string
	// Probe returns its state, and what is wrong when it is not OK. Any client may call it, and often.
	Probe func() (Status, string)
}

// Report is the answer of /readyz.
type Report struct {
	Status Status            `json:"status"`
	Checks map[string]Result `json:"checks"`
}

// Result is the outcome of one check.
type Result struct {
	Status  Status `json:"status"`
	Message string `json:"message,omitempty"`
}

// Handler answers /healthz, /readyz and /metrics.
type Handler struct {
	checks   []Check
	metrics  http.Handler
	stopping atomic.Bool
}

// New makes a Handler.
func New(checks []Check, metrics http.Handler) *Handler {
	return &Handler{checks: checks, metrics: metrics}
}

// ShutDown makes /readyz report from now on that the daemon cannot serve.
func (h *Handler) ShutDown() { h.stopping.Store(true) }

// Report runs every check. The worst result decides.
func (h *Handler) Report() Report {
	r := Report{Status: OK, Checks: map[string]Result{}}
	for _, c := range h.checks {
		r.add(c.Name, c.result())
	}
	if h.stopping.Load() {
		r.add("shutdown", Result{Unavailable, "the daemon is shutting down"})
	}
	return r
}

func (r *Report) add(name string, result Result) {
	r.Checks[name] = result
	switch {
	case result.Status == OK:
	case result.Status == Degraded && r.Status == OK:
		r.Status = Degraded
	case result.Status != Degraded:
		// Fail closed: an unknown status counts as the worst.
		r.Status = Unavailable
	}
}

func (c Check) result() (result Result) {
	defer func() {
		if cause := recover(); cause != nil {
			result = Result{Unavailable, fmt.Sprintf("the check has a fault: value of type %T", cause)}
		}
	}()
	status, message := c.Probe()
	return Result{status, message}
}

// ServeHTTP implements http.Handler. Paths are matched exactly, and nothing is redirected.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	path := r.URL.EscapedPath()
	known := path == "/healthz" || path == "/readyz" || path == "/metrics"
	switch {
	case !known:
		respond(w, http.StatusNotFound, problem{"not found; the paths are /healthz, /readyz and /metrics"})
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		respond(w, http.StatusMethodNotAllowed, problem{"the method is not allowed here"})
	case path == "/metrics":
		h.metrics.ServeHTTP(w, r)
	case path == "/healthz":
		respond(w, http.StatusOK, Result{Status: OK})
	default:
		report := h.Report()
		status := http.StatusOK
		if report.Status == Unavailable {
			status = http.StatusServiceUnavailable
		}
		respond(w, status, report)
	}
}

type problem struct {
	Error string `json:"error"`
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(body) // an error means that the client is gone
}

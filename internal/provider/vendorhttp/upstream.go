package vendorhttp

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	prefix     = "step_posture_"
	noAnswer   = "none"
	unknown    = "other"
	requestID  = "X-Request-Id"
	success    = "success"
	failure    = "failure"
	namespaced = prefix + "upstream_"

	longestID = 64 // characters
)

type requestIDKey struct{}

// withRequestID returns a context. Every request with that context sends the ID as X-Request-Id, so an administrator can
// follow one order from step-ca's log to ours to the vendor's. The ID does not change the answer.
func withRequestID(ctx context.Context, id string) context.Context {
	// Only what was cleaned, as internal/audit does, is put into a header.
	if id == "" || len(id) > longestID || strings.ContainsFunc(id, isForeign) {
		return ctx
	}
	return context.WithValue(ctx, requestIDKey{}, id)
}

func isForeign(c rune) bool {
	letter := 'a' <= c|0x20 && c|0x20 <= 'z'
	return !letter && (c < '0' || c > '9') && c != '.' && c != '_' && c != ':' && c != '-'
}

// Upstream counts the requests to the vendor's server. It is a prometheus.Collector; the daemon shows what a provider
// that is one collects.
type Upstream struct {
	requests *prometheus.CounterVec
	duration prometheus.Histogram
	renewals *prometheus.CounterVec
	trace    func(format string, arguments ...any) // may be nil
}

func newUpstream() *Upstream {
	u := &Upstream{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: namespaced + "requests_total", Help: "Requests to the provider's server, by the status of the answer; none when there was no answer.",
		}, []string{"status"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: namespaced + "duration_seconds", Help: "Time until the provider's server answered, or it was given up.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 9},
		}),
		renewals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "token_renewals_total", Help: "Times that a token was asked for.",
		}, []string{"result"}),
	}
	// Present from the start, so that the first time is seen as an increase.
	for _, status := range []string{"200", "401", "403", "429", "500", "503", noAnswer} {
		u.requests.WithLabelValues(status)
	}
	u.renewals.WithLabelValues(success)
	u.renewals.WithLabelValues(failure)
	return u
}

// Describe implements prometheus.Collector.
func (u *Upstream) Describe(out chan<- *prometheus.Desc) {
	u.requests.Describe(out)
	u.duration.Describe(out)
	u.renewals.Describe(out)
}

// Collect implements prometheus.Collector.
func (u *Upstream) Collect(out chan<- prometheus.Metric) {
	u.requests.Collect(out)
	u.duration.Collect(out)
	u.renewals.Collect(out)
}

// tokenRenewed counts a request for a token.
func (u *Upstream) tokenRenewed(err error) {
	result := success
	if err != nil {
		result = failure
	}
	u.renewals.WithLabelValues(result).Inc()
}

// Trace has every request reported to log when it was answered or given up: method, host and path, status and
// time. It omits the query, headers and body, which hold what is secret, and errors, which may quote them. Call it
// before the first request.
func (u *Upstream) Trace(log func(format string, arguments ...any)) { u.trace = log }

// transport counts the requests that next carries out, and adds their request ID.
func (u *Upstream) transport(next http.RoundTripper) http.RoundTripper { return &transport{u, next} }

type transport struct {
	*Upstream
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if id, ok := request.Context().Value(requestIDKey{}).(string); ok {
		request = request.Clone(request.Context()) // the caller's must stay as it is
		request.Header.Set(requestID, id)
	}
	begin := time.Now()
	response, err := t.next.RoundTrip(request)
	took := time.Since(begin)
	t.duration.Observe(took.Seconds())
	t.requests.WithLabelValues(status(response)).Inc()
	if t.trace != nil {
		t.trace("upstream: %s %s://%s%s: status %s in %s", request.Method, request.URL.Scheme, request.URL.Host, request.URL.EscapedPath(), status(response), took.Round(time.Microsecond))
	}
	return response, err
}

// status is bounded: a server must not be able to create series.
func status(response *http.Response) string {
	switch {
	case response == nil:
		return noAnswer
	case http.StatusText(response.StatusCode) == "":
		return unknown
	}
	return strconv.Itoa(response.StatusCode)
}

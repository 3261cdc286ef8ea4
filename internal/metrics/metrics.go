// Package metrics counts what the daemon does, for Prometheus.
//
// No label value is copied from a request: an unauthenticated client must not be able to create series.
package metrics

import (
	"crypto/x509"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"step-posture-connector/internal/audit"
)

// Prefix begins the name of every metric but go_… and process_…, which have their usual names.
const Prefix = "step_posture_"

// Build has the version of the program.
type Build struct{ Version, Commit string }

// The values of labels.
const (
	allow    = "allow"
	deny     = "deny"
	noCode   = "none"
	other    = "other"
	answered = "answered"
	failed   = "failed"
	success  = "success"
	failure  = "failure"
)

// Metrics holds all metrics of a daemon.
type Metrics struct {
	registry *prometheus.Registry

	allowed   prometheus.Counter
	denied    map[string]prometheus.Counter // by code
	duration  map[string]prometheus.Observer
	answered  prometheus.Observer
	failed    prometheus.Observer
	reloads   *prometheus.CounterVec
	reloaded  *prometheus.GaugeVec
	written   prometheus.Counter
	unwritten prometheus.Counter

	tokens *prometheus.CounterVec // nil without a state database

	consoleRequests, logIns *prometheus.CounterVec // nil without a console

	repeated map[string]prometheus.Counter // by door; nil without a listener of doors

	policies *policies // nil without a policy file
}

// New makes the metrics of a daemon with the named provider. Codes are those that an answer can have, and reloads the
// names of what can be reloaded. Every series exists from the start, so that Prometheus sees the first event as an
// increase.
func New(build Build, provider string, codes, reloads []string) *Metrics {
	m := of(build)
	m.requests(provider, codes)
	m.loads(reloads)
	return m
}

// of makes metrics that say what runs.
func of(build Build) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), denied: map[string]prometheus.Counter{}}
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: Prefix + "build_info", Help: "1; the labels have the versions of the program.",
		ConstLabels: prometheus.Labels{"version": build.Version, "commit": build.Commit, "goversion": runtime.Version()},
	}, func() float64 { return 1 }))
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *Metrics) requests(provider string, codes []string) {
	decisions := m.counters("decisions_total", "Requests, by answer. The code says why it was deny; it is none for allow.", "provider", "outcome", "code")
	m.allowed = decisions.WithLabelValues(provider, allow, noCode)
	for _, code := range append(codes, other) {
		m.denied[code] = decisions.WithLabelValues(provider, deny, code)
	}
	m.durations()
	lookup := m.lookups()
	m.answered, m.failed = lookup.WithLabelValues(provider, answered), lookup.WithLabelValues(provider, failed)
}

func (m *Metrics) durations() {
	duration := m.histogram("request_duration_seconds", "Time from the header of a request to the end of its answer.", "outcome")
	m.duration = map[string]prometheus.Observer{allow: duration.WithLabelValues(allow), deny: duration.WithLabelValues(deny)}
}

func (m *Metrics) lookups() *prometheus.HistogramVec {
	return m.histogram("provider_duration_seconds", "Time of a lookup. Result is failed when it was not answered.", "provider", "result")
}

func (m *Metrics) loads(names []string) {
	m.reloads = m.counters("reloads_total", "Reloads of files while the daemon ran, by result.", "source", "result")
	m.reloaded = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: Prefix + "last_reload_success_timestamp_seconds", Help: "Time of the last successful load.",
	}, []string{"source"})
	m.registry.MustRegister(m.reloaded)
	for _, name := range names {
		m.Expect(name)
	}
	m.written = m.counter("audit_lines_total", "Lines written to the audit log.")
	m.unwritten = m.counter("audit_failures_total", "Lines that could not be written to the audit log.")
}

func (m *Metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: Prefix + name, Help: help})
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: Prefix + name, Help: help}, labels)
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) histogram(name, help string, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: Prefix + name, Help: help,
		// From a lookup in memory to the 9 s within which every request is answered.
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 9},
	}, labels)
	m.registry.MustRegister(h)
	return h
}

// Observe counts a request.
func (m *Metrics) Observe(e *audit.Event) {
	if c := m.repeated[e.Door]; c != nil && e.Repeats {
		c.Inc()
	}
	if m.policies != nil {
		m.policies.observe(e)
		if e.Notification == nil {
			m.observeDuration(e)
		}
		return
	}
	if e.Allowed {
		m.allowed.Inc()
	} else {
		counter, known := m.denied[e.Code]
		if !known {
			counter = m.denied[other]
		}
		counter.Inc()
	}
	m.observeDuration(e)
	switch {
	case e.ProviderAnswered:
		m.answered.Observe(e.ProviderTime.Seconds())
	case e.ProviderErr != nil:
		m.failed.Observe(e.ProviderTime.Seconds())
	}
}

func (m *Metrics) observeDuration(e *audit.Event) {
	outcome := deny
	if e.Allowed {
		outcome = allow
	}
	m.duration[outcome].Observe(e.Duration.Seconds())
}

// Reloaded counts a reload, or with an error one that failed.
func (m *Metrics) Reloaded(name string, err error) {
	if err != nil {
		m.reloads.WithLabelValues(name, failure).Inc()
		return
	}
	m.reloads.WithLabelValues(name, success).Inc()
	m.reloaded.WithLabelValues(name).SetToCurrentTime()
}

// AuditWritten counts a line of the audit log, or with an error a missing one.
func (m *Metrics) AuditWritten(err error) {
	if err != nil {
		m.unwritten.Inc()
		return
	}
	m.written.Inc()
}

// Expect makes the series about reloads of something that was loaded just now.
func (m *Metrics) Expect(name string) {
	m.reloads.WithLabelValues(name, success)
	m.reloads.WithLabelValues(name, failure)
	m.reloaded.WithLabelValues(name).SetToCurrentTime()
}

// Forget drops the series about reloads of something that is no longer there.
func (m *Metrics) Forget(name string) {
	m.reloads.DeletePartialMatch(prometheus.Labels{"source": name})
	m.reloaded.DeletePartialMatch(prometheus.Labels{"source": name})
}

// Register adds the metrics of a provider. With a policy file there may be several of a kind: they have the inventory's
// name as a label. The function takes them away again.
func (m *Metrics) Register(inventory string, c prometheus.Collector) (unregister func()) {
	registry := prometheus.Registerer(m.registry)
	if inventory != "" {
		registry = prometheus.WrapRegistererWith(prometheus.Labels{"inventory": inventory}, registry)
	}
	registry.MustRegister(c)
	return func() { registry.Unregister(c) }
}

// Certificate exports when the server certificate in effect expires.
func (m *Metrics) Certificate(leaf func() *x509.Certificate) {
	m.gauge("certificate_expiry_timestamp_seconds", "When the server certificate expires.", nil, func() float64 {
		return float64(leaf().NotAfter.Unix())
	})
}

// Revocations exports when the first of the revocation lists has to be replaced, how many entries they have, and how many
// requests of revoked clients were refused on open connections.
func (m *Metrics) Revocations(nextUpdate func() time.Time, entries func() int, refused func() uint64) {
	m.gauge("crl_next_update_timestamp_seconds", "When the first of the revocation lists has to be replaced.", nil, func() float64 {
		return unixOrNever(nextUpdate())
	})
	m.gauge("crl_entries", "Entries of the revocation lists in effect.", nil, func() float64 { return float64(entries()) })
	m.counted("revoked_requests_total", "Requests on open connections that were refused because the client had been revoked.", nil, refused)
}

// Connections exports how many connections of the webhook listener are open, how many were closed to make room for
// others, and how many were refused because there was no room.
func (m *Metrics) Connections(open func() int, evicted, refused func() uint64) {
	m.gauge("connections", "Open connections of the webhook listener.", nil, func() float64 { return float64(open()) })
	m.counted("connections_evicted_total", "Connections that were closed to make room for others.", nil, evicted)
	m.counted("connections_refused_total", "Connections that were refused because none could make room.", nil, refused)
}

// Handshakes exports how many TLS handshakes failed, by cause.
func (m *Metrics) Handshakes(causes []string, failed func(cause string) uint64) {
	for _, cause := range causes {
		m.counted("tls_handshake_failures_total", "TLS handshakes of the webhook listener that failed.", prometheus.Labels{"cause": cause},
			func() uint64 { return failed(cause) })
	}
}

// counted registers a counter whose value is kept elsewhere.
func (m *Metrics) counted(name, help string, labels prometheus.Labels, value func() uint64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: Prefix + name, Help: help, ConstLabels: labels},
		func() float64 { return float64(value()) }))
}

// Log exports how many lines of the log were dropped, and the most bytes of them that were waiting at once.
func (m *Metrics) Log(dropped func() uint64, highest func() int) {
	m.gauge("log_queue_highest_bytes", "The most bytes of log lines that have waited at once.", nil, func() float64 { return float64(highest()) })
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: Prefix + "log_lines_dropped_total", Help: "Lines of the log that were dropped because they could not be written.",
	}, func() float64 { return float64(dropped()) }))
}

// Check exports a check of /readyz: 1 when it is ok.
func (m *Metrics) Check(name string, ok func() bool) {
	m.gauge("check_ok", "1 when the check of /readyz is ok, 0 when it is degraded or unavailable.", prometheus.Labels{"check": name}, func() float64 {
		if ok() {
			return 1
		}
		return 0
	})
}

func (m *Metrics) gauge(name, help string, labels prometheus.Labels, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: Prefix + name, Help: help, ConstLabels: labels}, value))
}

// Handler answers with all metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(withFormerNames(m.registry), promhttp.HandlerOpts{Timeout: scrapeTimeout, MaxRequestsInFlight: maxScrapes})
}

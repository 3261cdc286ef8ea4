package metrics_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/metrics"
)

func newMetrics() *metrics.Metrics {
	m := metrics.New(metrics.Build{Version: "v1", Commit: "abc"}, "file", []string{"deviceNotFound", "unavailable"}, []string{"tls", "audit"})
	m.Certificate(func() *x509.Certificate { return &x509.Certificate{NotAfter: time.Unix(1_800_000_000, 0)} })
	m.Connections(func() int { return 7 }, func() uint64 { return 3 }, func() uint64 { return 4 })
	m.Handshakes([]string{"a", "b"}, func(cause string) uint64 { return uint64(len(cause)) })
	m.Check("provider", func() bool { return false })
	return m
}

// scrape reads what Prometheus would.
func scrape(t *testing.T, m *metrics.Metrics) (text string, families map[string]*dto.MetricFamily) {
	t.Helper()
	recorder := httptest.NewRecorder()
	m.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	body, err := io.ReadAll(recorder.Body)
	if err != nil || recorder.Code != http.StatusOK {
		t.Fatalf("/metrics answered %d: %s", recorder.Code, body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err = parser.TextToMetricFamilies(strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	return string(body), families
}

func wantSeries(t *testing.T, m *metrics.Metrics, series ...string) {
	t.Helper()
	text, _ := scrape(t, m)
	for _, line := range series {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("/metrics has no line %s", line)
		}
	}
}

// Every series exists from the start, so that the first event is an increase from 0.
func TestFromTheStart(t *testing.T) {
	t.Parallel()
	wantSeries(t, newMetrics(),
		`step_posture_decisions_total{code="none",outcome="allow",provider="file"} 0`,
		`step_posture_decisions_total{code="deviceNotFound",outcome="deny",provider="file"} 0`,
		`step_posture_decisions_total{code="other",outcome="deny",provider="file"} 0`,
		`step_posture_request_duration_seconds_count{outcome="allow"} 0`,
		`step_posture_request_duration_seconds_count{outcome="deny"} 0`,
		`step_posture_provider_duration_seconds_count{provider="file",result="answered"} 0`,
		`step_posture_provider_duration_seconds_count{provider="file",result="failed"} 0`,
		`step_posture_reloads_total{result="success",source="tls"} 0`,
		`step_posture_reloads_total{result="failure",source="audit"} 0`,
		`step_posture_audit_lines_total 0`,
		`step_posture_audit_failures_total 0`,
		`step_posture_certificate_expiry_timestamp_seconds 1.8e+09`,
		`step_posture_connections 7`,
		`step_posture_connections_evicted_total 3`,
		`step_posture_connections_refused_total 4`,
		`step_posture_tls_handshake_failures_total{cause="a"} 1`,
		`step_posture_check_ok{check="provider"} 0`,
	)
}

func TestNames(t *testing.T) {
	t.Parallel()
	_, families := scrape(t, newMetrics())
	var ours []*dto.MetricFamily
	for name, family := range families {
		usual := strings.TrimPrefix(name, metrics.Prefix)
		if strings.HasPrefix(usual, "go_") || strings.HasPrefix(usual, "process_") {
			continue // of the library
		}
		if usual == name {
			t.Errorf("the metric %s does not begin with %s", name, metrics.Prefix)
		}
		ours = append(ours, family)
	}
	problems, err := promlint.NewWithMetricFamilies(ours).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("promlint: %s: %s", p.Metric, p.Text)
	}
}

// The metrics of the process have their usual names, and for now their former ones too.
func TestFormerNames(t *testing.T) {
	t.Parallel()
	text, families := scrape(t, newMetrics())
	for _, name := range []string{"go_goroutines", "go_memstats_next_gc_bytes", "go_gc_duration_seconds", "process_open_fds", "process_start_time_seconds"} {
		usual, former := families[name], families[metrics.Prefix+name]
		if usual == nil || former == nil {
			t.Errorf("%s is exported: %v, under its former name: %v", name, usual != nil, former != nil)
			continue
		}
		if former.GetHelp() != "Deprecated: use "+name+"." || former.GetType() != usual.GetType() || fmt.Sprint(former.GetMetric()) != fmt.Sprint(usual.GetMetric()) {
			t.Errorf("%s is %v, under its former name %v", name, usual, former)
		}
	}
	var exported []string
	for _, match := range regexp.MustCompile(`(?m)^# TYPE (\S+) `).FindAllStringSubmatch(text, -1) {
		exported = append(exported, match[1])
	}
	if !slices.IsSorted(exported) {
		t.Errorf("the metrics are not sorted by name: %q", exported)
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	m := newMetrics()
	fault := errors.New("no answer")
	for _, e := range []*audit.Event{
		{Allowed: true, Duration: 2 * time.Millisecond, ProviderTime: time.Millisecond, ProviderAnswered: true},
		{Allowed: true, Duration: 2 * time.Millisecond, ProviderTime: time.Millisecond, ProviderAnswered: true},
		{Code: "deviceNotFound", Duration: time.Second, ProviderTime: time.Millisecond, ProviderAnswered: true},
		{Code: "unavailable", Duration: 9 * time.Second, ProviderTime: 8 * time.Second, ProviderErr: fault},
		{Code: "unavailable", Duration: time.Second, ProviderTime: time.Second}, // the caller left
		{Code: "unauthenticated"}, // not in the list of codes
	} {
		m.Observe(e)
	}
	m.Reloaded("tls", nil)
	m.Reloaded("tls", fault)
	m.Reloaded("tls", fault)
	m.AuditWritten(nil)
	m.AuditWritten(fault)
	wantSeries(t, m,
		`step_posture_decisions_total{code="none",outcome="allow",provider="file"} 2`,
		`step_posture_decisions_total{code="deviceNotFound",outcome="deny",provider="file"} 1`,
		`step_posture_decisions_total{code="unavailable",outcome="deny",provider="file"} 2`,
		`step_posture_decisions_total{code="other",outcome="deny",provider="file"} 1`,
		`step_posture_request_duration_seconds_count{outcome="allow"} 2`,
		`step_posture_request_duration_seconds_sum{outcome="allow"} 0.004`,
		`step_posture_request_duration_seconds_count{outcome="deny"} 4`,
		`step_posture_provider_duration_seconds_count{provider="file",result="answered"} 3`,
		`step_posture_provider_duration_seconds_count{provider="file",result="failed"} 1`,
		`step_posture_provider_duration_seconds_sum{provider="file",result="failed"} 8`,
		`step_posture_reloads_total{result="success",source="tls"} 1`,
		`step_posture_reloads_total{result="failure",source="tls"} 2`,
		`step_posture_audit_lines_total 1`,
		`step_posture_audit_failures_total 1`,
	)
}

// No text that an unauthenticated client sends creates a series.
func TestClientsCreateNoSeries(t *testing.T) {
	t.Parallel()
	m := newMetrics()
	count := func() int {
		_, families := scrape(t, m)
		n := 0
		for _, family := range families {
			n += len(family.GetMetric())
		}
		return n
	}
	before := count()
	for _, hostile := range []string{"x", "y\"} 1\n", strings.Repeat("z", 1000), "\xff"} {
		m.Observe(&audit.Event{
			Code: hostile, Identifier: hostile, Mode: hostile, WebhookID: hostile, Provisioner: hostile, RequestID: hostile,
			Method: hostile, Path: hostile, RemoteAddress: hostile, Reason: hostile, Provider: hostile, Status: len(hostile),
		})
	}
	if after := count(); after != before {
		t.Errorf("%d series, before %d", after, before)
	}
	wantSeries(t, m, `step_posture_decisions_total{code="other",outcome="deny",provider="file"} 4`)
}

func TestRegister(t *testing.T) {
	t.Parallel()
	m := newMetrics()
	m.Register("", prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "step_posture_of_a_provider", Help: "x."}, func() float64 { return 5 }))
	wantSeries(t, m, `step_posture_of_a_provider 5`)
}

// Every request is counted, so counting must cost next to nothing.
func TestObserveAllocatesNothing(t *testing.T) {
	m := newMetrics()
	for name, e := range map[string]*audit.Event{
		"allow": {Allowed: true, ProviderAnswered: true, Duration: time.Millisecond, ProviderTime: time.Microsecond},
		"deny":  {Code: "deviceNotFound", ProviderAnswered: true, Duration: time.Millisecond, ProviderTime: time.Microsecond},
	} {
		if n := testing.AllocsPerRun(100, func() { m.Observe(e) }); n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}

func BenchmarkObserve(b *testing.B) {
	m := newMetrics()
	e := &audit.Event{Allowed: true, ProviderAnswered: true, Duration: time.Millisecond, ProviderTime: time.Microsecond}
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(e)
	}
}

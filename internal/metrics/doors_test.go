package metrics_test

import (
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/metrics"
)

// listener counts nothing but these.
type listener struct{}

func (listener) Connections() int                     { return 3 }
func (listener) Refused() uint64                      { return 2 }
func (listener) FailedHandshakes(cause string) uint64 { return uint64(len(cause)) }

// TestDoors: a repeated answer is a request as any other, and counted by its door; a caller that is in no entry has no series.
func TestDoors(t *testing.T) {
	t.Parallel()
	m := metrics.NewWithPolicies(metrics.Build{}, []string{"unauthenticated"}, nil)
	m.UsePolicies(metrics.Policies{Callers: []metrics.Caller{{Name: "proxy.example.com", Policy: "web"}}})
	m.Observe(&audit.Event{Policy: "web", Caller: "proxy.example.com", Door: "forward_auth", Allowed: true, Repeats: true}) // before there is a listener
	m.Doors(listener{}, []string{"other"})
	m.DeviceRevocations(func() time.Time { return time.Time{} })
	for _, e := range []audit.Event{
		{Policy: "web", Caller: "proxy.example.com", Door: "forward_auth", Allowed: true},
		{Policy: "web", Caller: "proxy.example.com", Door: "forward_auth", Allowed: true, Repeats: true},
		{Policy: "web", Caller: "gone.example.com", Door: "forward_auth", Allowed: true},
		{Door: "radius", Code: "unauthenticated"},
		{Code: "unauthenticated", Repeats: true}, // at no door
	} {
		m.Observe(&e)
	}
	wantSeries(t, m,
		`step_posture_repeated_answers_total{door="forward_auth"} 1`, `step_posture_repeated_answers_total{door="radius"} 0`,
		`step_posture_decisions_total{caller="proxy.example.com",code="none",outcome="allow",policy="web",provider="none"} 3`,
		`step_posture_decisions_total{caller="none",code="none",outcome="allow",policy="none",provider="none"} 1`,
		`step_posture_decisions_total{caller="none",code="unauthenticated",outcome="deny",policy="none",provider="none"} 2`,
		`step_posture_door_connections 3`, `step_posture_door_connections_refused_total 2`, `step_posture_door_handshake_failures_total{cause="other"} 5`,
		`step_posture_door_crl_next_update_timestamp_seconds +Inf`,
	)
	if text, _ := scrape(t, m); strings.Contains(text, "gone.example.com") {
		t.Error("a caller that is in no entry has a series")
	}
}

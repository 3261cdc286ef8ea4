package metrics

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"step-posture-connector/internal/posture"
)

// DoorListener is what the listener of the doors counts.
type DoorListener interface {
	Connections() int
	Refused() uint64
	FailedHandshakes(cause string) uint64
}

// Doors exports, where there is such a listener, how many answers were remembered ones, and the connections and TLS handshakes of the doors' listener.
func (m *Metrics) Doors(listener DoorListener, causes []string) {
	m.repeated = map[string]prometheus.Counter{}
	repeated := m.counters("repeated_answers_total", "Answers at doors that were remembered ones, and no decisions of their own.", "door")
	for _, door := range []string{posture.RADIUSDoor, posture.ForwardAuthDoor} {
		m.repeated[door] = repeated.WithLabelValues(door)
	}
	m.gauge("door_connections", "Open connections of the doors' listener.", nil, func() float64 { return float64(listener.Connections()) })
	m.counted("door_connections_refused_total", "Connections of the doors' listener that were refused because none could make room.", nil, listener.Refused)
	for _, cause := range causes {
		m.counted("door_handshake_failures_total", "TLS handshakes of the doors' listener that failed.", prometheus.Labels{"cause": cause},
			func() uint64 { return listener.FailedHandshakes(cause) })
	}
}

// DeviceRevocations exports when the first of the revocation lists of devices' certificates has to be replaced.
func (m *Metrics) DeviceRevocations(nextUpdate func() time.Time) {
	m.gauge("door_crl_next_update_timestamp_seconds", "When the first of the revocation lists of devices' certificates has to be replaced.", nil, func() float64 {
		return unixOrNever(nextUpdate())
	})
}

// unixOrNever is a time, or infinity for the zero time: no list says when.
func unixOrNever(at time.Time) float64 {
	if at.IsZero() {
		return math.Inf(1)
	}
	return float64(at.Unix())
}

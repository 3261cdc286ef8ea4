package snapshot

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"step-posture-connector/internal/posture"
)

// The results of a fetch.
const (
	resultAdopted      = "adopted"
	resultFailed       = "failed"
	resultShrunk       = "shrunk"
	resultContradicted = "contradicted"
)

// The alarms.
const (
	// alarmShrunk: a list has suddenly less than half of its devices.
	alarmShrunk = "shrunk"
	// alarmContradicted: a list has a device that a lookup does not find.
	alarmContradicted = "contradicted"
	// alarmExpired: the copy has become too old.
	alarmExpired = "expired"
	// alarmSlow: a fetch takes too long for every and max_age.
	alarmSlow = "slow"
	// alarmOverflow: more devices have changed than can be hidden.
	alarmOverflow = "overflow"
	// alarmUnwritten: the file cannot be written.
	alarmUnwritten = "unwritten"
	// alarmUnusable: there is a file, and it cannot be used.
	alarmUnusable = "unusable"
)

func results() []string {
	return []string{resultAdopted, resultFailed, resultShrunk, resultContradicted}
}

func alarms() []string {
	return []string{alarmShrunk, alarmContradicted, alarmExpired, alarmSlow, alarmOverflow, alarmUnwritten, alarmUnusable}
}

// allDevices is the label of the only list of an inventory.
const allDevices = "all"

func label(kind posture.DeviceType) string {
	if kind == "" {
		return allDevices
	}
	return string(kind)
}

// measures are the metrics that count. They outlive a keeper, as a counter must not fall.
type measures struct {
	fetches, alarmed, hidden *prometheus.CounterVec
	duration                 *prometheus.HistogramVec
	devices, age             *prometheus.Desc
}

const prefix = "step_posture_snapshot_"

func newMeasures(kinds []posture.DeviceType) *measures {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
	}
	m := &measures{
		fetches: counter("fetches_total", "Fetches of a list, by result; only adopted ones replace the copy.", "list", "result"),
		alarmed: counter("alarms_total", "What is wrong with a copy, by kind.", "list", "alarm"),
		hidden:  counter("hidden_total", "Devices that the copy does not answer about any more, because the inventory itself has contradicted it.", "list"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: prefix + "fetch_duration_seconds", Help: "Time of a fetch of a list.",
			Buckets: []float64{.01, .1, 1, 5, 15, 60, 300, 900, 3600}, // from a small inventory to the longest every that is usual
		}, []string{"list"}),
		devices: prometheus.NewDesc(prefix+"devices", "Devices in the copy of a list; 0 without a copy.", []string{"list"}, nil),
		age:     prometheus.NewDesc(prefix+"age_seconds", "Time since the fetch of the copy began; +Inf without a copy.", []string{"list"}, nil),
	}
	for _, kind := range kinds {
		for _, result := range results() {
			m.fetches.WithLabelValues(label(kind), result)
		}
		for _, alarm := range alarms() {
			m.alarmed.WithLabelValues(label(kind), alarm)
		}
		m.hidden.WithLabelValues(label(kind))
		m.duration.WithLabelValues(label(kind))
	}
	return m
}

func (m *measures) alarm(kind posture.DeviceType, alarm string) {
	m.alarmed.WithLabelValues(label(kind), alarm).Inc()
}

func (m *measures) fetched(kind posture.DeviceType, result string, took time.Duration) {
	m.fetches.WithLabelValues(label(kind), result).Inc()
	m.duration.WithLabelValues(label(kind)).Observe(took.Seconds())
}

// Describe implements prometheus.Collector.
func (k *Keeper) Describe(out chan<- *prometheus.Desc) {
	m := k.state.Load().measures
	m.fetches.Describe(out)
	m.alarmed.Describe(out)
	m.hidden.Describe(out)
	m.duration.Describe(out)
	out <- m.devices
	out <- m.age
}

// Collect implements prometheus.Collector.
func (k *Keeper) Collect(out chan<- prometheus.Metric) {
	s := k.state.Load()
	m := s.measures
	m.fetches.Collect(out)
	m.alarmed.Collect(out)
	m.hidden.Collect(out)
	m.duration.Collect(out)
	now := read(s.clock)
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, kind := range k.kinds {
		devices, age := 0.0, math.Inf(1)
		if c := s.lists[kind].copy; c != nil {
			devices, age = float64(c.table.Len()), now.since(c.begun).Seconds()
		}
		out <- prometheus.MustNewConstMetric(m.devices, prometheus.GaugeValue, devices, label(kind))
		out <- prometheus.MustNewConstMetric(m.age, prometheus.GaugeValue, age, label(kind))
	}
}

package metrics

import "github.com/prometheus/client_golang/prometheus"

// Journal is what became of the decisions that the journal got, at one time.
type Journal struct{ Written, Lost, Waiting uint64 }

// Journal exports what became of the decisions that the journal got. One scrape reads it once: written + lost + waiting is all.
func (m *Metrics) Journal(read func() Journal) {
	m.registry.MustRegister(&journalCollector{
		read:    read,
		lines:   prometheus.NewDesc(Prefix+"journal_lines_total", "Decisions that were to be written into the journal, by result.", []string{"result"}, nil),
		waiting: prometheus.NewDesc(Prefix+"journal_waiting", "Decisions that wait for the state database.", nil, nil),
	})
}

type journalCollector struct {
	read           func() Journal
	lines, waiting *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *journalCollector) Describe(to chan<- *prometheus.Desc) { to <- c.lines; to <- c.waiting }

// Collect implements prometheus.Collector.
func (c *journalCollector) Collect(to chan<- prometheus.Metric) {
	now := c.read()
	to <- prometheus.MustNewConstMetric(c.lines, prometheus.CounterValue, float64(now.Written), "written")
	to <- prometheus.MustNewConstMetric(c.lines, prometheus.CounterValue, float64(now.Lost), "lost")
	to <- prometheus.MustNewConstMetric(c.waiting, prometheus.GaugeValue, float64(now.Waiting))
}

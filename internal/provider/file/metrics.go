package file

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Describe implements prometheus.Collector.
func (p *Provider) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(p, out) }

// Collect implements prometheus.Collector.
func (p *Provider) Collect(out chan<- prometheus.Metric) {
	now := p.current.Load()
	devices := prometheus.NewDesc("step_posture_inventory_devices", "Devices in the inventory in effect.", nil, nil)
	age := prometheus.NewDesc("step_posture_inventory_age_seconds", "Time since the inventory file in effect was last modified.", nil, nil)
	out <- prometheus.MustNewConstMetric(devices, prometheus.GaugeValue, float64(now.devices.Len()))
	// A modification time in the future counts as now.
	out <- prometheus.MustNewConstMetric(age, prometheus.GaugeValue, max(0, time.Since(now.modified).Seconds()))
}

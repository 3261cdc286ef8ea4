package metrics

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// withFormerNames exports the metrics of the process, go_… and process_…, under their former names too, which began
// with step_posture_. The process is measured once for both names.
func withFormerNames(g prometheus.Gatherer) prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		families, err := g.Gather()
		for _, f := range families { // without those that the loop appends
			if name := f.GetName(); strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
				families = append(families, &dto.MetricFamily{
					Name: new(Prefix + name), Help: new("Deprecated: use " + name + "."), Type: f.Type, Metric: f.GetMetric(), Unit: f.Unit,
				})
			}
		}
		slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
		return families, err
	})
}

package file_test

import (
	"os"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"step-posture-connector/internal/provider/file"
)

// The metrics are about the inventory in effect, not about the newer file.
func TestMetrics(t *testing.T) {
	t.Parallel()
	c := written(t, "csv", "Identifier\nC02XK1JKLVCG\nC02XK1JKLVCH\n")
	modified := time.Now().Add(-time.Hour)
	if err := os.Chtimes(string(c.Path), modified, modified); err != nil {
		t.Fatal(err)
	}
	p, _, err := file.New(c)
	if err != nil {
		t.Fatal(err)
	}
	want := func(what string, devices, least, most float64) {
		t.Helper()
		if n := testutil.CollectAndCount(p); n != 2 {
			t.Fatalf("%s: %d metrics, want 2", what, n)
		}
		got := gather(t, p)
		if got["step_posture_inventory_devices"] != devices {
			t.Errorf("%s: %v devices, want %v", what, got["step_posture_inventory_devices"], devices)
		}
		if age := got["step_posture_inventory_age_seconds"]; age < least || age > most {
			t.Errorf("%s: the age is %v s, want %v to %v", what, age, least, most)
		}
	}
	want("loaded", 2, 3600, 5400)
	if err := os.WriteFile(string(c.Path), []byte("Identifier\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	future := time.Now().Add(time.Hour)
	if err := os.Chtimes(string(c.Path), future, future); err != nil {
		t.Fatal(err)
	}
	next, err := p.Reload()
	if err != nil {
		t.Fatal(err)
	}
	want("read, not applied", 2, 3600, 5400)
	next.Apply()
	want("applied", 0, 0, 0)
	if problems, err := testutil.CollectAndLint(p); err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
}

func gather(t *testing.T, c prometheus.Collector) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			values[family.GetName()] = metric.GetGauge().GetValue()
		}
	}
	return values
}

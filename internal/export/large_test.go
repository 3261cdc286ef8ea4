package export_test

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"testing"

	"step-posture-connector/internal/export"
	"step-posture-connector/internal/posture"
)

const million = 1_000_000

// generator lists devices that it makes one after another.
type generator struct {
	device posture.Device
	gives  posture.FactSet
	count  int
}

func (g generator) Lists() []posture.DeviceType { return []posture.DeviceType{""} }

func (g generator) ListGives() posture.FactSet { return g.gives }

func (g generator) List(_ context.Context, list posture.List, each func(posture.Listing) error) (posture.Listed, error) {
	d := g.device
	for n := range g.count {
		d.Identifier = fmt.Sprintf("C02%07d", n)
		if err := each(posture.Listing{Device: d}); err != nil {
			return posture.Listed{}, err
		}
	}
	return posture.Listed{Facts: list.Facts, Total: g.count}, nil
}

// A million devices need 8 bytes of memory each, and what the slice of them grows by, whatever is known of each. Memory is
// measured after a collection, so that garbage does not count. It is not parallel: it measures the process.
func TestMemory(t *testing.T) {
	const bound = 40 << 20 // bytes
	highest := uint64(0)
	from := generator{device("C02"), posture.MustFacts("device.managed"), million}
	before := heap()
	s, err := export.Write(t.Context(), from, export.Options{Format: export.CSV, Path: t.TempDir() + "/devices.csv", Progress: func(records int) {
		if records%(million/10) == 0 {
			highest = max(highest, heap())
		}
	}})
	if err != nil || s.Devices != million || highest == 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	used := int64(highest) - int64(before)
	t.Logf("%d bytes of memory, %.1f a device", used, float64(used)/million)
	if used > bound {
		t.Errorf("the export needs %d bytes of memory, want %d at most", used, bound)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkWrite measures the time for a device of which all facts are known.
func BenchmarkWrite(b *testing.B) {
	for _, format := range []export.Format{export.CSV, export.JSON} {
		b.Run(string(format), func(b *testing.B) {
			const count = 20_000
			b.ReportAllocs()
			for b.Loop() {
				if _, err := export.Write(b.Context(), generator{full(), all(), count}, export.Options{Format: format, Stdout: io.Discard}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*count), "ns/device")
		})
	}
}

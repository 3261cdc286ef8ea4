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

// An export needs memory for the hashes of keys, 8 bytes for each device and what their slice grows by, whatever is known of
// the devices. Memory is measured after a collection, so that garbage does not count. The test is not parallel: it measures
// the process. BenchmarkMillion does it with a million.
func TestMemory(t *testing.T) {
	const count, bound = 50_000, 3 << 20 // bytes; the rows have more than 5 MB
	if used := memory(t, count); used > bound {
		t.Errorf("the export needs %d bytes of memory, want %d at most", used, bound)
	}
}

// BenchmarkMillion measures the memory for each device of a million.
func BenchmarkMillion(b *testing.B) {
	const million = 1_000_000
	for b.Loop() {
		b.ReportMetric(float64(memory(b, million))/million, "bytes/device")
	}
}

// memory exports devices, and returns how much memory is in use meanwhile, at most, in bytes.
func memory(t testing.TB, count int) int64 {
	t.Helper()
	d := device("C02")
	d.Facts.Name = posture.Known("a name that is long, as those of devices are that have the names of their users")
	from := generator{d, posture.MustFacts("device.name"), count}
	before, highest := heap(), uint64(0)
	s, err := export.Write(t.Context(), from, export.Options{Format: export.JSON, Path: t.TempDir() + "/devices.json", Progress: func(records int) {
		if records%(count/5) == 0 {
			highest = max(highest, heap())
		}
	}})
	if err != nil || s.Devices != count || highest == 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	return int64(highest) - int64(before)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkWrite measures the time for a device with all facts.
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

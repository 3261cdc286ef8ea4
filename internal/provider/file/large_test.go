package file_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/file"
)

const million = 1_000_000

func serial(i int) string { return "C" + strconv.Itoa(10_000_000_000+i) }

// generated writes an inventory of count devices, and one more, last, if it is not empty: the format's text between
// its identifier and the end of its value.
func generated(t testing.TB, kind string, count int, last string) file.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "devices."+kind)
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	buffered := bufio.NewWriterSize(out, 1<<20)
	begin, beforeNumber, separator, end := "Identifier,n\n", ",", "\n", "\n"
	if kind == "json" {
		begin, beforeNumber, separator, end = "{\"devices\":[\n{\"identifier\":\"", "\",\"data\":{\"n\":\"", "\"}},\n{\"identifier\":\"", "\"}}\n]}\n"
	}
	line := []byte(begin)
	for i := range count {
		line = append(append(line, serial(i)...), beforeNumber...)
		line = strconv.AppendInt(line, int64(i), 10)
		switch {
		case i < count-1:
			line = append(line, separator...)
		case last != "":
			line = append(append(append(line, separator...), last...), end...)
		default:
			line = append(line, end...)
		}
		if _, err := buffered.Write(line); err != nil {
			t.Fatal(err)
		}
		line = line[:0]
	}
	if err := buffered.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Config{Path: config.Path(path), Type: kind}
}

func large() int {
	if testing.Short() {
		return million / 100
	}
	return manyDevices
}

// TestMillionDevices also compares the allocations of a lookup in a small and in a large inventory; BenchmarkLookup
// shows the time. It is not parallel, because allocations are counted for the whole program.
func TestMillionDevices(t *testing.T) {
	const few = 1000
	many := large()
	for _, kind := range []string{"csv", "json"} {
		t.Run(kind, func(t *testing.T) {
			p, warnings, err := file.New(generated(t, kind, many, ""))
			if err != nil {
				t.Fatal(err)
			}
			wantLines(t, "warnings", warnings, nil)
			for _, i := range []int{0, 1, many / 2, many - 2, many - 1} {
				wantData(t, p, strings.ToLower(serial(i)), fmt.Sprintf(`{"n":"%d"}`, i))
			}
			wantNotFound(t, p, serial(many))
			if found, _, err := p.Check(t.Context()); err != nil || !strings.HasPrefix(found, fmt.Sprintf("%d devices in ", many)) {
				t.Errorf("Check() = %q, %v, want %d devices", found, err, many)
			}
			small, _, err := file.New(generated(t, kind, few, ""))
			if err != nil {
				t.Fatal(err)
			}
			atFew, atMany := allocations(t, small, few), allocations(t, p, many)
			if atFew != atMany || atMany > 4 {
				t.Errorf("three lookups allocate %v times among %d devices and %v times among %d, want the same, at most 4", atFew, few, atMany, many)
			}
		})
	}
}

// TestMemory limits the memory for each device. It is not parallel, because the heap is the whole program's.
func TestMemory(t *testing.T) {
	const count = 200_000
	for kind, most := range map[string]uint64{"csv": 100, "json": 140} {
		c := written(t, kind, fourColumns(kind, count))
		before := heap()
		p, _, err := file.New(c)
		if err != nil {
			t.Fatal(err)
		}
		if got := (heap() - before) / count; got > most {
			t.Errorf("%s: %d bytes a device, want at most %d", kind, got, most)
		}
		wantData(t, p, "c02x00199999", `{"department":"Engineering","email":"user0199999@example.com","asset":"A-00199999"}`)
	}
}

func heap() uint64 {
	runtime.GC()
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	return now.HeapAlloc
}

// TestReloadOfManyDevices: in a reload, reading and indexing alternate.
func TestReloadOfManyDevices(t *testing.T) {
	t.Parallel()
	const count = 20_000
	for _, kind := range []string{"csv", "json"} {
		c := written(t, kind, fourColumns(kind, count))
		p, _, err := file.New(c)
		if err != nil {
			t.Fatal(err)
		}
		next, err := p.Reload()
		if err != nil {
			t.Fatal(err)
		}
		next.Apply()
		for i := range count {
			wantData(t, p, fmt.Sprintf("C02X%08d", i), fmt.Sprintf(`{"department":"Engineering","email":"user%07d@example.com","asset":"A-%08d"}`, i, i))
		}
	}
}

// allocations counts those of three lookups: the first device, the last, and a missing one.
func allocations(t *testing.T, p *file.Provider, count int) float64 {
	t.Helper()
	var queries []posture.Query
	for _, i := range []int{0, count - 1, count} {
		queries = append(queries, posture.Query{Identifier: identifier(t, serial(i))})
	}
	ctx := t.Context()
	return testing.AllocsPerRun(100, func() {
		for _, q := range queries {
			_, _ = p.Lookup(ctx, q)
		}
	})
}

// TestFaultAtTheEnd: the place of a fault is as exact as at the beginning.
func TestFaultAtTheEnd(t *testing.T) {
	t.Parallel()
	const count = 50_000
	for kind, test := range map[string]struct{ last, want string }{
		"csv":  {"c10000000000,x", `line 50002: duplicate identifier "c10000000000" with different data`},
		"json": {`c10000000000","data":{"n":"x`, `devices[50000]: duplicate identifier "c10000000000" with different data`},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := generated(t, kind, count, test.last)
			_, _, err := file.New(c)
			if err == nil {
				t.Fatal("New accepted an identifier with two sets of data")
			}
			if got, want := err.Error(), fmt.Sprintf("inventory %s: %s", c.Path, test.want); got != want {
				t.Errorf("New = %q, want %q", got, want)
			}
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, kind := range []string{"csv", "json"} {
		for _, count := range []int{1000, million} {
			b.Run(fmt.Sprintf("%s/devices=%d", kind, count), func(b *testing.B) {
				p, _, err := file.New(written(b, kind, fourColumns(kind, count)))
				if err != nil {
					b.Fatal(err)
				}
				queries := make([]posture.Query, 1024) // the same number for both, so that caches have the same effect
				for i := range queries {
					queries[i].Identifier = identifier(b, fmt.Sprintf("C02X%08d", i*(count/len(queries)+1)%count))
				}
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					if _, err := p.Lookup(b.Context(), queries[i%len(queries)]); err != nil {
						b.Fatal(err)
					}
					i++
				}
			})
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for _, kind := range []string{"csv", "json"} {
		for _, count := range []int{1000, million} {
			b.Run(fmt.Sprintf("%s/devices=%d", kind, count), func(b *testing.B) {
				c := written(b, kind, fourColumns(kind, count))
				b.ReportAllocs()
				for b.Loop() {
					if _, _, err := file.New(c); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*count), "ns/device")
			})
		}
	}
}

// fourColumns is an inventory as in practice.
func fourColumns(kind string, count int) string {
	format, end := "C02X%08d,Engineering,user%07d@example.com,A-%08d\n", ""
	var content strings.Builder
	content.WriteString("Identifier,department,email,asset\n")
	if kind == "json" {
		content.Reset()
		content.WriteString("{\"devices\":[\n")
		format = ",{\"identifier\":\"C02X%08d\",\"data\":{\"department\":\"Engineering\",\"email\":\"user%07d@example.com\",\"asset\":\"A-%08d\"}}\n"
		end = "]}\n"
	}
	for i := range count {
		line := fmt.Sprintf(format, i, i, i)
		if i == 0 {
			line = strings.TrimPrefix(line, ",")
		}
		content.WriteString(line)
	}
	content.WriteString(end)
	return content.String()
}

package file_test

import (
	"fmt"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/file"
)

// withFactColumns is fourColumns with three facts.
func withFactColumns(kind string, count int) string {
	if kind == "csv" {
		lines := strings.Split(strings.TrimSuffix(fourColumns(kind, count), "\n"), "\n")
		lines[0] += ",device.os_version,device.groups,user.department\n"
		return lines[0] + strings.Join(lines[1:], ",15.4.1,Staff;Lab,Engineering\n") + ",15.4.1,Staff;Lab,Engineering\n"
	}
	return strings.ReplaceAll(fourColumns(kind, count), "}}\n",
		`},"facts":{"device":{"os_version":"15.4.1","groups":["Staff","Lab"]},"user":{"department":"Engineering"}}}`+"\n")
}

// readingFacts opens an inventory that a policy reads.
func readingFacts(t testing.TB, c file.Config) *file.Provider {
	t.Helper()
	c.ReadFacts()
	p, _, err := file.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestCostOfFacts: a file without facts costs what it did, also where a policy reads facts; and facts cost what they
// take in the file. It is not parallel, because the heap and the allocations are the whole program's.
func TestCostOfFacts(t *testing.T) {
	const count = 50_000
	for kind, limits := range map[string]struct{ bytes, allocations float64 }{"csv": {135, 20}, "json": {240, 40}} {
		plain := written(t, kind, fourColumns(kind, count))
		before := heap()
		unread, _, err := file.New(plain)
		if err != nil {
			t.Fatal(err)
		}
		withoutPolicy := heap() - before
		before = heap()
		read := readingFacts(t, plain)
		if withPolicy := heap() - before; withPolicy > withoutPolicy+count {
			t.Errorf("%s: %d bytes with a policy, %d without", kind, withPolicy, withoutPolicy)
		}
		facts := written(t, kind, withFactColumns(kind, count))
		before = heap()
		full := readingFacts(t, facts)
		if each := float64(heap()-before) / count; each > limits.bytes {
			t.Errorf("%s: %.0f bytes a device with facts, want at most %.0f", kind, each, limits.bytes)
		}

		lookup := func(p *file.Provider, asked posture.FactSet) float64 {
			q := posture.Query{Identifier: identifier(t, "C02X00049999"), Facts: asked}
			ctx := t.Context()
			return testing.AllocsPerRun(100, func() {
				if _, err := p.Lookup(ctx, q); err != nil {
					t.Error(err)
				}
			})
		}
		asked := posture.Document | posture.AllFacts()&^posture.MustFacts("device.attributes")
		if got, want := lookup(read, asked), lookup(unread, asked); got != want {
			t.Errorf("%s: a lookup allocates %v times with a policy, %v times without", kind, got, want)
		}
		if got := lookup(full, asked); got > limits.allocations {
			t.Errorf("%s: a lookup of facts allocates %v times, want at most %v", kind, got, limits.allocations)
		}
		wantData(t, full, "c02x00049999", `{"department":"Engineering","email":"user0049999@example.com","asset":"A-00049999"}`)
		groups, _ := record(t, full, "C02X00049999", asked).Facts.Groups.Get()
		if strings.Join(groups, "+") != "Staff+Lab" {
			t.Errorf("%s: the groups are %q", kind, groups)
		}
	}
}

// BenchmarkFacts compares a file without a policy, the same file with one, and a file with three facts.
func BenchmarkFacts(b *testing.B) {
	for _, kind := range []string{"csv", "json"} {
		const count = million / 10
		plain, facts := written(b, kind, fourColumns(kind, count)), written(b, kind, withFactColumns(kind, count))
		for _, c := range []struct {
			name string
			file file.Config
			read bool
		}{{"unread", plain, false}, {"none", plain, true}, {"three", facts, true}} {
			if c.read {
				c.file.ReadFacts()
			}
			p, _, err := file.New(c.file)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%s/load/%s", kind, c.name), func(b *testing.B) {
				for b.Loop() {
					if _, _, err := file.New(c.file); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*count), "ns/device")
			})
			for name, asked := range map[string]posture.FactSet{
				"data": posture.WithoutPolicy(), "version": posture.MustFacts("device.os_version"), "attributes": posture.MustFacts("device.attributes"),
			} {
				b.Run(fmt.Sprintf("%s/lookup of %s/%s", kind, name, c.name), func(b *testing.B) {
					q := posture.Query{Identifier: identifier(b, "C02X00049999"), Facts: asked}
					b.ReportAllocs()
					for b.Loop() {
						if _, err := p.Lookup(b.Context(), q); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

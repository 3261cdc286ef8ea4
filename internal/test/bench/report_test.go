package main

import (
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMedianAndPercentile(t *testing.T) {
	t.Parallel()
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = 100 - i // 1 to 100, backwards
	}
	for p, want := range map[float64]int{0: 1, 1: 1, 50: 50, 99: 99, 99.5: 100, 100: 100} {
		if got := percentile(hundred, p); got != want {
			t.Errorf("percentile(1…100, %v) = %d, want %d", p, got, want)
		}
	}
	if got := percentile([]int{7}, 99); got != 7 {
		t.Errorf("percentile of a single value = %d, want it", got)
	}
	for _, test := range []struct {
		values []float64
		want   float64
	}{{[]float64{5}, 5}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 100}, 3.5}} {
		if got := median(test.values); got != test.want {
			t.Errorf("median(%v) = %v, want %v", test.values, got, test.want)
		}
	}
	if got := medianOf([]loaded{{toReady: 3}, {toReady: 1}, {toReady: 2}}, func(l loaded) float64 { return float64(l.toReady) }); got != 2 {
		t.Errorf("medianOf = %v, want 2", got)
	}
}

func TestRows(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ got, want row }{
		"hit exactly": {against("a", 10, 22, micros, 2.2), row{"a", "10.0 µs", "22.0 µs", "2.20", "≤ 2.2 × floor", hit}},
		"missed":      {against("a", 10, 23, micros, 2.2), row{"a", "10.0 µs", "23.0 µs", "2.30", "≤ 2.2 × floor", miss}},
		"compared":    {compared("a", 2, 1, seconds, 1.2, "encoding/csv"), row{"a", "2.00 s", "1.00 s", "0.50", "≤ 1.2 × encoding/csv", hit}},
		"within":      {within("a", 1100, wholeBytes, 1000, "≤ 1"), row{"a", none, "1,100 bytes", none, "≤ 1", miss}},
		"reported":    {reportOnly("a", "b"), row{"a", none, "b", none, none, reported}},
	} {
		if test.got != test.want {
			t.Errorf("%s: %+v, want %+v", name, test.got, test.want)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	want := "| what | floor | measured | ratio | goal | result |\n|---|---:|---:|---:|---|---|\n" +
		"| a | 1.00 s | 1.00 s | 1.00 | ≤ 2 × floor | hit |\n" +
		"| b | 1.00 ms | 3.00 ms | 3.00 | ≤ 2 × floor | **miss** |\n"
	if got := table([]row{against("a", 1, 1, seconds, 2), against("b", 1, 3, millis, 2)}); got != want {
		t.Errorf("table = %s, want %s", got, want)
	}
}

func TestBetween(t *testing.T) {
	t.Parallel()
	document := "before\n" + beginLine + "\nold\n" + endLine + "\nafter\n"
	want := "before\n" + beginLine + "\n\nnew\n\n" + endLine + "\nafter\n"
	got, err := between(document, "new\n")
	if err != nil || got != want {
		t.Errorf("between = %q, %v, want %q", got, err, want)
	}
	if again, err := between(got, "new\n"); err != nil || again != got {
		t.Errorf("between, called again = %q, %v, want no change", again, err)
	}
	for _, broken := range []string{"", beginLine + "\n", endLine + "\n" + beginLine + "\n", document + document} {
		if got, err := between(broken, "new\n"); err == nil {
			t.Errorf("between(%q) = %q, want an error", broken, got)
		}
	}
}

func TestDocumentHasBothLines(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := between(string(document), ""); err != nil {
		t.Error(err)
	}
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	const count, rate = 50000, 500.0
	times := schedule(count, rate)
	short := 0
	for i, at := range times[1:] {
		gap := at - times[i]
		if gap < 0 {
			t.Fatalf("request %d is before the one that precedes it", i+1)
		}
		if gap < time.Second/rate {
			short++
		}
	}
	// Of exponential gaps, 63.2 % are shorter than the mean.
	if share := float64(short) / count; share < 0.62 || share > 0.645 {
		t.Errorf("%.3f of the gaps are shorter than the mean", share)
	}
	if got := times[count-1].Seconds(); got < 0.98*count/rate || got > 1.02*count/rate {
		t.Errorf("%d requests take %.1f s at %v a second", count, got, rate)
	}
}

func TestInventoriesAreRead(t *testing.T) {
	t.Parallel()
	for _, format := range []string{formatCSV, formatJSON} {
		in, err := folder(t.TempDir()).inventory(format, 25)
		if err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(in.path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		count := countCSV
		if format == formatJSON {
			count = countJSON
		}
		if got, err := count(file); err != nil || got != 25 {
			t.Errorf("%s: %d devices, %v, want 25", format, got, err)
		}
		if err := readOnce([]string{format, in.path}); err != nil {
			t.Errorf("readOnce(%s) = %v", format, err)
		}
	}
	if err := readOnce([]string{formatCSV, os.DevNull}); err == nil {
		t.Error("an inventory without devices is read")
	}
}

func TestLogWatch(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/log"
	watch := logWatch{path: path}
	text := ""
	for _, step := range []struct{ added, want string }{
		{"one\ntw", "one\n"}, {"", ""}, {"o\n", "two\n"}, {"three\nfour\n", "three\nfour\n"},
	} {
		text += step.added
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := watch.read(); err != nil || string(got) != step.want {
			t.Errorf("read = %q, %v, want %q", got, err, step.want)
		}
	}
}

func TestChart(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/chart.svg"
	c := curve{floor: 30, goal: keepAliveGoal}
	if err := writeChart(path, c); err == nil {
		t.Error("a chart of nothing is drawn")
	}
	for _, size := range []int{1, 1000, 1000000} {
		c.add(size, 60)
	}
	if err := writeChart(path, c); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<svg", "1,000,000", "devices in the inventory", "goal, 1.7 × floor"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the chart lacks %q", want)
		}
	}
}

func TestIdlersThatWereClosed(t *testing.T) {
	t.Parallel()
	// Long ago, so that nothing is waited for.
	began := time.Now().Add(-time.Hour)
	i := &idlers{all: make(keepAlive, 3), since: []time.Time{began, began, began}, closed: make(chan closing, 3)}
	for n, kept := range []time.Duration{115 * time.Second, 120 * time.Second} {
		i.closed <- closing{n, began.Add(kept), io.EOF}
	}
	got, err := i.kept(t.Context())
	if want := []float64{115, 120}; err != nil || !slices.Equal(got, want) {
		t.Errorf("kept = %v, %v, want %v without the one that is still open", got, err, want)
	}
	i.closed <- closing{2, began, io.ErrUnexpectedEOF}
	if got, err := i.kept(t.Context()); err == nil {
		t.Errorf("kept = %v, want an error for a connection that broke", got)
	}
}

package journal_test

import (
	"testing"
	"time"

	"step-posture-connector/internal/journal"
)

// BenchmarkRecord is what a decision costs: Record is called by the goroutine that has answered.
func BenchmarkRecord(b *testing.B) {
	w := journal.NewWriter(&fakeStore{}, time.Hour, &watcher{})
	e := event()
	b.ReportAllocs()
	for b.Loop() {
		w.Record(e)
	}
}

// BenchmarkParse is what one line of a page costs.
func BenchmarkParse(b *testing.B) {
	entry, err := journal.NewEncoder().Entry(event())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := journal.Parse(journal.Found{ID: entry.ID, Line: entry.Line, Rules: entry.Rules}); err != nil {
			b.Fatal(err)
		}
	}
}

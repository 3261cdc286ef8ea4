package store_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/journal"
	"step-posture-connector/internal/store"
)

// BenchmarkJournal fills a journal, and measures what pages ask for, the size of an entry on the disk, and batches that are added:
// alone, and while what is old is deleted. It prints the tables of docs/performance.md.
func BenchmarkJournal(b *testing.B) {
	eachOnDisk(b, func(b *testing.B, state *backend) {
		b.Helper()
		if b.N > 1 {
			b.Skip("run it with -benchtime 1x")
		}
		d, rows := state.open(b), intFlag(journalRows)
		empty, begun := state.bytes(b), time.Now()
		state.administerWithin(b, 2*time.Hour, state.journalRows(rows))
		b.Logf("%d entries in %v; bytes an entry on the disk: %d", rows, time.Since(begun).Round(time.Second), (state.bytes(b)-empty)/rows)
		b.Log(tableOfQueries(b, d))
		const calm = 10 * time.Second
		b.Log(addFor(b, d.Journal(), calm, "alone"))
		ctx, cancel := context.WithCancel(b.Context())
		var running sync.WaitGroup
		deleted, calls := int64(0), 0
		running.Go(func() {
			for ctx.Err() == nil {
				begun := time.Now()
				n, err := d.Journal().Expire(ctx, noon().AddDate(0, 0, -45))
				if err != nil && ctx.Err() == nil {
					b.Errorf("Expire = %v", err)
				}
				deleted, calls = deleted+n, calls+1
				time.Sleep(max(20*time.Millisecond, time.Since(begun)))
			}
		})
		b.Log(addFor(b, d.Journal(), 2*calm, "beside the expiry"))
		cancel()
		running.Wait()
		b.Logf("meanwhile %.0f entries a second were deleted", float64(deleted)/(2*calm).Seconds())
		b.ReportMetric(float64(rows), "entries")
	})
}

// bytes is the size of the database on the disk.
func (b *backend) bytes(t testing.TB) int {
	t.Helper()
	if b.url.IsSQLite() {
		b.exec(t, "PRAGMA wal_checkpoint(TRUNCATE)")
		info, err := os.Stat(b.url.Path())
		if err != nil {
			t.Fatal(err)
		}
		return int(info.Size())
	}
	return b.number(t, "SELECT pg_database_size(current_database())")
}

// tableOfQueries asks everything that pages ask: at first, when little of it is in memory, and the fastest and slowest of ten more.
func tableOfQueries(b *testing.B, d *store.DB) string {
	b.Helper()
	var table strings.Builder
	fmt.Fprintln(&table, "\n| query | rows | at first | then, fastest | slowest of 10 | by |\n|---|---:|---:|---:|---:|---|")
	for _, q := range pageQueries(d) {
		var taken []time.Duration
		rows := 0
		for range 11 {
			begun := time.Now()
			n, err := d.Ask(b.Context(), q)
			if err != nil {
				b.Errorf("%s: %v", q.Name, err)
			}
			rows, taken = n, append(taken, time.Since(begun))
		}
		plan, err := d.Explain(b.Context(), q)
		if err != nil {
			b.Error(err)
		}
		ms := func(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }
		fmt.Fprintf(&table, "| %s | %d | %s | %s | %s | %s |\n", q.Name, rows, ms(taken[0]), ms(slices.Min(taken[1:])), ms(slices.Max(taken[1:])), indexesIn(plan))
	}
	return table.String()
}

// indexesIn are the words of a plan that say what is read.
func indexesIn(plan string) string {
	words := strings.FieldsFunc(plan, func(r rune) bool { return strings.ContainsRune(" ;(),", r) })
	var found []string
	for i, word := range words {
		if isIndex := strings.HasPrefix(word, "journal_") && !strings.Contains(word, ".") && !strings.HasSuffix(word, "_2") && word != "journal_counts" && word != "journal_affected" || strings.HasPrefix(word, "sqlite_autoindex"); isIndex && !slices.Contains(found, word) {
			found = append(found, word)
		}
		if word == "PRIMARY" || word == "Seq" || word == "SCAN" && i+1 < len(words) && strings.HasPrefix(words[i+1], "journal") {
			found = append(found, map[string]string{"PRIMARY": "primary key", "Seq": "all of it", "SCAN": "all of it"}[word])
		}
	}
	return strings.Join(slices.Compact(found), ", ")
}

// batchOf is a batch as the journal's writer hands it over: of devices at random, with one in twenty refused and one in four that a
// rule would refuse.
func batchOf(count int) []journal.Entry {
	batch := make([]journal.Entry, count)
	for i := range batch {
		device, err := rand.Int(rand.Reader, big.NewInt(rowDevices))
		if err != nil {
			panic(err)
		}
		n := int(device.Int64())
		e := &batch[i]
		*e = decision(0, fmt.Sprintf("SERIAL%d", n), nil)
		e.ID, e.Reference, e.Policy = journal.NewID(time.Now()), rand.Text()[:8], fmt.Sprintf("policy%d", n%8)
		switch {
		case n%20 == 7:
			refused(fmt.Sprintf("code%d", n%6), "encrypted")(e)
		case n%4 == 0:
			e.WouldDeny = []string{"rule0"}
		}
		e.Line = fmt.Appendf(nil, `{"reference":%q,"filler":"%s"}`, e.Reference, strings.Repeat(rand.Text(), 38))
		e.Rules = []byte(`[{"name":"encrypted","result":"met","enforced":true},{"name":"updated","result":"unmet","enforced":false,"reason":"device.os_version is 15.3"}]`)
	}
	return batch
}

// addFor adds 2,000 entries a second in batches of 250 for some time, and says how long a batch takes.
func addFor(b *testing.B, j *store.Journal, limit time.Duration, what string) string {
	b.Helper()
	const batch, every = 250, 125 * time.Millisecond
	var taken []time.Duration
	busy := time.Duration(0)
	begun := time.Now()
	for next := begun; time.Since(begun) < limit; next = next.Add(every) {
		entries := batchOf(batch)
		time.Sleep(time.Until(next))
		from := time.Now()
		if err := j.Append(b.Context(), entries); err != nil {
			b.Errorf("Append = %v", err)
		}
		taken = append(taken, time.Since(from))
		busy += time.Since(from)
	}
	slices.Sort(taken)
	return fmt.Sprintf("%s: %d batches of %d, %.0f entries a second; a batch takes p50 %v, p99 %v, at most %v; at full speed %.0f entries a second",
		what, len(taken), batch, float64(len(taken)*batch)/time.Since(begun).Seconds(), taken[len(taken)/2].Round(time.Microsecond*100), taken[len(taken)*99/100].Round(time.Microsecond*100),
		taken[len(taken)-1].Round(time.Microsecond*100), float64(len(taken)*batch)/busy.Seconds())
}

// BenchmarkAppend is a batch of 256 entries, without a pause.
func BenchmarkAppend(b *testing.B) {
	eachOnDisk(b, func(b *testing.B, state *backend) {
		b.Helper()
		j := state.open(b).Journal()
		var batches [][]journal.Entry
		for range b.N {
			batches = append(batches, batchOf(256))
		}
		b.ResetTimer()
		for _, batch := range batches {
			if err := j.Append(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(256*b.N)/b.Elapsed().Seconds(), "entries/s")
	})
}

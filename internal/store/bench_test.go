package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/test/sqltest"
)

// eachOnDisk runs a benchmark on both kinds of database, which wait for the disk.
func eachOnDisk(b *testing.B, benchmark func(*testing.B, *backend)) {
	b.Helper()
	b.Run("sqlite", func(b *testing.B) { benchmark(b, onSQLite(b)) })
	server := sqltest.PostgreSQL(b, "fsync=on")
	create := onPostgreSQL(server)
	b.Run("postgresql", func(b *testing.B) { benchmark(b, create(b)) })
}

// issue writes live tokens in batches, and returns them. It is faster than Insert.
func (b *backend) issue(t testing.TB, count int) []enroll.Hash {
	t.Helper()
	hashes := make([]enroll.Hash, count)
	round := time.Now().UnixNano()
	b.administer(t, func(ctx context.Context, db *sql.DB) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		const batch = 500
		for begin := 0; begin < count; begin += batch {
			var rows []string
			var values []any
			for i := begin; i < min(begin+batch, count); i++ {
				hashes[i] = enroll.HashOf(fmt.Sprintf("token %d %d", round, i))
				rows = append(rows, fmt.Sprintf("('live%d-%d', $%d, '%s', 'SERIAL%d', 'SERIAL%d', '', 'enroll', %d, %d, %d)",
					round, i, len(values)+1, policy, i, i, time.Now().UnixMicro(), time.Now().Add(time.Hour).UnixMicro(), time.Now().Add(enroll.Kept).UnixMicro()))
				values = append(values, hashes[i][:])
			}
			statement := "INSERT INTO tokens (id, hash, policy, identifier, identifier_key, udid, client, created_at, expires_at, keep_until) VALUES " + strings.Join(rows, ", ") //nolint:gosec // G202: rows of the test
			if _, err := tx.ExecContext(ctx, statement, values...); err != nil {
				return err
			}
		}
		return tx.Commit()
	})
	return hashes
}

// latencies are how long operations took.
type latencies struct {
	mu  sync.Mutex
	all []time.Duration
}

func (l *latencies) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, d)
}

func (l *latencies) report(b *testing.B) {
	b.Helper()
	slices.Sort(l.all)
	at := func(part float64) float64 {
		return float64(l.all[int(part*float64(len(l.all)-1))].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(at(1), "max-ms")
}

// BenchmarkRedeem is how many tokens are redeemed in a second, by 16 requests at once, each with its look-up before.
func BenchmarkRedeem(b *testing.B) {
	eachOnDisk(b, func(b *testing.B, state *backend) {
		b.Helper()
		d := state.open(b)
		hashes := state.issue(b, b.N)
		var (
			next  atomic.Int64
			taken latencies
		)
		b.SetParallelism(8)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				hash := hashes[next.Add(1)-1]
				begun := time.Now()
				_, err := d.Find(b.Context(), hash)
				if err == nil {
					_, err = d.Bind(b.Context(), hash, enroll.Key(hash), "C02XK1ABJHD2")
				}
				if err != nil {
					b.Error(err)
				}
				taken.add(time.Since(begun))
			}
		})
		b.StopTimer()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "redemptions/s")
		taken.report(b)
	})
}

// BenchmarkPurge is how long a redemption takes while tokens are deleted that are no longer kept, and how many of them are. One
// redemption follows the other, with a pause of 2 ms.
func BenchmarkPurge(b *testing.B) {
	eachOnDisk(b, func(b *testing.B, state *backend) {
		b.Helper()
		d := state.open(b)
		rows := intFlag(purgeRows)
		if b.N == 1 {
			rows = 0 // every benchmark is tried once
		}
		state.administerWithin(b, time.Hour, state.generate(rows, "old"))
		hashes := state.issue(b, b.N)
		ctx, cancel := context.WithCancel(b.Context())
		var running sync.WaitGroup
		running.Go(func() { d.Run(ctx, func(error) {}) })
		var taken latencies
		b.ResetTimer()
		for _, hash := range hashes {
			begun := time.Now()
			if _, err := d.Bind(b.Context(), hash, enroll.Key(hash), "C02XK1ABJHD2"); err != nil {
				b.Error(err)
			}
			taken.add(time.Since(begun))
			time.Sleep(2 * time.Millisecond)
		}
		b.StopTimer()
		cancel()
		running.Wait()
		gone := rows - state.number(b, "SELECT COUNT(*) FROM tokens WHERE policy = 'old'")
		b.ReportMetric(float64(gone)/b.Elapsed().Seconds(), "deleted/s")
		b.ReportMetric(float64(rows-gone), "left")
		taken.report(b)
	})
}

//go:build linux

package journalload_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/store"
	"step-posture-connector/internal/test/sqltest"
)

// database is one that a daemon has to itself.
type database struct {
	url  string
	size func(t *testing.T) int64 // in bytes
}

// TestLatency: a daemon with a journal and one without it answer in turns. While the database answers no line is lost. How long they
// took is only reported, because a test cannot know what else the machine does: make load-journal is for a quiet one.
func TestLatency(t *testing.T) { //nolint:paralleltest // it measures
	p, l := thePlan(t), newLab(t)
	for name, open := range map[string]func(*testing.T) database{"SQLite": newSQLite, "PostgreSQL": newPostgreSQL} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			with, without := l.start(t, "STATE_URL", db.url, "JOURNAL", "1"), l.start(t)
			for _, c := range []*connector{with, without} {
				c.load(t, p.rate, p.turn, device) // connections, and the first pages of the database
			}
			before, wrote := db.size(t), with.settled(t).written
			cpuWith, cpuWithout := with.cpu(t), without.cpu(t)
			var tookWith, tookWithout []time.Duration
			for range p.rounds {
				tookWith = append(tookWith, with.load(t, p.rate, p.turn, device)...)
				tookWithout = append(tookWithout, without.load(t, p.rate, p.turn, device)...)
			}
			n := with.settled(t)
			if n.lost != 0 {
				t.Errorf("%d lines were lost while the database answers: %q", n.lost, with.loggedLines(t))
			}
			if got := n.written - wrote; got != int64(len(tookWith)) {
				t.Errorf("%d of %d decisions were written", got, len(tookWith))
			}
			t.Logf("%d decisions each, %d a second, load average %s", len(tookWith), p.rate, machineLoad())
			for _, q := range []float64{0.5, 0.9, 0.99, 0.999} {
				a, b := quantile(tookWith, q), quantile(tookWithout, q)
				t.Logf("p%v: %s with a journal, %s without, %.2f", 100*q, a.Round(time.Microsecond), b.Round(time.Microsecond), a.Seconds()/b.Seconds())
			}
			decisions := time.Duration(len(tookWith))
			t.Logf("CPU a decision: %s with a journal, %s without", (with.cpu(t)-cpuWith)/decisions, (without.cpu(t)-cpuWithout)/time.Duration(len(tookWithout)))
			with.Stop(t) // SQLite has everything in its file then
			t.Logf("%d bytes a decision in the database", (db.size(t)-before)/max(1, n.written-wrote))
		})
	}
}

func newSQLite(t *testing.T) database {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	return database{"sqlite:" + path, func(t *testing.T) (size int64) {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}}
}

func newPostgreSQL(t *testing.T) database {
	t.Helper()
	server := sqltest.PostgreSQL(t)
	db, _ := create(t, server)
	return db
}

// create makes a database of a server. Its pool is of the administrator.
func create(t *testing.T, server *sqltest.Server) (database, *sql.DB) {
	t.Helper()
	server.Exec(t, "CREATE DATABASE state")
	url := server.PostgresURL("admin", sqltest.AdminPassword, "state")
	pool, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	return database{url, func(t *testing.T) (size int64) {
		t.Helper()
		if err := pool.QueryRowContext(t.Context(), "SELECT pg_database_size('state')").Scan(&size); err != nil {
			t.Fatal(err)
		}
		return size
	}}, pool
}

// TestOutage: PostgreSQL hangs, then it is killed and does not run for a while, while old entries are deleted. Every decision is
// answered, and written + lost is their number; the database has what counts as written, once.
func TestOutage(t *testing.T) { //nolint:paralleltest // it measures
	p, l := thePlan(t), newLab(t)
	server := sqltest.PostgreSQL(t)
	db, pool := create(t, server)
	migrate(t, db.url)
	addOld(t, pool, p.old)
	c := l.start(t, "STATE_URL", db.url, "JOURNAL", "1", "JOURNAL_RETENTION", "1h")
	asked := longDevice
	if p.long {
		asked = device
	}
	c.load(t, p.rate, p.turn, device)
	before := c.settled(t)
	thaw := server.Freeze(t)
	hanging := c.load(t, p.rate, p.outage/2, asked)
	time.AfterFunc(time.Second, thaw) // a process that hangs gets no signal
	server.Kill()
	down := c.load(t, p.rate, p.outage/2, asked)
	during := c.numbers(t)
	server.Start(t)
	oldBefore, began := count(t, pool, "reference = 'OLDENTRY'"), time.Now()
	again := c.load(t, p.rate, p.after, device)
	after := c.settled(t)
	oldAfter := count(t, pool, "reference = 'OLDENTRY'")
	t.Logf("%d old entries were deleted in %s of load, p50 %s, p99 %s", oldBefore-oldAfter, time.Since(began).Round(time.Second), quantile(again, 0.5), quantile(again, 0.99))
	t.Logf("%d decisions at %d a second, load average %s: before %+v, at the end of the outage %+v, after %+v", c.answered.Load(), p.rate, machineLoad(), before, during, after)
	t.Logf("answers while it hangs: p50 %s, p99 %s; while it does not run: p50 %s, p99 %s", quantile(hanging, 0.5), quantile(hanging, 0.99), quantile(down, 0.5), quantile(down, 0.99))
	if before.lost != 0 || after.lost == 0 || during.waiting == 0 || after.written <= before.written {
		t.Error("the outage is too short to lose lines, or nothing was written after it")
	}
	// Deleted where the minute begins in which the database answers again.
	var left int64
	c.eventually(t, "old entries are deleted", func() bool {
		left = count(t, pool, "reference = 'OLDENTRY'")
		return left == 0 || p.long
	})
	t.Logf("%d of %d old entries are left", left, p.old)
	if kept := count(t, pool, "reference <> 'OLDENTRY'"); kept != after.written {
		t.Errorf("the database has %d decisions, and %d count as written", kept, after.written)
	}
	lines := strings.Join(c.loggedLines(t), "\n")
	for _, want := range []string{"decisions are being lost, and are in the audit log only: there is no room", "the state database takes decisions again"} {
		if strings.Count(lines, want) != 1 {
			t.Errorf("the log says not once %q:\n%s", want, lines)
		}
	}
}

// migrate makes the tables.
func migrate(t *testing.T, url string) {
	t.Helper()
	u, err := store.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.OpenDaemon(t.Context(), u)
	if err == nil {
		err = db.Ready(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
}

// addOld adds entries of the day before yesterday.
func addOld(t *testing.T, pool *sql.DB, rows int) {
	t.Helper()
	begin := time.Now().Add(-48 * time.Hour).UnixMicro()
	line := `{"reference":"OLDENTRY","decision":"allow","filler":"` + strings.Repeat("x", 800) + `"}`
	_, err := pool.ExecContext(t.Context(), fmt.Sprintf(`INSERT INTO journal (id, reference, identifier_key, policy, code, refused, evaluated, line, rules)
		SELECT decode(lpad(to_hex(%d + n), 16, '0') || substr(md5(n::text), 1, 16), 'hex'), 'OLDENTRY', 'SERIAL' || (n %% 100000), 'laptops', '', 0, 1, '%s', '' FROM generate_series(1, %d) n`, begin, line, rows))
	if err != nil {
		t.Fatal(err)
	}
}

// count counts entries. It waits for a server that has just started.
func count(t *testing.T, pool *sql.DB, where string) (n int64) {
	t.Helper()
	var err error
	for range 50 {
		if err = pool.QueryRowContext(t.Context(), "SELECT count(*) FROM journal WHERE "+where).Scan(&n); err == nil {
			return n
		}
	}
	t.Fatal(err)
	return 0
}

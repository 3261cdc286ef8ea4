package store

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"time"

	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/journal"
)

// Path is that of the SQLite file; empty for PostgreSQL.
func (u URL) Path() string { return u.path }

// Setting is a value that a connection of the pool has.
func (d *DB) Setting(ctx context.Context, query string) (value string, err error) {
	err = d.pool.QueryRowContext(ctx, query).Scan(&value)
	return value, err
}

// Plans are how SQLite finds what lists ask for.
func (d *DB) Plans(ctx context.Context, filters ...enroll.Filter) (plans []string, err error) {
	p := &planner{querier: d.pool}
	if _, err := d.bound(ctx, p, "policy", enroll.Key{}); err != nil {
		return nil, err
	}
	for _, f := range filters {
		if _, err := d.list(ctx, p, f); err != nil {
			return nil, err
		}
	}
	return p.plans, nil
}

type planner struct {
	querier
	plans []string
}

func (p *planner) QueryContext(ctx context.Context, statement string, arguments ...any) (*sql.Rows, error) {
	rows, err := p.querier.QueryContext(ctx, "EXPLAIN QUERY PLAN "+statement, arguments...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var ignored any
		var step string
		if err := rows.Scan(&ignored, &ignored, &ignored, &step); err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	p.plans = append(p.plans, strings.Join(steps, "; "))
	return p.querier.QueryContext(ctx, statement, arguments...)
}

// Query is a statement that a page of the console or the journal itself uses.
type Query struct {
	Name, Statement string
	Arguments       []any
}

// SearchOf is the statement for a filter.
func (d *DB) SearchOf(name string, f journal.Filter) Query {
	statement, arguments := d.dialect.search(f)
	return Query{name, statement, arguments}
}

// SumsOf are the statements of an overview, and of the devices that rules would refuse.
func SumsOf(name string, since, until time.Time, step time.Duration) []Query {
	return []Query{
		{name + ": buckets", bucketSums, []any{since.UnixMicro(), step.Microseconds(), until.UnixMicro()}},
		{name + ": by code and rule", listSums, listSpans(since, until)},
	}
}

// AffectedQueries are about the devices that rules would refuse.
func AffectedQueries(policy, rule, after string) []Query {
	return []Query{
		{"devices of each rule", countAffected, nil},
		{"devices of one rule", listAffected + "51", []any{policy, rule, after}},
	}
}

// WriterQueries are what Append asks for, of devices, and Expire.
func (d *DB) WriterQueries(policy string, keys []string, id journal.ID) []Query {
	var of, newer []any
	for _, key := range keys {
		of, newer = append(of, key), append(newer, policy, key, id[:])
	}
	values := strings.Replace(d.dialect.values(len(keys), len(newer)), "$3", "CAST($3 AS BYTEA)", 1)
	var first journal.ID
	return []Query{
		{"later decisions of a batch", strings.Replace(newerDecisions, "%", values, 1), newer},
		{"rules of a batch", strings.Replace(affectedOf, "%", d.dialect.list(1, len(of)), 1), of},
		{"rules that do not report any more", deleteOf(maxDeleted), replaceIDs(newer[:3*maxDeleted])},
		{"expiry of sums", strings.Replace(d.dialect.expiredCounts, "%d", strconv.Itoa(expireBatch), 1), []any{0, spanHour}},
		{"expiry of devices", strings.Replace(d.dialect.expiredAffected, "%d", strconv.Itoa(expireBatch), 1), []any{first[:]}},
		{"expiry, nothing to do", strings.Replace(d.dialect.expiredEntries, "%d", strconv.Itoa(expireBatch), 1), []any{first[:]}},
	}
}

// replaceIDs makes rules of IDs, which no device has.
func replaceIDs(arguments []any) []any {
	replaced := slices.Clone(arguments)
	for i := 1; i < len(replaced); i += 3 {
		replaced[i], replaced[i+1] = "none", replaced[i]
	}
	return replaced
}

// Explain is how the database answers a query.
func (d *DB) Explain(ctx context.Context, q Query) (plan string, err error) {
	begin, columns := "EXPLAIN ", 1
	if d.url.IsSQLite() {
		begin, columns = "EXPLAIN QUERY PLAN ", 4
	}
	rows, err := d.pool.QueryContext(ctx, begin+q.Statement, q.Arguments...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var ignored any
		var step string
		into := []any{&step}
		for len(into) < columns {
			into = append([]any{&ignored}, into...)
		}
		if err := rows.Scan(into...); err != nil {
			return "", err
		}
		steps = append(steps, strings.TrimSpace(step))
	}
	return strings.Join(steps, "; "), rows.Err()
}

// Ask runs a query, and returns how many rows it has.
func (d *DB) Ask(ctx context.Context, q Query) (count int, err error) {
	rows, err := d.pool.QueryContext(ctx, q.Statement, q.Arguments...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		count++
	}
	return count, rows.Err()
}

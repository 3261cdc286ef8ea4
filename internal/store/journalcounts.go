package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/journal"
)

// What journal_counts counts, as its kind. The name is that of the code, the event or the rule; a decision of a kind without names
// has the empty one.
const (
	countAllowed  = "allow"
	countRefused  = "refuse"  // by code
	countFailed   = "fault"   // by code
	countEvent    = "event"   // lines that are no decision, by event
	countReported = "report"  // decisions that a rule in report-only mode would have refused
	countUnmet    = "unmet"   // refusals by rule: one may have several
	countByRule   = "by-rule" // of countReported, by rule
)

// counted is what one row of journal_counts counts.
type counted struct {
	hour               int64 // its start, in microseconds since 1970
	policy, kind, name string
}

func compareCounted(a, b counted) int {
	return cmp.Or(cmp.Compare(a.hour, b.hour), strings.Compare(a.policy, b.policy), strings.Compare(a.kind, b.kind), strings.Compare(a.name, b.name))
}

func hourOf(at time.Time) int64 { return at.UTC().Truncate(time.Hour).UnixMicro() }

// countsOf sums a batch up.
func countsOf(entries []journal.Entry) map[counted]int64 {
	counts := map[counted]int64{}
	for _, e := range entries {
		hour := hourOf(e.ID.Time())
		add := func(kind, name string) { counts[counted{hour, e.Policy, kind, name}]++ }
		switch {
		case e.Decision == "":
			add(countEvent, e.Event)
			continue
		case !isRefused(e):
			add(countAllowed, "")
		case e.Fault:
			add(countFailed, e.Code)
		default:
			add(countRefused, e.Code)
			for _, rule := range e.Unmet {
				add(countUnmet, rule)
			}
		}
		if len(e.WouldDeny) > 0 {
			add(countReported, "")
		}
		for _, rule := range e.WouldDeny {
			add(countByRule, rule)
		}
	}
	return counts
}

// addCounts adds to the sums, in one order: two replicas that change the same rows do not wait for each other.
func (d *DB) addCounts(ctx context.Context, q querier, counts map[counted]int64) error {
	sorted := slices.SortedFunc(maps.Keys(counts), compareCounted)
	for some := range slices.Chunk(sorted, maxInserted) {
		var arguments []any
		for _, c := range some {
			arguments = append(arguments, c.hour, c.policy, c.kind, c.name, counts[c])
		}
		statement := "INSERT INTO journal_counts (hour, policy, kind, name, n) " + d.dialect.values(len(some), len(arguments)) +
			" ON CONFLICT (hour, policy, kind, name) DO UPDATE SET n = journal_counts.n + excluded.n"
		if _, err := q.ExecContext(ctx, statement, arguments...); err != nil {
			return err
		}
	}
	return nil
}

// Overview implements journal.Store. It reads the sums only.
func (j *Journal) Overview(ctx context.Context, since, until time.Time, step time.Duration) (o journal.Overview, err error) {
	since = since.UTC().Truncate(time.Hour)
	if step < time.Hour || step%time.Hour != 0 || until.Sub(since) > maxBuckets*step {
		return o, fmt.Errorf("the overview must have at most %d buckets of whole hours", maxBuckets)
	}
	err = j.db.read(ctx, func(ctx context.Context, q querier) error {
		o = journal.Overview{}
		for start := since; start.Before(until); start = start.Add(step) {
			o.Buckets = append(o.Buckets, journal.Bucket{Start: start})
		}
		err := overviewBuckets(ctx, q, o.Buckets, since, until, step)
		if err == nil {
			err = overviewLists(ctx, q, &o, since, until)
		}
		return err
	})
	if err != nil {
		return journal.Overview{}, err
	}
	return o, nil
}

// bucketSums and listSums are the statements of an overview.
const (
	bucketSums = "SELECT (hour - $1) / $2, kind, SUM(n) FROM journal_counts WHERE hour >= $1 AND hour < $3 AND kind NOT IN ('" + countUnmet + "', '" + countByRule + "') GROUP BY 1, 2"
	// The refusals and the faults of a code are one list.
	listSums = "SELECT CASE kind WHEN '" + countFailed + "' THEN '" + countRefused + "' ELSE kind END, policy, name, SUM(n) FROM journal_counts" +
		" WHERE hour >= $1 AND hour < $2 AND kind IN ('" + countRefused + "', '" + countFailed + "', '" + countUnmet + "', '" + countByRule + "')" +
		" GROUP BY 1, 2, 3 ORDER BY 4 DESC, 2, 3"
)

func overviewBuckets(ctx context.Context, q querier, buckets []journal.Bucket, since, until time.Time, step time.Duration) error {
	return eachRow(ctx, q, bucketSums, []any{since.UnixMicro(), step.Microseconds(), until.UnixMicro()}, func(row scanner) error {
		var (
			at, n int64
			kind  string
		)
		if err := row.Scan(&at, &kind, &n); err != nil {
			return err
		}
		if at < 0 || at >= int64(len(buckets)) {
			return errors.New("the sums of an overview are of another time")
		}
		addTo(&buckets[at], kind, n)
		return nil
	})
}

func addTo(b *journal.Bucket, kind string, n int64) {
	switch kind {
	case countAllowed:
		b.Allowed += n
	case countRefused:
		b.Refused += n
	case countFailed:
		b.Failed += n
	case countReported:
		b.Reported += n
	case countEvent:
		b.Notifications += n
	}
}

func overviewLists(ctx context.Context, q querier, o *journal.Overview, since, until time.Time) error {
	lists := map[string]*[]journal.Count{countRefused: &o.Codes, countUnmet: &o.Unmet, countByRule: &o.Reported}
	return eachRow(ctx, q, listSums, []any{since.UnixMicro(), until.UnixMicro()}, func(row scanner) error {
		var (
			kind string
			c    journal.Count
		)
		if err := row.Scan(&kind, &c.Policy, &c.Name, &c.N); err != nil {
			return err
		}
		if list := lists[kind]; list != nil && len(*list) < maxListed {
			*list = append(*list, c)
		}
		return nil
	})
}

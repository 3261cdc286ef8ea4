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

// What journal_counts counts, as its kind. Totals have no name.
const (
	countAllowed  = "allow"
	countRefused  = "refuse"
	countFailed   = "fault"
	countEvent    = "event"   // lines that are no decision
	countReported = "report"  // decisions that a rule in report-only mode would have refused
	countByCode   = "code"    // refusals and faults by code
	countUnmet    = "unmet"   // refusals by rule: one may have several
	countByRule   = "by-rule" // of countReported, by rule
)

// The spans of time that are summed up. An overview of a month reads totals of hours, and of policies and names the days, not 720 hours.
const (
	spanTotal = "total" // an hour, of all policies and names
	spanHour  = "hour"
	spanDay   = "day" // of UTC
)

// counted is what one row of journal_counts counts.
type counted struct {
	span               string
	start              int64 // in microseconds since 1970
	policy, kind, name string
}

func compareCounted(a, b counted) int {
	return cmp.Or(strings.Compare(a.span, b.span), cmp.Compare(a.start, b.start), strings.Compare(a.policy, b.policy), strings.Compare(a.kind, b.kind), strings.Compare(a.name, b.name))
}

// startOf is when the span of a time begins.
func startOf(at time.Time, span string) int64 {
	length := time.Hour
	if span == spanDay {
		length = 24 * time.Hour
	}
	return at.UTC().Truncate(length).UnixMicro()
}

// countsOf sums a batch up.
func countsOf(entries []journal.Entry) map[counted]int64 {
	counts := map[counted]int64{}
	for _, e := range entries {
		hour, date := startOf(e.ID.Time(), spanHour), startOf(e.ID.Time(), spanDay)
		total := func(kind string) { counts[counted{spanTotal, hour, "", kind, ""}]++ }
		named := func(kind, name string) {
			counts[counted{spanHour, hour, e.Policy, kind, name}]++
			counts[counted{spanDay, date, e.Policy, kind, name}]++
		}
		switch {
		case e.Decision == "":
			total(countEvent)
			continue
		case !isRefused(e):
			total(countAllowed)
		case e.Fault:
			total(countFailed)
			named(countByCode, e.Code)
		default:
			total(countRefused)
			named(countByCode, e.Code)
			for _, rule := range e.Unmet {
				named(countUnmet, rule)
			}
		}
		if len(e.WouldDeny) > 0 {
			total(countReported)
		}
		for _, rule := range e.WouldDeny {
			named(countByRule, rule)
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
			arguments = append(arguments, c.span, c.start, c.policy, c.kind, c.name, counts[c])
		}
		statement := "INSERT INTO journal_counts (span, start, policy, kind, name, n) " + d.dialect.values(len(some), len(arguments)) +
			" ON CONFLICT (span, start, policy, kind, name) DO UPDATE SET n = journal_counts.n + excluded.n"
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

// bucketSums and listSums are the statements of an overview. The lists have whole days from $2 to $3, and the hours before and after.
const (
	bucketSums = "SELECT (start - $1) / $2, kind, SUM(n) FROM journal_counts WHERE span = '" + spanTotal + "' AND start >= $1 AND start < $3 GROUP BY 1, 2"
	listSums   = "SELECT kind, policy, name, SUM(n) FROM (" +
		"SELECT kind, policy, name, n FROM journal_counts WHERE span = '" + spanDay + "' AND start >= $2 AND start < $3" +
		" UNION ALL SELECT kind, policy, name, n FROM journal_counts WHERE span = '" + spanHour + "' AND start >= $1 AND start < $2" +
		" UNION ALL SELECT kind, policy, name, n FROM journal_counts WHERE span = '" + spanHour + "' AND start >= $3 AND start < $4" +
		") AS sums GROUP BY kind, policy, name ORDER BY SUM(n) DESC, policy, name"
)

// listSpans are the arguments of listSums.
func listSpans(since, until time.Time) []any {
	day := 24 * time.Hour
	first, last := since.Truncate(day), until.UTC().Truncate(day)
	if first.Before(since) {
		first = first.Add(day)
	}
	if last.Before(first) { // all within one day, or around one midnight
		first, last = until, until
	}
	return []any{since.UnixMicro(), first.UnixMicro(), last.UnixMicro(), until.UnixMicro()}
}

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
	lists := map[string]*[]journal.Count{countByCode: &o.Codes, countUnmet: &o.Unmet, countByRule: &o.Reported}
	return eachRow(ctx, q, listSums, listSpans(since, until), func(row scanner) error {
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

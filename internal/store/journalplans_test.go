package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/journal"
	"step-posture-connector/internal/store"
)

// pageQueries are the statements that pages of the console, the command and the journal itself use, over what journalRows has filled.
func pageQueries(d *store.DB) []store.Query {
	const page = 50
	week, month := noon().AddDate(0, 0, -7), noon().AddDate(0, 0, -30)
	deep := journal.FirstID(noon().AddDate(0, 0, -45))
	var queries []store.Query
	for _, s := range []struct {
		name   string
		filter journal.Filter
	}{
		{"newest", journal.Filter{}},
		{"newest, from the middle", journal.Filter{Before: deep}},
		{"a reference", journal.Filter{Reference: "0123ABCD"}},
		{"a device", journal.Filter{Key: "SERIAL4711"}},
		{"a device, refused", journal.Filter{Key: "SERIAL4707", Denied: true}},
		{"a device, refused, of a policy and a code", journal.Filter{Key: "SERIAL4707", Denied: true, Policy: "policy3", Code: "code1"}},
		{"a device of a policy", journal.Filter{Key: "SERIAL4711", Policy: "policy3"}},
		{"a device that is unknown", journal.Filter{Key: "SERIAL"}},
		{"refused", journal.Filter{Denied: true}},
		{"refused, from the middle", journal.Filter{Denied: true, Before: deep}},
		{"refused, of a week", journal.Filter{Denied: true, Since: week}},
		{"a code", journal.Filter{Code: "code2"}},
		{"a code that has become rare", journal.Filter{Code: "past", Denied: true}},
		{"a code that never was", journal.Filter{Code: "never", Since: month}},
		{"a policy", journal.Filter{Policy: "policy2"}},
		{"a policy that has become rare", journal.Filter{Policy: "past"}},
		{"a policy that has become rare, of a month", journal.Filter{Policy: "past", Since: month}},
		{"a policy, refused, of a month", journal.Filter{Policy: "policy7", Denied: true, Since: month}},
		{"a policy, refused, that has become rare", journal.Filter{Policy: "past", Denied: true}},
		{"a policy and a code", journal.Filter{Policy: "policy7", Code: "code0"}},
		{"a policy and a code that never was", journal.Filter{Policy: "policy7", Code: "never", Denied: true}},
	} {
		s.filter.Limit = page
		queries = append(queries, d.SearchOf(s.name, s.filter))
	}
	id := journal.NewID(noon())
	queries = append(queries, store.Query{Name: "one decision", Statement: "SELECT id, line, rules FROM journal WHERE id = $1", Arguments: []any{id[:]}})
	for name, days := range map[string]int{"overview of a day": 1, "overview of a week": 7, "overview of a month": 30} {
		queries = append(queries, store.SumsOf(name, noon().AddDate(0, 0, -days), noon(), time.Duration(days)*time.Hour)...)
	}
	slices.SortStableFunc(queries[22:], func(a, b store.Query) int { return strings.Compare(a.Name, b.Name) })
	queries = append(queries, store.AffectedQueries("policy3", "rule1", "SERIAL2")...)
	var keys []string
	for i := range 64 {
		keys = append(keys, fmt.Sprintf("SERIAL%d", i*1001))
	}
	return append(queries, d.WriterQueries("policy3", keys, id)...)
}

// TestJournalPlans: no query reads the whole journal, whatever the database knows of how frequent a value is. Both databases find
// the entries of each search in the order in which they are shown, and sort none.
func TestJournalPlans(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, create func(testing.TB) *backend) {
		t.Helper()
		b := create(t)
		d := b.open(t)
		rows := 100_000
		if b.url.IsSQLite() {
			rows = 5000 // it plans by the indexes alone: nothing here analyzes its tables
		}
		b.administer(t, b.journalRows(rows))
		for _, q := range pageQueries(d) {
			plan, err := d.Explain(t.Context(), q)
			if err != nil {
				t.Errorf("%s: %v", q.Name, err)
				continue
			}
			t.Logf("%s: %s", q.Name, plan)
			for _, bad := range []string{"Seq Scan on journal ", "SCAN journal ", "SCAN j ", "Seq Scan on journal_counts", "journal_affected USING PRIMARY KEY (policy=?);"} {
				if strings.Contains(plan+" ", bad) {
					t.Errorf("%s reads all: %s", q.Name, plan)
				}
			}
			if strings.Contains(q.Statement, "ORDER BY") && strings.Contains(q.Statement, "FROM journal ") && !strings.Contains(q.Statement, "substr(id, 1)") && !strings.HasPrefix(q.Statement, "DELETE") {
				for _, bad := range []string{"Sort", "TEMP B-TREE", "Bitmap"} {
					if strings.Contains(plan, bad) {
						t.Errorf("%s sorts: %s", q.Name, plan)
					}
				}
			}
			if _, err := d.Ask(t.Context(), q); err != nil {
				t.Errorf("%s: %v", q.Name, err)
			}
		}
	})
}

package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/journal"
)

// TestJournal is what both databases must do with the journal.
func TestJournal(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, create func(testing.TB) *backend) {
		t.Helper()
		for _, row := range []struct {
			name string
			test func(*testing.T, *backend)
		}{
			{"an entry is kept as it was added", testEntry},
			{"a batch is added once", testBatchAgain},
			{"every filter, page by page", testFilters},
			{"pages stay while others are added", testStablePages},
			{"long lines come in smaller pages", testLongLines},
			{"nothing stops the journal", testPoison},
		} {
			b := create(t)
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				row.test(t, b)
			})
		}
	})
}

// noon is a time of which entries are.
func noon() time.Time { return time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC) }

// decision is an entry of a device, some time after noon; change makes it what a test needs.
func decision(after time.Duration, device string, change func(*journal.Entry)) journal.Entry {
	e := journal.Entry{
		ID: journal.NewID(noon().Add(after)), Reference: fmt.Sprintf("R%07d", after.Microseconds()%10_000_000), Decision: "allow",
		Policy: "laptops", Door: "webhook", Identifier: strings.ToLower(device), Key: device, Evaluated: true,
	}
	if change != nil {
		change(&e)
	}
	e.Line = fmt.Appendf(nil, `{"reference":%q,"decision":%q,"code":%q}`, e.Reference, e.Decision, e.Code)
	return e
}

func refused(code string, unmet ...string) func(*journal.Entry) {
	return func(e *journal.Entry) {
		e.Decision, e.Code, e.Unmet = "deny", code, unmet
		e.Rules = []byte(`[{"name":"encrypted","result":"unmet","enforced":true}]`)
	}
}

func appendTo(t testing.TB, j journal.Store, batch ...journal.Entry) {
	t.Helper()
	if err := j.Append(t.Context(), batch); err != nil {
		t.Fatalf("Append = %v", err)
	}
}

// all are the entries that a filter selects, read in pages.
func all(t testing.TB, j journal.Store, f journal.Filter) (found []journal.Found) {
	t.Helper()
	for {
		some, more, err := j.Find(t.Context(), f)
		if err != nil {
			t.Fatalf("Find(%+v) = %v", f, err)
		}
		if len(some) > f.Limit || more && len(some) == 0 {
			t.Fatalf("Find(%+v) has %d entries, more: %t", f, len(some), more)
		}
		if found = append(found, some...); !more {
			return found
		}
		f.Before = some[len(some)-1].ID
	}
}

func testEntry(t *testing.T, b *backend) {
	t.Helper()
	j := b.open(t).Journal()
	want := decision(0, "C02XK1ABJHD2", refused("deviceNotCompliant", "encrypted"))
	appendTo(t, j, want, decision(time.Second, "C02XK1ABJHD2", nil))
	found, ok, err := j.Get(t.Context(), want.ID)
	if err != nil || !ok || found.ID != want.ID || string(found.Line) != string(want.Line) || string(found.Rules) != string(want.Rules) {
		t.Errorf("Get = %+v, %t, %v, want %+v", found, ok, err, want)
	}
	if found, ok, err := j.Get(t.Context(), journal.FirstID(noon())); ok || err != nil {
		t.Errorf("Get of an unknown ID = %+v, %t, %v", found, ok, err)
	}
	if err := j.Append(t.Context(), nil); err != nil {
		t.Errorf("Append of nothing = %v", err)
	}
}

// testBatchAgain: whether in whole or in part, what was added before is neither added nor counted again.
func testBatchAgain(t *testing.T, b *backend) {
	t.Helper()
	j := b.open(t).Journal()
	var batch []journal.Entry
	for i := range 300 {
		batch = append(batch, decision(time.Duration(i)*time.Second, "C02XK1ABJHD2", nil))
	}
	batch = append(batch, batch[7])
	appendTo(t, j, batch[:200]...)
	appendTo(t, j, batch[:200]...)
	appendTo(t, j, batch...)
	if n := b.number(t, "SELECT COUNT(*) FROM journal"); n != 300 {
		t.Errorf("the journal has %d entries, want 300", n)
	}
	o, err := j.Overview(t.Context(), noon(), noon().Add(time.Hour), time.Hour)
	if err != nil || len(o.Buckets) != 1 || o.Buckets[0].Allowed != 300 {
		t.Errorf("Overview = %+v, %v, want 300", o, err)
	}
}

// testFilters compares every combination of a filter with a search without indexes.
func testFilters(t *testing.T, b *backend) {
	t.Helper()
	j := b.open(t).Journal()
	var entries []journal.Entry
	for i := range 240 {
		change := func(e *journal.Entry) { e.Reference = fmt.Sprintf("REF%d", i/2) }
		switch i % 4 {
		case 1:
			change = func(e *journal.Entry) { refused("deviceNotFound")(e); e.Policy = "" }
		case 2:
			change = func(e *journal.Entry) { refused("deviceNotCompliant")(e); e.Key = fmt.Sprintf("DEVICE%d", i%3) }
		case 3:
			change = func(e *journal.Entry) { e.Policy, e.Key = "phones", "" }
		}
		entries = append(entries, decision(time.Duration(i)*time.Second, fmt.Sprintf("DEVICE%d", i%5), change))
	}
	entries = append(entries, decision(0, "", func(e *journal.Entry) {
		e.Decision, e.Event, e.Code, e.Policy = "", "notification", "deviceNotFound", ""
	}))
	appendTo(t, j, entries...)
	slices.SortFunc(entries, func(a, b journal.Entry) int { return slices.Compare(b.ID[:], a.ID[:]) })
	filters := []journal.Filter{{Limit: 7}}
	with := func(change func(*journal.Filter)) {
		for _, f := range slices.Clone(filters) {
			change(&f)
			filters = append(filters, f)
		}
	}
	with(func(f *journal.Filter) { f.Key = "DEVICE2" })
	with(func(f *journal.Filter) { f.Policy = "laptops" })
	with(func(f *journal.Filter) { f.Code = "deviceNotFound" })
	with(func(f *journal.Filter) { f.Denied = true })
	with(func(f *journal.Filter) { f.Since = noon().Add(70 * time.Second) })
	with(func(f *journal.Filter) { f.Before = journal.FirstID(noon().Add(200 * time.Second)) })
	with(func(f *journal.Filter) { f.Reference = "REF60" })
	for _, f := range filters {
		var want, got []journal.ID
		for _, e := range entries {
			if selects(f, e) {
				want = append(want, e.ID)
			}
		}
		for _, found := range all(t, j, f) {
			got = append(got, found.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("Find(%+v) has %d entries, want %d", f, len(got), len(want))
		}
	}
}

func selects(f journal.Filter, e journal.Entry) bool {
	return (f.Key == "" || f.Key == e.Key) && (f.Policy == "" || f.Policy == e.Policy) && (f.Code == "" || f.Code == e.Code && e.Decision == "deny") &&
		(!f.Denied || e.Decision == "deny") && (f.Reference == "" || f.Reference == e.Reference) && !e.ID.Time().Before(f.Since) &&
		(f.Before == journal.ID{} || slices.Compare(e.ID[:], f.Before[:]) < 0)
}

// testStablePages: what is added while someone reads neither moves nor repeats the entries of later pages.
func testStablePages(t *testing.T, b *backend) {
	t.Helper()
	j := b.open(t).Journal()
	for i := range 20 {
		appendTo(t, j, decision(time.Duration(i)*time.Second, "C02XK1ABJHD2", nil))
	}
	f, seen := journal.Filter{Key: "C02XK1ABJHD2", Limit: 3}, map[journal.ID]bool{}
	for page := 0; ; page++ {
		found, more, err := j.Find(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found {
			if seen[e.ID] || e.ID.Time().After(noon().Add(19*time.Second)) {
				t.Errorf("page %d has the entry of %v again, or too late", page, e.ID.Time())
			}
			seen[e.ID] = true
		}
		if !more {
			break
		}
		f.Before = found[len(found)-1].ID
		appendTo(t, j, decision(time.Hour+time.Duration(page)*time.Second, "C02XK1ABJHD2", nil))
	}
	if len(seen) != 20 {
		t.Errorf("the pages have %d entries, want 20", len(seen))
	}
	if found, more, err := j.Find(t.Context(), journal.Filter{}); len(found) > 0 || more || err != nil {
		t.Errorf("Find without a limit = %v, %t, %v", found, more, err)
	}
}

func testLongLines(t *testing.T, b *backend) {
	t.Helper()
	j := b.open(t).Journal()
	const long = 400 << 10
	for i := range 30 {
		e := decision(time.Duration(i)*time.Second, "C02XK1ABJHD2", nil)
		e.Line = []byte(`{"reason":"` + strings.Repeat("x", long) + `"}`)
		e.Rules = []byte(`["` + strings.Repeat("x", long) + `"]`)
		appendTo(t, j, e)
	}
	found, more, err := j.Find(t.Context(), journal.Filter{Limit: 30})
	if err != nil || !more || len(found) == 0 || len(found) > 12 {
		t.Errorf("Find = %d entries, %t, %v", len(found), more, err)
	}
	if found := all(t, j, journal.Filter{Limit: 30}); len(found) != 30 {
		t.Errorf("the pages have %d entries, want 30", len(found))
	}
	e := decision(time.Hour, "C02XK1ABJHD2", refused("deviceNotFound"))
	e.Line = []byte(`{"reason":"` + strings.Repeat("x", 1<<20) + `"}`)
	e.Rules = e.Line
	appendTo(t, j, e)
	longest, ok, err := j.Get(t.Context(), e.ID)
	var line struct{ Reference, Reason, Code, Decision string }
	if err != nil || !ok || json.Unmarshal(longest.Line, &line) != nil || line.Reference != e.Reference || line.Code != e.Code || line.Decision != "deny" || line.Reason == "" || len(longest.Rules) > 0 {
		t.Errorf("a line that is too long is %.300s with the rules %q, %v", longest.Line, longest.Rules, err)
	}
}

// testPoison: texts that a database refuses, or an index, do not fail a batch.
func testPoison(t *testing.T, b *backend) {
	t.Helper()
	j := b.open(t).Journal()
	hostile := []string{"\x00", "a\x00b", "\xff\xfe", "\u202e\u2066", "'; DROP TABLE journal; --", "$1", "%", `\`, strings.Repeat("é", 2000), strings.Repeat("x", 1<<20), "\xed\xa0\x80", "𝔘", " "}
	var batch []journal.Entry
	for i, text := range hostile {
		e := journal.Entry{
			ID: journal.NewID(noon().Add(time.Duration(i) * time.Second)), Reference: text, Decision: "deny", Code: text, Policy: text, Door: text,
			Identifier: text, Key: text, Evaluated: true, Unmet: []string{text, text}, WouldDeny: slices.Repeat([]string{text, "other" + text}, 300),
			Line: []byte(text), Rules: []byte(text),
		}
		event := e
		event.ID, event.Decision, event.Event = journal.NewID(noon()), "", text
		batch = append(batch, e, event)
	}
	appendTo(t, j, batch...)
	if found := all(t, j, journal.Filter{Limit: 10}); len(found) != len(batch) {
		t.Errorf("the journal has %d entries, want %d", len(found), len(batch))
	}
	if _, err := j.Overview(t.Context(), noon(), noon().Add(time.Hour), time.Hour); err != nil {
		t.Error(err)
	}
	counts, err := j.Affected(t.Context())
	if err != nil || len(counts) == 0 {
		t.Errorf("Affected = %v, %v", counts, err)
	}
	for _, text := range hostile {
		for _, f := range []journal.Filter{{Key: text}, {Reference: text}, {Policy: text, Code: text}, {Policy: text, Key: text, Code: text, Denied: true}} {
			f.Limit = 1
			if _, _, err := j.Find(t.Context(), f); err != nil {
				t.Errorf("Find(%.40q) = %v", text, err)
			}
		}
		if _, _, err := j.AffectedBy(t.Context(), text, text, text, 1); err != nil {
			t.Errorf("AffectedBy(%.40q) = %v", text, err)
		}
	}
	if found, _, err := j.Find(context.WithoutCancel(t.Context()), journal.Filter{Key: "'; DROP TABLE journal; --", Limit: 10}); err != nil || len(found) != 2 {
		t.Errorf("Find = %v, %v", found, err)
	}
}

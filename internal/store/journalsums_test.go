package store_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/journal"
	"step-posture-connector/internal/store"
)

// TestJournalSums is what both databases must do with what they sum up.
func TestJournalSums(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, create func(testing.TB) *backend) {
		t.Helper()
		for _, row := range []struct {
			name string
			test func(*testing.T, *backend)
		}{
			{"an overview", testOverview},
			{"its bounds", testOverviewBounds},
			{"devices that a rule would refuse", testAffected},
			{"batches of replicas come in any order", testLateBatches},
			{"replicas add at once", testReplicasAdd},
			{"what is old is deleted in batches", testExpire},
		} {
			b := create(t)
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				row.test(t, b)
			})
		}
	})
}

func reported(rules ...string) func(*journal.Entry) {
	return func(e *journal.Entry) { e.WouldDeny = rules }
}

func testOverview(t *testing.T, b *backend) {
	t.Helper()
	j := b.open(t).Journal()
	fault := func(e *journal.Entry) { refused("inventoryUnavailable")(e); e.Fault, e.Evaluated = true, false }
	event := func(e *journal.Entry) { e.Decision, e.Event, e.Policy, e.Evaluated = "", "notification", "", false }
	phones := func(e *journal.Entry) { refused("deviceNotCompliant", "encrypted")(e); e.Policy = "phones" }
	both := func(e *journal.Entry) {
		refused("deviceNotCompliant", "encrypted", "updated")(e)
		e.WouldDeny = []string{"firewall", "screenlock"}
	}
	hour := time.Hour
	appendTo(t, j,
		decision(-time.Microsecond, "A", nil), // the hour before
		decision(0, "A", nil), decision(hour-time.Microsecond, "B", refused("deviceNotFound")), decision(hour/2, "C", fault), decision(hour/2, "", event),
		decision(2*hour, "A", both), decision(2*hour, "B", phones), decision(2*hour, "C", reported("firewall")), decision(3*hour, "C", fault),
		decision(4*hour, "A", nil), // the hour after
	)
	o, err := j.Overview(t.Context(), noon().Add(hour/2), noon().Add(4*hour), 2*hour)
	if err != nil {
		t.Fatal(err)
	}
	buckets := []journal.Bucket{{Start: noon(), Allowed: 1, Refused: 1, Failed: 1, Notifications: 1}, {Start: noon().Add(2 * hour), Allowed: 1, Refused: 2, Failed: 1, Reported: 2}}
	if !slices.Equal(o.Buckets, buckets) {
		t.Errorf("the buckets are %+v, want %+v", o.Buckets, buckets)
	}
	for _, row := range []struct {
		name      string
		got, want []journal.Count
	}{
		{"codes", o.Codes, []journal.Count{{Policy: "laptops", Name: "inventoryUnavailable", N: 2}, {Policy: "laptops", Name: "deviceNotCompliant", N: 1}, {Policy: "laptops", Name: "deviceNotFound", N: 1}, {Policy: "phones", Name: "deviceNotCompliant", N: 1}}},
		{"unmet", o.Unmet, []journal.Count{{Policy: "laptops", Name: "encrypted", N: 1}, {Policy: "laptops", Name: "updated", N: 1}, {Policy: "phones", Name: "encrypted", N: 1}}},
		{"reported", o.Reported, []journal.Count{{Policy: "laptops", Name: "firewall", N: 2}, {Policy: "laptops", Name: "screenlock", N: 1}}},
	} {
		if !slices.Equal(row.got, row.want) {
			t.Errorf("%s are %+v, want %+v", row.name, row.got, row.want)
		}
	}
	empty, err := j.Overview(t.Context(), noon().AddDate(1, 0, 0), noon().AddDate(1, 0, 2), 24*hour)
	if err != nil || len(empty.Buckets) != 2 || empty.Buckets[1] != (journal.Bucket{Start: noon().AddDate(1, 0, 1)}) || len(empty.Codes) > 0 {
		t.Errorf("the overview of another year is %+v, %v", empty, err)
	}
}

func testOverviewBounds(t *testing.T, b *backend) {
	t.Helper()
	j := b.open(t).Journal()
	for _, step := range []time.Duration{0, -time.Hour, time.Minute, time.Hour + time.Second} {
		if _, err := j.Overview(t.Context(), noon(), noon().Add(time.Hour), step); err == nil {
			t.Errorf("Overview with a step of %v succeeded", step)
		}
	}
	if _, err := j.Overview(t.Context(), noon(), noon().Add(1001*time.Hour), time.Hour); err == nil {
		t.Error("Overview with 1001 buckets succeeded")
	}
	if o, err := j.Overview(t.Context(), noon(), noon(), time.Hour); err != nil || len(o.Buckets) > 0 {
		t.Errorf("Overview of no time = %+v, %v", o, err)
	}
	var batch []journal.Entry
	for i := range 300 {
		batch = append(batch, decision(0, "A", refused(fmt.Sprintf("code%d", i))))
	}
	appendTo(t, j, batch...)
	if o, err := j.Overview(t.Context(), noon(), noon().Add(time.Hour), time.Hour); err != nil || len(o.Codes) != 200 || o.Buckets[0].Refused != 300 {
		t.Errorf("Overview has %d codes, %v, want 200", len(o.Codes), err)
	}
}

// affected are the devices of a rule, read in pages of two.
func affected(t testing.TB, j journal.Store, policy, rule string) (keys []string) {
	t.Helper()
	after := ""
	for {
		devices, more, err := j.AffectedBy(t.Context(), policy, rule, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range devices {
			keys = append(keys, d.Key)
			if d.Policy != policy || d.Rule != rule || d.Identifier == "" || d.ID == (journal.ID{}) || d.Reference == "" {
				t.Errorf("AffectedBy(%s, %s) has %+v", policy, rule, d)
			}
		}
		if !more {
			return keys
		}
		after = keys[len(keys)-1]
	}
}

func testAffected(t *testing.T, b *backend) {
	t.Helper()
	j := b.open(t).Journal()
	want := func(what string, firewall, screenlock []string, phones []string) {
		t.Helper()
		for _, row := range []struct {
			policy, rule string
			want         []string
		}{{"laptops", "firewall", firewall}, {"laptops", "screenlock", screenlock}, {"phones", "firewall", phones}} {
			if got := affected(t, j, row.policy, row.rule); !slices.Equal(got, row.want) {
				t.Errorf("%s: %s of %s would refuse %q, want %q", what, row.rule, row.policy, got, row.want)
			}
		}
		counts, err := j.Affected(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		total := int64(0)
		for _, c := range counts {
			total += c.N
		}
		if sum := len(firewall) + len(screenlock) + len(phones); int(total) != sum {
			t.Errorf("%s: Affected = %+v, want %d in all", what, counts, sum)
		}
	}
	onPhones := func(e *journal.Entry) { e.Policy, e.WouldDeny = "phones", []string{"firewall"} }
	appendTo(t, j, decision(1, "a", reported("firewall")), decision(2, "B", reported("firewall", "screenlock", "firewall")), decision(3, "C", reported("firewall")), decision(4, "A", onPhones), decision(5, "", reported("firewall")))
	want("at first", []string{"B", "C", "a"}, []string{"B"}, []string{"A"})
	fault := func(e *journal.Entry) { refused("inventoryUnavailable")(e); e.Fault, e.Evaluated = true, false }
	appendTo(t, j, decision(time.Minute, "B", fault))
	want("after a fault", []string{"B", "C", "a"}, []string{"B"}, []string{"A"})
	appendTo(t, j, decision(2*time.Minute, "B", reported("screenlock")), decision(2*time.Minute, "C", nil))
	want("after other decisions", []string{"a"}, []string{"B"}, []string{"A"})
	// Of one batch the latest counts, in whatever order it has them.
	appendTo(t, j, decision(5*time.Minute, "C", nil), decision(4*time.Minute, "C", reported("firewall")), decision(3*time.Minute, "D", nil), decision(4*time.Minute, "D", reported("firewall")))
	want("after a batch", []string{"D", "a"}, []string{"B"}, []string{"A"})
	moved, _, err := j.AffectedBy(t.Context(), "laptops", "firewall", "", 1)
	if err != nil || len(moved) != 1 || moved[0].ID.Time() != noon().Add(4*time.Minute) {
		t.Errorf("AffectedBy = %+v, %v", moved, err)
	}
	if devices, more, err := j.AffectedBy(t.Context(), "laptops", "firewall", "", 0); len(devices) > 0 || more || err != nil {
		t.Errorf("AffectedBy without a limit = %v, %t, %v", devices, more, err)
	}
}

// testLateBatches: one that comes late neither adds a device, nor removes what a later decision says.
func testLateBatches(t *testing.T, b *backend) {
	t.Helper()
	j := b.open(t).Journal()
	appendTo(t, j, decision(2*time.Minute, "A", nil), decision(2*time.Minute, "B", reported("firewall")), decision(2*time.Minute, "C", reported("firewall")))
	appendTo(t, j, decision(time.Minute, "A", reported("firewall")), decision(time.Minute, "B", nil), decision(time.Minute, "C", reported("screenlock")))
	if got := affected(t, j, "laptops", "firewall"); !slices.Equal(got, []string{"B", "C"}) {
		t.Errorf("firewall would refuse %q", got)
	}
	if got := affected(t, j, "laptops", "screenlock"); len(got) > 0 {
		t.Errorf("screenlock would refuse %q", got)
	}
}

// testReplicasAdd: several daemons add decisions about the same devices at once. All are counted, none is told to try again, and of
// each device the latest decision counts.
func testReplicasAdd(t *testing.T, b *backend) {
	t.Helper()
	const devices, rounds = 40, 25
	databases := []*store.DB{b.open(t)}
	for range 2 {
		if !b.url.IsSQLite() { // a second daemon is refused there
			databases = append(databases, b.open(t))
		}
	}
	var running sync.WaitGroup
	for replica := range 3 {
		j := databases[replica%len(databases)].Journal()
		running.Go(func() {
			for round := range rounds {
				var batch []journal.Entry
				for device := range devices {
					at := time.Duration(round*100+(replica+device+round)%3) * time.Second
					change := reported("firewall")
					if round == rounds-1 && (replica+device+round)%3 == 2 && device%2 == 0 {
						change = nil // the last one of this device
					}
					batch = append(batch, decision(at, fmt.Sprintf("DEVICE%02d", (device*7+replica)%devices), nil))
					batch = append(batch, decision(at, fmt.Sprintf("DEVICE%02d", device), change))
					batch[len(batch)-2].Policy = "phones"
				}
				if err := j.Append(context.WithoutCancel(t.Context()), batch); err != nil {
					t.Errorf("Append = %v", err)
				}
			}
		})
	}
	running.Wait()
	j := databases[0].Journal()
	o, err := j.Overview(t.Context(), noon(), noon().Add(24*time.Hour), 24*time.Hour)
	if want := int64(3 * 2 * devices * rounds); err != nil || o.Buckets[0].Allowed != want {
		t.Errorf("Overview = %+v, %v, want %d", o.Buckets, err, want)
	}
	var want []string
	for device := 1; device < devices; device += 2 {
		want = append(want, fmt.Sprintf("DEVICE%02d", device))
	}
	if got := affected(t, j, "laptops", "firewall"); !slices.Equal(got, want) {
		t.Errorf("firewall would refuse %q, want %q", got, want)
	}
}

func testExpire(t *testing.T, b *backend) {
	t.Helper()
	j := b.open(t).Journal()
	var batch []journal.Entry
	for i := range 500 {
		batch = append(batch, decision(time.Duration(i)*time.Second, fmt.Sprintf("OLD%d", i), reported("firewall")))
	}
	later := noon().Add(3 * time.Hour)
	appendTo(t, j, append(batch, decision(3*time.Hour, "NEW", reported("firewall")), decision(3*time.Hour+time.Minute, "OLD7", reported("firewall")))...)
	calls, total := 0, int64(0)
	for {
		deleted, err := j.Expire(t.Context(), later.Add(time.Second/2))
		if err != nil {
			t.Fatal(err)
		}
		if deleted > 400 {
			t.Errorf("one call deleted %d", deleted)
		}
		if deleted == 0 {
			break
		}
		total, calls = total+deleted, calls+1
	}
	// The entries, the sums of one hour, and the devices without the one that has a later decision.
	if want := int64(501 + 3 + 500); total != want || calls < 5 {
		t.Errorf("%d rows are deleted in %d calls, want %d", total, calls, want)
	}
	if found := all(t, j, journal.Filter{Limit: 10}); len(found) != 1 || found[0].ID.Time() != later.Add(time.Minute) {
		t.Errorf("the journal has %v", found)
	}
	if got := affected(t, j, "laptops", "firewall"); !slices.Equal(got, []string{"OLD7"}) {
		t.Errorf("firewall would refuse %q", got)
	}
	o, err := j.Overview(t.Context(), noon(), later.Add(time.Hour), time.Hour)
	if err != nil || o.Buckets[0] != (journal.Bucket{Start: noon()}) || o.Buckets[3].Allowed != 2 {
		t.Errorf("Overview = %+v, %v", o, err)
	}
	if deleted, err := j.Expire(t.Context(), time.Time{}); deleted != 0 || err != nil {
		t.Errorf("Expire of the beginning of time = %d, %v", deleted, err)
	}
}

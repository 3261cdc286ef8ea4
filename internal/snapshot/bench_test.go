package snapshot

import (
	"fmt"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
)

// benchKeeper returns a keeper with a copy of devices that have all facts.
func benchKeeper(tb testing.TB, devices int) *Keeper {
	tb.Helper()
	inventory := newInventory("")
	clock := &fakeClock{start: time.Now()}
	k := New(Options{Provider: inventory, Settings: Settings{Every: every, MaxAge: maxAge}, Clock: clock})
	b := build(k.fields, "", posture.AllFacts(), read(clock))
	for i := range devices {
		if err := b.add(posture.Listing{Device: full(i)}); err != nil {
			tb.Fatal(err)
		}
	}
	k.state.Load().lists[""].adopt(b.end(posture.Listed{Facts: posture.AllFacts(), Total: devices}))
	return k
}

// few are facts that a rule may read; with all there are groups and attributes too.
func few() posture.FactSet {
	return posture.MustFacts("device.os_version", "device.compliant", "device.last_seen")
}

// TestRecallAllocations: what is not asked for is not made.
func TestRecallAllocations(t *testing.T) {
	k := benchKeeper(t, 100)
	q := ask("C020000007", "")
	for _, test := range []struct {
		name  string
		facts posture.FactSet
		most  float64
	}{
		{"few facts", few(), 2}, // the row, and the key
		{"groups", few() | posture.MustFacts("device.groups"), 3},
		{"all", posture.AllFacts(), 8}, // the UDID, a list and a map more
	} {
		q.Facts = test.facts
		if got := testing.AllocsPerRun(100, func() {
			if _, ok := k.Recall(q); !ok {
				t.Fatal("the copy does not answer")
			}
		}); got > test.most {
			t.Errorf("%s: %v allocations, want at most %v", test.name, got, test.most)
		}
	}
}

func BenchmarkRecall(b *testing.B) {
	const devices = 10_000
	k := benchKeeper(b, devices)
	queries := make([]posture.Query, devices)
	for i := range queries {
		queries[i] = ask(fmt.Sprintf("C02%07d", i), "")
	}
	for name, facts := range map[string]posture.FactSet{"few": few(), "all": posture.AllFacts()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				q := queries[i%devices]
				q.Facts = facts
				if _, ok := k.Recall(q); !ok {
					b.Fatal("the copy does not answer")
				}
				i++
			}
		})
	}
}

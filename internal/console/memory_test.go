package console_test

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/journal"
)

// memory is a journal in memory, the newest entry first: what pages show must not depend on how busy the machine of the tests is.
type memory struct {
	journal.Store // what pages do not call

	entries []journal.Entry
}

func inMemory(tb testing.TB, events ...*audit.Event) *memory {
	tb.Helper()
	entries := entriesOf(tb, events)
	slices.SortFunc(entries, func(a, b journal.Entry) int { return strings.Compare(b.ID.String(), a.ID.String()) })
	return &memory{entries: entries}
}

// Find implements journal.Store.
func (m *memory) Find(_ context.Context, f journal.Filter) (found []journal.Found, more bool, err error) {
	for _, e := range m.entries {
		refused := e.Decision == "deny"
		switch {
		case f.Key != "" && f.Key != e.Key, f.Reference != "" && f.Reference != e.Reference, f.Denied && !refused, f.Code != "" && f.Code != e.Code, f.Policy != "" && f.Policy != e.Policy:
		case !f.Since.IsZero() && e.ID.Time().Before(f.Since), f.Before != (journal.ID{}) && e.ID.String() >= f.Before.String():
		case len(found) == f.Limit:
			return found, true, nil
		default:
			found = append(found, journal.Found{ID: e.ID, Line: e.Line, Rules: e.Rules})
		}
	}
	return found, false, nil
}

// Get implements journal.Store.
func (m *memory) Get(_ context.Context, id journal.ID) (journal.Found, bool, error) {
	for _, e := range m.entries {
		if e.ID == id {
			return journal.Found{ID: e.ID, Line: e.Line, Rules: e.Rules}, true, nil
		}
	}
	return journal.Found{}, false, nil
}

// Overview implements journal.Store.
func (m *memory) Overview(_ context.Context, since, until time.Time, step time.Duration) (o journal.Overview, err error) {
	for at := since; at.Before(until); at = at.Add(step) {
		o.Buckets = append(o.Buckets, journal.Bucket{Start: at})
	}
	codes, unmet := map[journal.Count]int64{}, map[journal.Count]int64{}
	for _, e := range m.entries {
		at := e.ID.Time()
		if at.Before(since) || !at.Before(until) {
			continue
		}
		b := &o.Buckets[at.Sub(since)/step]
		switch {
		case e.Decision == "":
			b.Notifications++
			continue
		case e.Decision == "allow":
			b.Allowed++
			continue
		case e.Fault:
			b.Failed++
		default:
			b.Refused++
		}
		codes[journal.Count{Policy: e.Policy, Name: e.Code}]++
		for _, rule := range e.Unmet {
			unmet[journal.Count{Policy: e.Policy, Name: rule}]++
		}
	}
	o.Codes, o.Unmet = counted(codes), counted(unmet)
	return o, nil
}

func counted(counts map[journal.Count]int64) (all []journal.Count) {
	for c, n := range counts {
		all = append(all, journal.Count{Policy: c.Policy, Name: c.Name, N: n})
	}
	slices.SortFunc(all, func(a, b journal.Count) int {
		return cmp.Or(cmp.Compare(b.N, a.N), strings.Compare(a.Policy, b.Policy), strings.Compare(a.Name, b.Name))
	})
	return all
}

// affected are the devices whose latest decision under a policy each rule would have changed, by their keys.
func (m *memory) affected() map[journal.Count]map[string]journal.Entry {
	rules, seen := map[journal.Count]map[string]journal.Entry{}, map[journal.Count]bool{}
	for _, e := range m.entries {
		device := journal.Count{Policy: e.Policy, Name: e.Key}
		if !e.Evaluated || e.Key == "" || seen[device] {
			continue
		}
		seen[device] = true
		for _, rule := range e.WouldDeny {
			of := journal.Count{Policy: e.Policy, Name: rule}
			if rules[of] == nil {
				rules[of] = map[string]journal.Entry{}
			}
			rules[of][e.Key] = e
		}
	}
	return rules
}

// Affected implements journal.Store.
func (m *memory) Affected(context.Context) ([]journal.Count, error) {
	counts := map[journal.Count]int64{}
	for rule, devices := range m.affected() {
		counts[rule] = int64(len(devices))
	}
	return counted(counts), nil
}

// AffectedBy implements journal.Store.
func (m *memory) AffectedBy(_ context.Context, policy, rule, after string, limit int) (devices []journal.Affected, more bool, err error) {
	of := m.affected()[journal.Count{Policy: policy, Name: rule}]
	for _, key := range slices.Sorted(maps.Keys(of)) {
		switch e := of[key]; {
		case key <= after:
		case len(devices) == limit:
			return devices, true, nil
		default:
			devices = append(devices, journal.Affected{Policy: policy, Rule: rule, Identifier: e.Identifier, Key: key, ID: e.ID, Reference: e.Reference})
		}
	}
	return devices, false, nil
}

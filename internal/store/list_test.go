package store_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/store"
)

// testLimit: only live tokens count, for the identifier and the UDID without regard to how they are written.
func testLimit(t *testing.T, b *backend) {
	t.Helper()
	d := b.open(t)
	var tokens []enroll.Token
	for range enroll.MaxLive {
		tokens = append(tokens, insert(t, d, wanted("C02XK1ABJHD2", "")))
	}
	full := func(identifier, udid string, want error) {
		t.Helper()
		if _, err := d.Insert(t.Context(), wanted(identifier, udid), time.Minute); !errors.Is(err, want) {
			t.Errorf("Insert for %q %q = %v, want %v", identifier, udid, err, want)
		}
	}
	full("C02XK1ABJHD2", "", enroll.ErrTooMany)
	full("c02xk1abjhd2", "", enroll.ErrTooMany)
	full("c02xk1abjhd2", "AAAA", enroll.ErrTooMany)
	full("", "C02XK1ABJHD2", nil) // a UDID is no identifier
	full("C02XK1ABJHD3", "", nil)
	// Three that are not live make room for three.
	bind(t, d, tokens[0], keyOf(1))
	b.age(t, tokens[1].ID, 5*time.Minute)
	if err := d.Revoke(t.Context(), tokens[2].ID, nil); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		full("C02XK1ABJHD2", "AAAA-1", nil)
	}
	full("C02XK1ABJHD2", "", enroll.ErrTooMany)
	for range enroll.MaxLive - 3 {
		insert(t, d, wanted("", "aaaa1"))
	}
	full("", "AA-AA-1", enroll.ErrTooMany)
	full("C02XK1ABJHD4", "aaaa1", enroll.ErrTooMany)
}

func ids(tokens []enroll.Token) (all []string) {
	for _, t := range tokens {
		all = append(all, t.ID)
	}
	return all
}

func testList(t *testing.T, b *backend) {
	t.Helper()
	d := b.open(t)
	list := func(f enroll.Filter, wantMore bool, want ...string) {
		t.Helper()
		tokens, more, err := d.List(t.Context(), f)
		if err != nil || more != wantMore || !slices.Equal(ids(tokens), want) {
			t.Errorf("List(%+v) = %v, %v, %v, want %v, %v", f, ids(tokens), more, err, want, wantMore)
		}
	}
	list(enroll.Filter{}, false)
	first := insert(t, d, wanted("C02XK1ABJHD2", ""))
	second := insert(t, d, wanted("", "AAAA"))
	third := insert(t, d, wanted("C02XK1ABJHD3", ""))
	list(enroll.Filter{}, false, third.ID, second.ID, first.ID)
	list(enroll.Filter{Identifier: enroll.FoldIdentifier("c02xk1abjhd2")}, false, first.ID)
	list(enroll.Filter{Identifier: enroll.FoldIdentifier("AAAA")}, false)
	bind(t, d, second, keyOf(1)) // by C02XK1ABJHD2
	list(enroll.Filter{Identifier: enroll.FoldIdentifier("C02XK1ABJHD2")}, false, second.ID, first.ID)
	tokens, _, err := d.List(t.Context(), enroll.Filter{})
	if err != nil || len(tokens) != 3 || tokens[1].State() != enroll.Used || tokens[1].BoundTo != "C02XK1ABJHD2" || tokens[0].State() != enroll.Live || tokens[2].Identifier != "C02XK1ABJHD2" {
		t.Errorf("List = %+v, %v", tokens, err)
	}
}

func testPolicies(t *testing.T, b *backend) {
	t.Helper()
	d := b.open(t)
	own := insert(t, d, wanted("C02XK1ABJHD2", ""))
	foreign := wanted("C02XK1ABJHD2", "")
	foreign.Policy = "other"
	foreign = insert(t, d, foreign)
	for _, row := range []struct {
		policies []string
		want     []string
	}{
		{nil, []string{foreign.ID, own.ID}},
		{[]string{}, nil},
		{[]string{policy}, []string{own.ID}},
		{[]string{policy, "missing", policy}, []string{own.ID}},
		{[]string{policy, "other"}, []string{foreign.ID, own.ID}},
	} {
		for _, identifier := range []string{"", enroll.FoldIdentifier("C02XK1ABJHD2")} {
			tokens, more, err := d.List(t.Context(), enroll.Filter{Policies: row.policies, Identifier: identifier})
			if err != nil || more || !slices.Equal(ids(tokens), row.want) {
				t.Errorf("List of %q = %v, %v, %v, want %v", row.policies, ids(tokens), more, err, row.want)
			}
		}
	}
	for _, policies := range [][]string{{}, {policy}, {"missing", policy}} {
		if err := d.Revoke(t.Context(), foreign.ID, policies); !errors.Is(err, enroll.ErrUnknown) {
			t.Errorf("Revoke of a token of another policy than %q = %v", policies, err)
		}
	}
	for _, policies := range [][]string{nil, {policy}} {
		if err := d.Revoke(t.Context(), "missing", policies); !errors.Is(err, enroll.ErrUnknown) {
			t.Errorf("Revoke of an unknown token = %v", err)
		}
	}
	if found, err := d.Find(t.Context(), foreign.Hash); err != nil || found.State() != enroll.Live {
		t.Errorf("Find = %+v, %v", found, err)
	}
	if err := d.Revoke(t.Context(), foreign.ID, []string{policy, "other"}); err != nil {
		t.Error(err)
	}
	b.age(t, foreign.ID, time.Second)
	revoked, err := d.Find(t.Context(), foreign.Hash)
	if err != nil || revoked.State() != enroll.Revoked {
		t.Errorf("Find = %+v, %v", revoked, err)
	}
	if err := d.Revoke(t.Context(), foreign.ID, nil); err != nil {
		t.Error(err)
	}
	if again, err := d.Find(t.Context(), foreign.Hash); err != nil || again.Revoked != revoked.Revoked {
		t.Errorf("Find of a token that was revoked twice = %+v, %v, want %v", again, err, revoked.Revoked)
	}
	// One of these policies has very many tokens: the list is full, and the newest come first, of all policies.
	b.administer(t, b.generate(enroll.MaxListed+1, "other"))
	tokens, more, err := d.List(t.Context(), enroll.Filter{Policies: []string{"other", policy}})
	if err != nil || !more || len(tokens) != enroll.MaxListed || slices.ContainsFunc(tokens, func(t enroll.Token) bool { return t.Policy != policy && t.Policy != "other" }) ||
		!slices.IsSortedFunc(tokens, func(a, b enroll.Token) int { return b.Created.Compare(a.Created) }) || !slices.Contains(ids(tokens), own.ID) {
		t.Errorf("List = %d tokens, %v, %v", len(tokens), more, err)
	}
	if tokens, more, err := d.List(t.Context(), enroll.Filter{}); err != nil || !more || len(tokens) != enroll.MaxListed {
		t.Errorf("List = %d tokens, %v, %v", len(tokens), more, err)
	}
}

// testPurge: a token is kept for 7 days after it has expired, or after its key may no longer use it.
func testPurge(t *testing.T, b *backend) {
	t.Helper()
	d := b.open(t)
	const lifetime = 5 * time.Minute
	unused, gone := insert(t, d, wanted("C02XK1ABJHD2", "")), insert(t, d, wanted("C02XK1ABJHD2", ""))
	used, usedGone := bind(t, d, insert(t, d, wanted("C02XK1ABJHD2", "")), keyOf(1)), bind(t, d, insert(t, d, wanted("C02XK1ABJHD2", "")), keyOf(1))
	if err := d.Revoke(t.Context(), unused.ID, nil); err != nil {
		t.Fatal(err)
	}
	b.age(t, unused.ID, enroll.Kept+lifetime-4*time.Minute)
	b.age(t, gone.ID, enroll.Kept+lifetime+time.Second)
	b.age(t, used.ID, enroll.Kept+enroll.KeyLifetime-9*time.Minute)
	b.age(t, usedGone.ID, enroll.Kept+enroll.KeyLifetime+time.Second)
	b.administer(t, b.generate(1000, "old"))
	ctx, cancel := context.WithCancel(t.Context())
	outcomes := make(chan error)
	var running sync.WaitGroup
	replicas := []*store.DB{d}
	if !b.url.IsSQLite() {
		replicas = append(replicas, b.open(t))
	}
	for _, replica := range replicas {
		running.Go(func() {
			replica.Run(ctx, func(err error) {
				select {
				case outcomes <- err:
				case <-ctx.Done():
				}
			})
		})
	}
	for range replicas {
		if err := <-outcomes; err != nil {
			t.Errorf("Run = %v", err)
		}
	}
	for b.number(t, "SELECT COUNT(*) FROM tokens") > 2 && t.Context().Err() == nil {
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	running.Wait()
	tokens, _, err := d.List(t.Context(), enroll.Filter{})
	if err != nil || !slices.Contains(ids(tokens), unused.ID) || !slices.Contains(ids(tokens), used.ID) {
		t.Errorf("after the purge there are %v, %v, want %v", ids(tokens), err, []string{unused.ID, used.ID})
	}
}

// TestPlans: no list reads the tokens of others: SQLite finds each by the index for it, without knowing how many there are.
func TestPlans(t *testing.T) {
	t.Parallel()
	d := onSQLite(t).open(t)
	device := enroll.FoldIdentifier("C02XK1ABJHD2")
	plans, err := d.Plans(t.Context(), enroll.Filter{}, enroll.Filter{Policies: []string{policy}}, enroll.Filter{Identifier: device}, enroll.Filter{Identifier: device, Policies: []string{policy}})
	byDevice := "MULTI-INDEX OR; INDEX 1; SEARCH tokens USING INDEX tokens_identifier (identifier_key=?); INDEX 2; SEARCH tokens USING INDEX tokens_bound_to (bound_to_key=?); USE TEMP B-TREE FOR ORDER BY"
	want := []string{
		"SEARCH tokens USING INDEX tokens_key (policy=? AND key=?); USE TEMP B-TREE FOR ORDER BY",
		"SCAN tokens USING INDEX tokens_created; USE TEMP B-TREE FOR LAST TERM OF ORDER BY",
		"SEARCH tokens USING INDEX tokens_policy (policy=?); USE TEMP B-TREE FOR LAST TERM OF ORDER BY",
		byDevice, byDevice,
	}
	if err != nil || !slices.Equal(plans, want) {
		t.Errorf("the plans are %q, %v, want %q", plans, err, want)
	}
}

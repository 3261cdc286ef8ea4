package store_test

import (
	"errors"
	"testing"
	"time"

	"step-posture-connector/internal/enroll"
)

// TestStore is what both databases must do.
func TestStore(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, create func(testing.TB) *backend) {
		t.Helper()
		for _, row := range []struct {
			name string
			test func(*testing.T, *backend)
		}{
			{"a token is kept as it was issued", testIssued},
			{"the first key wins", testFirstKey},
			{"states", testStates},
			{"live tokens of a device are limited", testLimit},
			{"and no more are issued at once", testLiveTokensAtOnce},
			{"a newer schema", testNewerSchema},
			{"a list has the newest first", testList},
			{"a client sees its own policies", testPolicies},
			{"what is no longer kept is deleted", testPurge},
		} {
			b := create(t)
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				row.test(t, b)
			})
		}
	})
}

func testIssued(t *testing.T, b *backend) {
	t.Helper()
	d := b.open(t)
	want := wanted("c02xk1abjhd2", "0000-aaaa")
	inserted := insert(t, d, want)
	found, err := d.Find(t.Context(), want.Hash)
	if err != nil {
		t.Fatal(err)
	}
	if found.Now.Before(inserted.Now) {
		t.Errorf("the clock went from %v to %v", inserted.Now, found.Now)
	}
	found.Now = inserted.Now
	if found != inserted {
		t.Errorf("Find = %+v, Insert = %+v", found, inserted)
	}
	want.Created, want.Now, want.Expires = inserted.Created, inserted.Now, inserted.Created.Add(5*time.Minute)
	if inserted != want {
		t.Errorf("Insert = %+v, want %+v", inserted, want)
	}
	if inserted.Now != inserted.Created || inserted.State() != enroll.Live || time.Since(inserted.Created).Abs() > time.Minute {
		t.Errorf("a new token was created at %v, read at %v, and is %s", inserted.Created, inserted.Now, inserted.State())
	}
	if _, err := d.Find(t.Context(), enroll.HashOf("other")); !errors.Is(err, enroll.ErrUnknown) {
		t.Errorf("Find of an unknown token = %v", err)
	}
	if _, err := d.Insert(t.Context(), want, time.Minute); err == nil {
		t.Error("the same token was issued twice")
	}
}

func testFirstKey(t *testing.T, b *backend) {
	t.Helper()
	d := b.open(t)
	token := insert(t, d, wanted("C02XK1ABJHD2", ""))
	bound := bind(t, d, token, keyOf(1))
	if bound.State() != enroll.Used || bound.Key != keyOf(1) || bound.BoundTo != "C02XK1ABJHD2" || bound.Bound.Before(bound.Created) || bound.Now.Before(bound.Bound) {
		t.Errorf("Bind = %+v", bound)
	}
	for _, key := range []enroll.Key{keyOf(1), keyOf(2)} {
		again := bind(t, d, token, key)
		again.Now = bound.Now
		if again != bound {
			t.Errorf("Bind of a token that is bound = %+v, want %+v", again, bound)
		}
	}
	if _, err := d.Bind(t.Context(), enroll.HashOf("other"), keyOf(1), "C02XK1ABJHD2"); !errors.Is(err, enroll.ErrUnknown) {
		t.Errorf("Bind of an unknown token = %v", err)
	}
	second := bind(t, d, insert(t, d, wanted("C02XK1ABJHD2", "")), keyOf(1))
	tokens, err := d.Bound(t.Context(), policy, keyOf(1))
	if err != nil || len(tokens) != 2 || tokens[0].ID != second.ID || tokens[1].ID != bound.ID {
		t.Errorf("Bound = %v, %v, want two, the newest first", tokens, err)
	}
	for _, row := range []struct {
		policy string
		key    enroll.Key
	}{{policy, keyOf(2)}, {"other", keyOf(1)}} {
		if tokens, err := d.Bound(t.Context(), row.policy, row.key); err != nil || len(tokens) > 0 {
			t.Errorf("Bound = %v, %v, want none", tokens, err)
		}
	}
}

// testStates: only a live token is bound.
func testStates(t *testing.T, b *backend) {
	t.Helper()
	d := b.open(t)
	expired := insert(t, d, wanted("C02XK1ABJHD2", ""))
	b.age(t, expired.ID, 5*time.Minute)
	if got := bind(t, d, expired, keyOf(1)); got.State() != enroll.Expired || !got.Bound.IsZero() {
		t.Errorf("Bind of an expired token = %+v", got)
	}
	revoked := insert(t, d, wanted("C02XK1ABJHD2", ""))
	if err := d.Revoke(t.Context(), revoked.ID, nil); err != nil {
		t.Fatal(err)
	}
	if got := bind(t, d, revoked, keyOf(1)); got.State() != enroll.Revoked || !got.Bound.IsZero() {
		t.Errorf("Bind of a revoked token = %+v", got)
	}
	used := bind(t, d, insert(t, d, wanted("C02XK1ABJHD2", "")), keyOf(1))
	b.age(t, used.ID, time.Hour)
	if got := bind(t, d, used, keyOf(1)); got.State() != enroll.Used || got.Now.Before(got.KeyExpires()) {
		t.Errorf("Bind of a token that was used long ago = %+v", got)
	}
	if err := d.Revoke(t.Context(), used.ID, nil); err != nil {
		t.Fatal(err)
	}
	if got := bind(t, d, used, keyOf(1)); got.State() != enroll.Revoked || got.Key != keyOf(1) {
		t.Errorf("Bind of a token that was used and revoked = %+v", got)
	}
}

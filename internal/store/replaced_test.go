package store_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/enroll"
)

// TestReplacedFile: once the file was removed or replaced, nothing is answered from it or written to it, without waiting for Run to
// notice. Else a token that was redeemed there would be live again after a restart, and good for a second key.
func TestReplacedFile(t *testing.T) {
	t.Parallel()
	b := onSQLite(t)
	d := b.open(t)
	live, used := insert(t, d, wanted("C02XK1ABJHD2", "")), insert(t, d, wanted("C02XK1ABJHD2", ""))
	bind(t, d, used, keyOf(1))
	path := b.url.Path()
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	for _, replaced := range []bool{false, true} {
		if replaced {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for name, operation := range map[string]func() error{
			"Insert": func() error {
				_, err := d.Insert(t.Context(), wanted("C02XK1ABJHD2", ""), time.Minute)
				return err
			},
			"Find": func() error { _, err := d.Find(t.Context(), live.Hash); return err },
			"Bind": func() error { _, err := d.Bind(t.Context(), live.Hash, keyOf(2), "C02XK1ABJHD2"); return err },
			"Bound": func() error {
				_, err := d.Bound(t.Context(), policy, keyOf(1))
				return err
			},
			"List":   func() error { _, _, err := d.List(t.Context(), enroll.Filter{}); return err },
			"Revoke": func() error { return d.Revoke(t.Context(), live.ID, nil) },
		} {
			if err := operation(); err == nil || !strings.Contains(err.Error(), "removed or replaced") {
				t.Errorf("%s, replaced %v: %v", name, replaced, err)
			}
		}
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	if found, err := d.Find(t.Context(), live.Hash); err != nil || found.State() != enroll.Live {
		t.Errorf("Find of the token that could not be bound = %+v, %v", found, err)
	}
	if all, _, err := d.List(t.Context(), enroll.Filter{}); err != nil || len(all) != 2 {
		t.Errorf("List = %v, %v", all, err)
	}
}

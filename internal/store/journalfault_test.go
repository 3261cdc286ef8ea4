package store_test

import (
	"context"
	"errors"
	"testing"

	"step-posture-connector/internal/journal"
)

// TestJournalFaults: the journal distinguishes what a later try can write from what it cannot.
func TestJournalFaults(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, create func(testing.TB) *backend) {
		t.Helper()
		b := create(t)
		d := b.open(t)
		batch := []journal.Entry{decision(0, "C02", nil)}
		// A unique index is one way in which a database refuses an entry, and not all.
		b.exec(t, "CREATE UNIQUE INDEX once ON journal (code)")
		appendTo(t, d.Journal(), batch...)
		err := d.Journal().Append(t.Context(), []journal.Entry{decision(1, "C03", nil)})
		if !errors.Is(err, journal.ErrRefused) || errors.Is(err, journal.ErrOutage) {
			t.Errorf("an entry that is refused: %v", err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for what, do := range map[string]func() error{
			"a batch that is too late":       func() error { return d.Journal().Append(ended, batch) },
			"an expiry that is too late":     func() error { _, err := d.Journal().Expire(ended, noon()); return err },
			"a transaction that is too late": func() error { _, _, err := d.Journal().Get(ended, batch[0].ID); return err },
		} {
			if err := do(); !errors.Is(err, journal.ErrOutage) || errors.Is(err, journal.ErrRefused) {
				t.Errorf("%s: %v", what, err)
			}
		}
		b.exec(t, "DROP TABLE journal")
		if err := d.Journal().Append(t.Context(), batch); err == nil || errors.Is(err, journal.ErrRefused) {
			t.Errorf("without the table: %v", err)
		}
	})
}

package store

import (
	"context"
	"fmt"
	"time"

	"step-posture-connector/internal/journal"
)

// Expire implements journal.Store. One call deletes one batch, so that others who write need not wait long: of entries, and where
// none is left, of sums and of devices whose latest decision is gone. A file of SQLite does not become smaller: its pages are used
// again.
func (j *Journal) Expire(ctx context.Context, before time.Time) (deleted int64, err error) {
	oldest := journal.FirstID(before)
	for _, s := range []struct {
		statement string
		argument  any
	}{
		{j.db.dialect.expiredEntries, oldest[:]},
		{j.db.dialect.expiredCounts, hourOf(before)}, // the hour itself may have entries
		{j.db.dialect.expiredAffected, oldest[:]},
	} {
		if deleted, err = j.db.expireSome(ctx, s.statement, s.argument); err != nil || deleted > 0 {
			return deleted, err
		}
	}
	return 0, nil
}

func (d *DB) expireSome(ctx context.Context, statement string, argument any) (deleted int64, err error) {
	err = d.write(ctx, func(ctx context.Context, q querier) error {
		result, err := q.ExecContext(ctx, fmt.Sprintf(statement, expireBatch), argument)
		if err != nil {
			return err
		}
		deleted, err = result.RowsAffected()
		return err
	})
	return deleted, err
}

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
	deleted, err = j.db.expireSome(ctx, j.db.dialect.expiredEntries, oldest[:])
	for _, span := range []string{spanTotal, spanHour, spanDay} {
		if err == nil && deleted == 0 {
			deleted, err = j.db.expireSome(ctx, j.db.dialect.expiredCounts, startOf(before, span), span) // the span itself may have entries
		}
	}
	if err == nil && deleted == 0 {
		deleted, err = j.db.expireAffected(ctx, oldest)
	}
	return deleted, err
}

// expireAffected has no index by ID, which each decision would change: it looks for rows first, while others write.
func (d *DB) expireAffected(ctx context.Context, oldest journal.ID) (deleted int64, err error) {
	found := 0
	err = d.read(ctx, func(ctx context.Context, q querier) error {
		return q.QueryRowContext(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM journal_affected WHERE id < $1 LIMIT 1) AS found", oldest[:]).Scan(&found)
	})
	if err != nil || found == 0 {
		return 0, err
	}
	return d.expireSome(ctx, d.dialect.expiredAffected, oldest[:])
}

func (d *DB) expireSome(ctx context.Context, statement string, arguments ...any) (deleted int64, err error) {
	err = d.write(ctx, func(ctx context.Context, q querier) error {
		result, err := q.ExecContext(ctx, fmt.Sprintf(statement, expireBatch), arguments...)
		if err != nil {
			return err
		}
		deleted, err = result.RowsAffected()
		return err
	})
	return deleted, err
}

package store

import (
	"context"
	"fmt"
	"time"
)

// purgeOften purges until ctx ends.
func (d *DB) purgeOften(ctx context.Context) {
	for {
		err := d.purge(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			err = fmt.Errorf("tokens that are no longer kept were not deleted: %w", err)
		}
		d.mu.Lock()
		d.purgeFault = err
		d.mu.Unlock()
		if !wait(ctx, purgeEvery) {
			return
		}
	}
}

// purge deletes the tokens that are no longer kept: in batches, and with as much time between them for others.
func (d *DB) purge(ctx context.Context) error {
	for {
		begin := time.Now()
		deleted, err := d.purgeSome(ctx)
		if err != nil || deleted < purgeBatch {
			return err
		}
		if !wait(ctx, max(purgePause, time.Since(begin))) {
			return nil
		}
	}
}

func (d *DB) purgeSome(ctx context.Context) (deleted int64, err error) {
	err = d.write(ctx, func(ctx context.Context, q querier) error {
		result, err := q.ExecContext(ctx, d.dialect.purge)
		if err != nil {
			return err
		}
		deleted, err = result.RowsAffected()
		return err
	})
	return deleted, err
}

package store

import (
	"context"
	"errors"
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
		// An outage is what Ready reports, and its end too.
		if f := (*fault)(nil); errors.As(err, &f) && f.class.isOutage() {
			err = nil
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
		if err != nil || deleted == 0 { // several replicas share a batch
			return err
		}
		if !wait(ctx, max(purgePause, time.Since(begin))) {
			return nil
		}
	}
}

func (d *DB) purgeSome(ctx context.Context) (deleted int64, err error) {
	err = d.write(ctx, func(ctx context.Context, q querier) error {
		result, err := q.ExecContext(ctx, fmt.Sprintf(d.dialect.expired, d.dialect.now(), purgeBatch))
		if err != nil {
			return err
		}
		deleted, err = result.RowsAffected()
		return err
	})
	return deleted, err
}

package journal

import (
	"context"
	"time"
)

// expireOften deletes what is older than the retention until ctx ends.
func (w *Writer) expireOften(ctx context.Context) {
	for {
		err := w.expire(ctx)
		if ctx.Err() != nil {
			return
		}
		w.watcher.Expired(err)
		if !wait(ctx, expireEvery) {
			return
		}
	}
}

// expire deletes in batches, with as much time between them for others.
func (w *Writer) expire(ctx context.Context) error {
	before := time.Now().Add(-w.retention)
	for {
		begin := time.Now()
		deleted, err := w.store.Expire(ctx, before)
		if err != nil || deleted == 0 {
			return err
		}
		if !wait(ctx, max(expirePause, time.Since(begin))) {
			return nil
		}
	}
}

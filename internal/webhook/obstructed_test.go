package webhook_test

import (
	"context"
	"sync/atomic"

	"step-posture-connector/internal/enroll"
)

// obstructed is a store with faults of a test before it.
type obstructed struct {
	enroll.Store

	// before runs before each operation, whose name it gets. The operation fails with its error.
	before func(ctx context.Context, operation string) error
	calls  atomic.Int64
}

func (o *obstructed) obstacle(ctx context.Context, operation string) error {
	o.calls.Add(1)
	if o.before == nil {
		return nil
	}
	return o.before(ctx, operation)
}

func (o *obstructed) Find(ctx context.Context, h enroll.Hash) (enroll.Token, error) {
	if err := o.obstacle(ctx, "find"); err != nil {
		return enroll.Token{}, err
	}
	return o.Store.Find(ctx, h)
}

func (o *obstructed) Bind(ctx context.Context, h enroll.Hash, key enroll.Key, identifier string) (enroll.Token, error) {
	if err := o.obstacle(ctx, "bind"); err != nil {
		return enroll.Token{}, err
	}
	return o.Store.Bind(ctx, h, key, identifier)
}

func (o *obstructed) Bound(ctx context.Context, policy string, key enroll.Key) ([]enroll.Token, error) {
	if err := o.obstacle(ctx, "bound"); err != nil {
		return nil, err
	}
	return o.Store.Bound(ctx, policy, key)
}

package mosyle

import (
	"context"
	"errors"
	"math"
	"time"

	"step-posture-connector/internal/provider/flight"
)

// begin waits until no other lookup of several requests is under way, in the order in which lookups came. Where many had their
// requests among each other, the rate limit would let some of each go and none whole, so that none would be answered. One that
// has waited until there is too little time left for all of its requests fails without any: they would be missing for the next
// one.
func (p *Provider) begin(ctx context.Context) (end func(), err error) {
	select {
	case p.several <- struct{}{}:
		return p.end, nil
	default:
	}
	left := time.Duration(math.MaxInt64)
	if deadline, ok := flight.Deadline(ctx); ok {
		left = time.Until(deadline) - leastTime
	}
	late := time.NewTimer(left)
	defer late.Stop()
	select {
	case p.several <- struct{}{}:
		return p.end, nil
	case <-late.C:
		return nil, errTooMany
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (p *Provider) end() { <-p.several }

// errTooMany is that of package vendorhttp.
var errTooMany = errors.New("too many lookups for the rate limit of Mosyle")

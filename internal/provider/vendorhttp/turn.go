package vendorhttp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/flight"
)

// turns are those of a rate limit.
type turns struct {
	*rate.Limiter // nil means no limit

	mu sync.Mutex
}

// begin returns when a request that has a place may be sent. The turn is taken last: requests that have waited for a place
// with their turns would come all at once.
func (c *Client) begin(ctx context.Context, r Request) error {
	if !r.login {
		if err := c.takeTurn(ctx); err != nil {
			return fmt.Errorf("%s: %w", r.Endpoint, err)
		}
	}
	return c.lockedOut(r.Endpoint)
}

// takeTurn waits until the rate limit lets a request go, or fails at once where the lookup has not that much time: a
// request that is sent too late is of no use.
func (c *Client) takeTurn(ctx context.Context) error {
	if c.turns.Limiter == nil {
		return nil
	}
	turn, inTime := c.reserve(ctx)
	if !inTime {
		return c.tooMany()
	}
	wait := turn.Delay()
	if wait <= 0 || sleep(ctx, wait) {
		return nil
	}
	turn.Cancel()
	return cmp.Or(context.Cause(ctx), c.tooMany())
}

// reserve takes the next turn, unless that is too late. A turn that is given back after others were taken is lost, so that
// a rush of lookups would keep out those that come after it; therefore no other is taken before it is given back.
func (c *Client) reserve(ctx context.Context) (turn *rate.Reservation, inTime bool) {
	c.turns.mu.Lock()
	defer c.turns.mu.Unlock()
	turn = c.turns.Reserve()
	deadline, ok := flight.Deadline(ctx)
	if wait := turn.Delay(); !turn.OK() || wait > 0 && ok && time.Until(deadline) < wait+LeastTime {
		turn.Cancel()
		return nil, false
	}
	return turn, true
}

// turnsAreTaken reports whether those that wait for a place will have all turns until the lookup's time ends.
func (c *Client) turnsAreTaken(ctx context.Context) bool {
	deadline, ok := flight.Deadline(ctx)
	if c.turns.Limiter == nil || !ok {
		return false
	}
	before := c.way.places.waiting(posture.IsAtDoor(ctx))
	if isFurther(ctx) {
		before = 0
	}
	missing := float64(before) + 1 - c.turns.Tokens()
	return missing > 0 && time.Until(deadline)-LeastTime < time.Duration(missing/c.options.Rate*float64(time.Second))
}

func (c *Client) tooMany() error {
	return errors.New("too many lookups for " + cmp.Or(c.options.RateSetting, "the rate limit of "+c.vendor.Name))
}

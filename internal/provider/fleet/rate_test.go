package fleet_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/provider/fleet"
	"step-posture-connector/internal/provider/fleet/fleettest"
)

// TestRateLimit: a lookup for which there is no turn in time fails at once, and is not sent.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	const lookups = 1000 // at 50 a second, most have no turn within theirs
	server := started(t, fleettest.Options{})
	p := opened(t, configured(server, fleet.Config{}))
	var refused atomic.Int64
	var together sync.WaitGroup
	for i := range lookups {
		q := query(t, fmt.Sprintf("C02ZZ%05d", i))
		together.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if d, err := p.Lookup(ctx, q); err != nil && strings.Contains(err.Error(), "too many lookups for the rate limit of Fleet") {
				refused.Add(1)
			} else if err == nil {
				t.Errorf("Lookup of a device that does not exist = %q", d.Identifier)
			}
		})
	}
	together.Wait()
	if refused.Load() == 0 {
		t.Errorf("of %d lookups at once none had to wait for its turn: %d requests were sent", lookups, server.Count())
	}
}

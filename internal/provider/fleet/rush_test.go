package fleet_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/fleet"
	"step-posture-connector/internal/provider/fleet/fleettest"
)

// TestRush: of more lookups of two requests each than the rate limit lets through in their time, some are answered: the second
// requests do not wait behind the first ones of all others.
func TestRush(t *testing.T) {
	t.Parallel()
	const lookups, some = 400, 3
	devices := make([]fleettest.Device, lookups)
	for i := range devices {
		devices[i] = full()
		devices[i].Serial = fmt.Sprintf("ZZZXK1AB%04d", i)
	}
	server := started(t, fleettest.Options{Devices: devices})
	p := opened(t, configured(server, fleet.Config{Group: "Wi-Fi pilot"}))
	var answered atomic.Int64
	var all sync.WaitGroup
	for _, d := range devices {
		q := posture.Query{Identifier: query(t, d.Serial).Identifier}
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			if _, err := p.Lookup(ctx, q); err == nil {
				answered.Add(1)
			}
		})
	}
	all.Wait()
	if got := answered.Load(); got < some {
		t.Errorf("%d of %d lookups were answered, with %d requests; want %d or more", got, lookups, server.Count(), some)
	}
}

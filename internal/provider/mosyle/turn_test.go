package mosyle_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/mosyle"
	"step-posture-connector/internal/provider/mosyle/mosyletest"
)

// TestRush: of many lookups of four requests each that come at once, some are answered: their requests are not among each other.
func TestRush(t *testing.T) {
	t.Parallel()
	const lookups, inBurst = 100, 5
	server := started(t, mosyletest.Options{Devices: someOfEach()})
	provider, err := mosyle.New(configOf(server, mosyletest.Business))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(provider.Close)
	var answered atomic.Int64
	var all sync.WaitGroup
	for i := range lookups {
		id, err := posture.ParseIdentifier(fmt.Sprintf("ZZZXK1AB%04d", i))
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 8500*time.Millisecond) // as a webhook's
			defer cancel()
			if _, err := provider.Lookup(ctx, posture.Query{Identifier: id, Type: posture.AnyDevice}); errors.Is(err, posture.ErrNotFound) {
				answered.Add(1)
			}
		})
	}
	all.Wait()
	if got := answered.Load(); got < inBurst {
		t.Errorf("%d of %d lookups were answered, with %d requests; want %d or more", got, lookups, server.Count(), inBurst)
	}
}

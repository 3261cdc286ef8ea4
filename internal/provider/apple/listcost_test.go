//go:build !race

package apple_test

import (
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/apple/appletest"
	"step-posture-connector/internal/provider/providertest"
)

// TestListCost: a list of 10,000 devices takes one request for 1,000 of them, and one for a token.
func TestListCost(t *testing.T) {
	t.Parallel()
	server := started(t, appletest.Options{Devices: many(10_000)})
	begin := time.Now()
	devices, requests := providertest.CountList(t, server.Server, opened(t, configOf(server)), posture.AllFacts())
	if devices != 10_000 || requests != 11 {
		t.Errorf("the list has %d devices after %d requests, want 10000 after 11", devices, requests)
	}
	t.Logf("%d devices: %d requests, %v, most at once %d", devices, requests, time.Since(begin).Round(time.Millisecond), server.MostAtOnce())
}

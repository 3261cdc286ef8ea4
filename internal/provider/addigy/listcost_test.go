//go:build !race

package addigy_test

import (
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/addigy/addigytest"
	"step-posture-connector/internal/provider/providertest"
)

// TestListCost: how many requests a list of 10,000 devices takes, and no more of them at once than any lookups.
func TestListCost(t *testing.T) {
	t.Parallel()
	server := started(t, addigytest.Options{Devices: many(10_000), Requests: 130})
	devices, requests := providertest.CountList(t, server.Server, opened(t, configOf(server)), posture.AllFacts())
	t.Logf("a list of %d devices took %d requests", devices, requests)
	if devices != 10_000 || requests != 100 {
		t.Errorf("a list of %d devices took %d requests, want 10000 and 100", devices, requests)
	}
}

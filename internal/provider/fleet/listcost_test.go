//go:build !race

package fleet_test

import (
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/fleet/fleettest"
	"step-posture-connector/internal/provider/providertest"
)

// TestListCost: 10,000 devices are 20 pages and a count.
func TestListCost(t *testing.T) {
	t.Parallel()
	server := started(t, fleettest.Options{Devices: many(10_000)})
	devices, requests := providertest.CountList(t, server.Server, opened(t, configured(server, policyConfig())), posture.AllFacts())
	if devices != 10_000 || requests != 21 {
		t.Errorf("%d devices by %d requests, want 10000 by 21", devices, requests)
	}
	t.Logf("%d devices: %d requests", devices, requests)
}

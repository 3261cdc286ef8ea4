//go:build !race

package iru_test

import (
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/iru/irutest"
	"step-posture-connector/internal/provider/providertest"
)

// TestListCost: 10,000 devices take 35 requests: 34 pages, and one that is empty.
func TestListCost(t *testing.T) {
	t.Parallel()
	const n, want = 10_000, 35
	server := started(t, irutest.Options{Devices: others(n, "C02")})
	provider := opened(t, configOf(server))
	devices, requests := providertest.CountList(t, server.Server, provider, posture.AllFacts())
	if devices != n || requests != want {
		t.Errorf("the list has %d devices and took %d requests, want %d and %d", devices, requests, n, want)
	}
	t.Logf("%d devices: %d requests", devices, requests)
}

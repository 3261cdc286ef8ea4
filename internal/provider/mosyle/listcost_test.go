//go:build !race

package mosyle_test

import (
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/mosyle"
	"step-posture-connector/internal/provider/mosyle/mosyletest"
	"step-posture-connector/internal/provider/providertest"
)

// TestListCost measures what a list of 10,000 devices costs, without the limit of requests.
func TestListCost(t *testing.T) {
	t.Parallel()
	server := started(t, mosyletest.Options{Devices: append(numbered(6000, "mac"), numbered(4000, "ios")...)})
	p, err := mosyle.Unlimited(configOf(server, mosyletest.Business))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	begin := time.Now()
	devices, requests := providertest.CountList(t, server.Server, p, posture.AllFacts())
	t.Logf("%d devices: %d requests, the login included, in %v without the limit of requests", devices, requests, time.Since(begin).Round(time.Millisecond))
	if devices != 10_000 || requests != 105 {
		t.Errorf("%d devices took %d requests, want 10,000 in 105: 100 pages, 4 ends and the login", devices, requests)
	}
}

package e2e_test

import "testing"

// TestDoors runs the connector with its doors behind a real step-ca, FreeRADIUS and three web servers, with the files that we
// ship. The scenarios share them, one after the other: some stop the connector.
func TestDoors(t *testing.T) {
	t.Parallel()
	s := newSiteLab(t, "nginx", "Caddy", "HAProxy")
	for _, scenario := range []struct {
		name string
		run  func(*testing.T, *siteLab)
	}{
		{"life of a device", testLife},
		{"faults", testFaults},
		{"expression as VLAN", testExpressionAsVLAN},
		{"resumed session", testResumed},
		{"device asks", testDeviceAsks},
	} {
		t.Run(scenario.name, func(t *testing.T) { scenario.run(t, s) })
	}
}

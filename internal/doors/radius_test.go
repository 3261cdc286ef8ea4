package doors_test

import (
	"testing"

	"step-posture-connector/internal/test/testca"
)

const plain = inventories + plainPolicies + plainDoors

// A device that the inventory has gets in at both doors.
func TestAllowed(t *testing.T) {
	t.Parallel()
	l := newLab(t, plain)
	cert := l.devices.Device(t, testca.Good(serial))
	got := accepted(t, l.radius(t).device(t, cert))
	if got["reply:Session-Timeout"] != "3600" || len(got) != 3 {
		t.Errorf("the answer is %v", got)
	}
	if got := l.web(t).show(t, cert); got.status != 200 || got.body != `{"allow":true}` {
		t.Errorf("the answer is %d %s", got.status, got.body)
	}
}

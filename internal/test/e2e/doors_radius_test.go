package e2e_test

import (
	"testing"

	"step-posture-connector/internal/test/e2e/radius"
)

func TestTry(t *testing.T) {
	l := newDoorLab(t)
	for _, vlan := range []string{"required", "", "nonsense", "optional"} {
		server := l.radius(t, func(c *radius.Config) { c.VLAN = vlan })
		for _, tls13 := range []bool{false, true} {
			r := connect(t, server, radius.Login{Device: l.device, TLS13: tls13})
			t.Logf("%q %v %v %d", vlan, r.Accepted, r.Attributes, len(l.stub.Questions()))
			if vlan == "required" && tls13 {
				t.Log(r.Output[len(r.Output)-4000:])
				t.Logf("%s", l.stub.Questions()[0].Body)
			}
		}
	}
}

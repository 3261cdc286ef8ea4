package providertest

import (
	"reflect"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
)

// managed reports whether the inventory says that it manages a device.
func managed(d posture.Device) bool {
	is, _ := d.Facts.Managed.Get()
	return is
}

// groups are the groups of a device, as far as the inventory knows them.
func groups(d posture.Device) []string {
	names, _ := d.Facts.Groups.Get()
	return names
}

// factsAreIndependent: a rule that reads one fact gets the value that it would get beside others, and whether a device is
// managed is known in every lookup, because it is judged without a rule.
func factsAreIndependent(t *testing.T, h Harness) {
	inventory := h.open(t, mac(serial, "one"), phone(secondSerial, "two"))
	for identifier, of := range map[string]posture.DeviceType{serial: posture.Computer, secondSerial: posture.MobileDevice} {
		asking := func(asked posture.FactSet) posture.Device {
			q := query(t, identifier, of)
			q.Facts = asked
			device, err := inventory.lookup(t, q, ample)
			if err != nil {
				t.Fatalf("Lookup(%q) for %q = %v, want the device", identifier, asked.Names(), err)
			}
			if device.Identifier != identifier || managed(device) != h.has(Managed) {
				t.Errorf("Lookup(%q) for %q has identifier %q, managed %v", identifier, asked.Names(), device.Identifier, managed(device))
			}
			return device
		}
		asking(0)
		all := asking(posture.AllFacts())
		for _, d := range posture.Vocabulary() {
			alone := asking(d.Set())
			value, known := d.Get(&alone)
			if want, wantKnown := d.Get(&all); known != wantKnown || !reflect.DeepEqual(value, want) {
				t.Errorf("%s of %q is %v (known: %v) if it alone is asked for, and %v (known: %v) among all facts", d.Name, identifier, value, known, want, wantKnown)
			}
			if at, isTime := value.(time.Time); isTime {
				if _, possible := posture.Moment(at, time.Now()).Get(); !possible {
					t.Errorf("%s of %q is %v, want unknown", d.Name, identifier, at)
				}
			}
		}
	}
}

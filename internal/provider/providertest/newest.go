package providertest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
)

// newestCounts: a device that was enrolled again has several records. Which of them the inventory gives first does not matter,
// nor does which was made first; where it does not say which is the last, none counts.
func newestCounts(t *testing.T, h Harness) {
	record := func(identifier string, of posture.DeviceType, seen time.Duration, group string) Device {
		return Device{Identifier: identifier, Type: of, Groups: []string{group}, Seen: seen}
	}
	old, young := record(serial, posture.Computer, 48*time.Hour, "old"), record(serial, posture.Computer, time.Hour, "young")
	gone := record(serial, posture.Computer, time.Hour, "young")
	gone.Unmanaged = true
	for _, devices := range [][]Device{{old, young}, {young, old}, {old, young, old}, {record(strings.ToLower(serial), posture.Computer, 48*time.Hour, "old"), young}} {
		inventory := h.open(t, devices...)
		device := inventory.finds(t, serial, posture.Computer)
		if h.has(Groups) && !slices.Equal(groups(device), []string{"young"}) {
			t.Errorf("of %+v the record with the groups %q counts", devices, groups(device))
		}
	}
	if h.has(Unmanaged) {
		if device := h.open(t, old, gone).finds(t, serial, posture.Computer); managed(device) {
			t.Error("an old record counts, though the newest says that the device is not managed any more")
		}
	}
	for _, devices := range [][]Device{
		{old, old},
		{young, old, young},
		// No enrollments of one device.
		{old, record(serial, posture.MobileDevice, time.Hour, "young")},
	} {
		h.open(t, devices...).refuses(t, query(t, serial, posture.AnyDevice), posture.ErrAmbiguous)
	}
}

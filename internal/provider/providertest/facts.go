package providertest

import "step-posture-connector/internal/posture"

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

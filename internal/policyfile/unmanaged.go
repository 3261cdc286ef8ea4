package policyfile

import (
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
)

// unmanaged reports each policy that asks an inventory which never says that a device is managed, and that does not allow
// devices that are not: it would refuse every device, and its author would look for the reason elsewhere.
func (f *File) unmanaged(policies document.Value) {
	managed := posture.MustFacts("device.managed")
	for _, section := range f.Inventories {
		if section.Facts().Has(managed) || section.Required.Requirements.AllowUnmanaged {
			continue
		}
		for name, v := range policies.Names() {
			if p := f.Policies[name]; p == nil || p.AllowUnmanaged || !v.Has("inventories") {
				continue
			}
			items, _ := v.Member("inventories").List()
			for _, item := range items {
				if text, ok := item.Text(); ok && text == section.Name {
					item.Fault("allow_unmanaged: true in the policy or the inventory, or device.managed in map of the inventory",
						"the inventory never says that a device is managed, so that none would pass")
				}
			}
		}
	}
}

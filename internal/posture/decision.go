package posture

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Code is the stable name of a refusal. It is part of the product's interface: step-ca
// turns it into urn:smallstep:acme:error:<code> for the ACME client.
type Code string

// The refusals that follow from the inventory and the policy.
const (
	DeviceNotFound    Code = "deviceNotFound"
	DeviceAmbiguous   Code = "deviceAmbiguous"
	DeviceNotManaged  Code = "deviceNotManaged"
	DeviceNotInGroup  Code = "deviceNotInGroup"
	IdentifierInvalid Code = "identifierInvalid"
)

// Decision is the answer about one device. Only Policy.Authorize makes one that allows;
// the zero Decision refuses.
type Decision struct {
	allow  bool
	code   Code
	reason string
	groups []string
	device Device
}

// Allowed reports whether the device may have a certificate.
func (d Decision) Allowed() bool { return d.allow }

// Code names the refusal; it is empty when the device is allowed.
func (d Decision) Code() Code { return d.code }

// Reason says why. It is for logs and the administrator: it may name groups, which the person at the
// device must not see.
func (d Decision) Reason() string { return d.reason }

// Groups names the groups that the device had to be a member of, and is.
func (d Decision) Groups() []string { return d.groups }

// Data is the JSON object for the certificate template. It is empty when the inventory has none, and when
// the device is refused.
func (d Decision) Data() json.RawMessage {
	if !d.allow {
		return nil
	}
	return d.device.Data
}

// Device is the record that the decision is about, or the zero Device when the inventory has none. It is for
// the administrator, as Reason is.
func (d Decision) Device() Device { return d.device }

func deny(code Code, reason string) Decision {
	return Decision{code: code, reason: reason}
}

// Policy is what is required of a device that is in the inventory.
// The zero Policy requires only that the device is managed.
type Policy struct {
	// RequiredGroups names, for a device type, the group that devices of that type must be a
	// member of. Names are compared byte for byte.
	RequiredGroups map[DeviceType]string
	// AllowUnmanaged lets a record pass that the inventory keeps but no longer manages.
	AllowUnmanaged bool
}

// RequiredGroups makes Policy.RequiredGroups of a group for computers and a group for mobile devices; "" requires none.
func RequiredGroups(computers, mobileDevices string) map[DeviceType]string {
	groups := map[DeviceType]string{}
	for of, group := range map[DeviceType]string{Computer: computers, MobileDevice: mobileDevices} {
		if group != "" {
			groups[of] = group
		}
	}
	return groups
}

// Authorize decides about d. It is the only maker of a Decision that allows.
func (p Policy) Authorize(d Device) Decision {
	decision := p.judge(d)
	decision.device = d
	return decision
}

func (p Policy) judge(d Device) Decision {
	// Fail closed: a record that does not say it is managed is not.
	if managed, _ := d.Facts.Managed.Get(); !managed && !p.AllowUnmanaged {
		return deny(DeviceNotManaged, "the inventory has the device but does not manage it")
	}
	// Fail closed: without a type, nothing shows that no group is required.
	if len(p.RequiredGroups) > 0 && d.Type != Computer && d.Type != MobileDevice {
		return deny(DeviceNotInGroup, "the inventory does not say which type of device it is, so the required group is unknown")
	}
	group := p.RequiredGroups[d.Type]
	if group == "" {
		return Decision{allow: true, reason: "in the inventory"}
	}
	groups, _ := d.Facts.Groups.Get()
	if !slices.Contains(groups, group) {
		return deny(DeviceNotInGroup, fmt.Sprintf("not a member of the required group %q", group)+nearMiss(group, groups))
	}
	return Decision{allow: true, groups: []string{group}, reason: fmt.Sprintf("in the inventory, member of the required group %q", group)}
}

// Decider asks an inventory, and applies a policy to its answer.
type Decider struct {
	// Name is the provider's name, for logs.
	Name     string
	Provider Provider
	Policy   Policy
	// DefaultType is the device type of a query without one. It is empty where the inventory does not
	// distinguish types.
	DefaultType DeviceType
}

// TypeOf is the device type of q, or the default.
func (dc Decider) TypeOf(q Query) DeviceType { return cmp.Or(q.Type, dc.DefaultType) }

// Decide looks the device up, checks that the record is the one asked for, and applies the policy.
// An error means that no decision could be made; the caller must not let the device pass.
func (dc Decider) Decide(ctx context.Context, q Query) (Decision, error) {
	q.Type = dc.TypeOf(q)
	device, err := dc.Provider.Lookup(ctx, q)
	switch {
	case errors.Is(err, ErrNotFound):
		return deny(DeviceNotFound, err.Error()), nil
	case errors.Is(err, ErrAmbiguous):
		return deny(DeviceAmbiguous, err.Error()), nil
	case errors.Is(err, ErrIdentifier):
		return deny(IdentifierInvalid, err.Error()), nil
	case err != nil:
		return Decision{}, fmt.Errorf("look up device: %w", err)
	}
	// Fail closed: an inventory that returns another device than the one asked for cannot be
	// trusted. That is a fault of the inventory, not a refusal of the device.
	if !q.Identifier.Matches(device) {
		return Decision{}, errors.New("the inventory returned a record with another identifier")
	}
	return dc.Policy.Authorize(device), nil
}

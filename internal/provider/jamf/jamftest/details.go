package jamftest

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// Details are what rules ask about. The zero Details are those of a current device.
type Details struct {
	OSVersion string `json:"os_version,omitempty"`
	// Encrypted is whether FileVault has encrypted a Mac, or whether data protection of a mobile device is on. Nil is what the
	// record has before the device has reported it.
	Encrypted *bool `json:"encrypted,omitempty"`
	// Ownership is that of a mobile device, in the words of the Pro API.
	Ownership    string      `json:"ownership,omitempty"`
	LastContact  time.Time   `json:"last_contact,omitzero"`
	LastEnrolled time.Time   `json:"last_enrolled,omitzero"`
	Attributes   []Attribute `json:"attributes,omitempty"`
}

// Attribute is an extension attribute with its value.
type Attribute struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
	// Section is where Jamf shows it: GENERAL, HARDWARE, OPERATING_SYSTEM, USER_AND_LOCATION or PURCHASING; by default
	// EXTENSION_ATTRIBUTES.
	Section string `json:"section,omitempty"`
}

// Times and texts of records that do not say otherwise.
const (
	someTime     = "2026-07-29T08:31:45.12Z"
	enrolledThen = "2025-02-03T09:00:00Z"
	macModel     = "MacBook Air (13-inch, M3, 2024)"
	padModel     = "iPad (10th generation)"
)

func at(t time.Time, otherwise string) string {
	if t.IsZero() {
		return otherwise
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (d Details) lastContact() string  { return at(d.LastContact, someTime) }
func (d Details) lastEnrolled() string { return at(d.LastEnrolled, enrolledThen) }
func (d Details) osVersion(otherwise string) string {
	return cmp.Or(d.OSVersion, otherwise)
}

// shownIn returns the extension attributes of a section. Mobile devices have their values in another member, and the section
// of each says where it is shown.
func (d Device) shownIn(section string) []map[string]any {
	all := []map[string]any{}
	for i, a := range d.Details.Attributes {
		if cmp.Or(a.Section, "EXTENSION_ATTRIBUTES") != section {
			continue
		}
		if d.Computer {
			all = append(all, map[string]any{
				"definitionId": strconv.Itoa(i + 1), "name": a.Name, "description": nil, "enabled": true, "multiValue": len(a.Values) > 1,
				"values": slices.Clone(a.Values), "dataType": "STRING", "options": []string{}, "inputType": "TEXT",
			})
		} else {
			all = append(all, map[string]any{
				"id": strconv.Itoa(i + 1), "name": a.Name, "type": "STRING", "value": slices.Clone(a.Values),
				"extensionAttributeCollectionAllowed": false, "inventoryDisplay": section,
			})
		}
	}
	return all
}

// fileVault are the words of the Pro API, for the partition to start from and for all of them, and that of the Classic API.
func (d Details) fileVault() (boot, all, classic any) {
	switch {
	case d.Encrypted == nil:
		return "UNKNOWN", "NOT_APPLICABLE", ""
	case *d.Encrypted:
		return "ENCRYPTED", "ALL_ENCRYPTED", "Encrypted"
	}
	return "UNENCRYPTED", "NOT_ENCRYPTED", "Not Encrypted"
}

// epoch is a time as the Classic API writes it, in three ways.
func (q Quirks) epoch(record map[string]any, name, text string) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return
	}
	record[name+"_epoch"] = t.UnixMilli()
	record[name+"_utc"] = t.UTC().Format("2006-01-02T15:04:05.000-0700")
}

// classicAttributes have one value each: the Classic API joins several.
func (q Quirks) classicAttributes(d Device) any {
	var all []any
	for i, a := range d.Details.Attributes {
		value := ""
		if len(a.Values) > 0 {
			value = a.Values[0]
		}
		all = append(all, map[string]any{"id": i + 1, "name": q.text(a.Name), "type": "String", "multi_value": false, "value": q.text(value)})
	}
	return q.list(all)
}

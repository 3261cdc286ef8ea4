package addigy

import (
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorjson"
)

const serialNumber = "serial_number"

// identifiers are the facts of Addigy that are asked for. Without their names, an answer has only some of them.
func identifiers() []string {
	return []string{
		serialNumber, "device_name", "device_model_name", "hardware_model", "product_name", "os_version", "mac_os_x_version", "last_online",
		"is_compliant", "filevault_enabled", "is_supervised", "policy_id", "policy_ids", "current_user", "agent_version",
	}
}

// record is a device as Addigy writes it.
type record struct {
	Agent vendorjson.Text                   `json:"agentid"`
	Facts map[string]vendorjson.Maybe[fact] `json:"facts"`
}

// fact is one fact of a device. Its value decides what it is; the names of types are documented nowhere.
type fact struct {
	Value jsontext.Value  `json:"value"`
	Error vendorjson.Text `json:"error_msg"`
}

// unreadable reports whether it is not certain which device a record is of. One without a serial number is of none.
func (r *record) unreadable() bool {
	serial, has := r.Facts[serialNumber]
	if r.Facts == nil || !has {
		return r.Facts == nil
	}
	return serial.Kind != '{' || r.text(serialNumber).Kind != '"' // nor where Addigy could not find it out
}

// failed reports whether Addigy could not find the fact out. Fail closed: whatever says so is an error, unless it is empty.
func (f fact) failed() bool {
	return f.Error.Said() != "" || f.Error.Kind != 0 && f.Error.Kind != '"' && f.Error.Kind != 'n'
}

// value reads a fact. One that is missing, or that Addigy could not find out, is the zero value, which is unknown.
func value[T any](r *record, identifier string) (read T) {
	f := r.Facts[identifier].Value
	var none T
	if f.failed() || len(f.Value) == 0 || jsonv2.Unmarshal(f.Value, &read) != nil {
		return none
	}
	return read
}

func (r *record) text(identifier string) vendorjson.Text {
	return value[vendorjson.Text](r, identifier)
}

func (r *record) truth(identifier string) posture.Fact[bool] {
	return value[vendorjson.Truth](r, identifier).Fact()
}

// device is what a record says, in lookups and in lists.
func (p *Provider) device(r *record) posture.Device {
	serial := r.text(serialNumber)
	d := posture.Device{Identifier: serial.Said(), Facts: posture.Facts{
		SerialNumber: serial.Fact(), Name: r.text("device_name").Fact(), OSVersion: r.version(),
		Model:      vendorjson.FirstKnown(r.text("device_model_name").Fact(), r.text("hardware_model").Fact(), r.text("product_name").Fact()),
		Supervised: r.truth("is_supervised"), Compliant: r.truth("is_compliant"),
		LastSeen: r.text("last_online").MomentIn(p.now(), layouts()...), Groups: r.groups(), Attributes: r.attributes(),
	}}
	if _, enrolled := r.Agent.Fact().Get(); enrolled {
		// Addigy has records only of devices that were enrolled, and says nowhere in them that one has left.
		d.Facts.Managed = posture.Known(true)
	}
	d.Type, d.Facts.OS = r.system(d.Facts.OSVersion)
	if d.Type != posture.MobileDevice {
		d.Facts.Encrypted = r.truth("filevault_enabled") // only Macs have FileVault
	}
	return d
}

// layouts are the forms of a time. One without a zone is UTC.
func layouts() []string {
	return []string{time.RFC3339, "2006-01-02T15:04:05-0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05"}
}

// version is that of the operating system, which two facts may give. Fail closed: where they differ, it is unknown.
func (r *record) version() posture.Fact[posture.Version] {
	general, mac := r.text("os_version").Version(), r.text("mac_os_x_version").Version()
	one, known := general.Get()
	other, alsoKnown := mac.Get()
	if known && alsoKnown && one.Compare(other) != 0 {
		return posture.Fact[posture.Version]{}
	}
	return vendorjson.FirstKnown(general, mac)
}

// groups are the IDs of the policies that the device is in: known only where each of them is a text.
func (r *record) groups() posture.Fact[[]string] {
	ids := value[[]vendorjson.Text](r, "policy_ids")
	if ids == nil {
		return posture.Fact[[]string]{}
	}
	groups := make([]string, 0, len(ids))
	for _, id := range ids {
		if id.Said() == "" {
			return posture.Fact[[]string]{}
		}
		groups = append(groups, id.Said())
	}
	return posture.Known(groups)
}

// attributes are facts without a word in the vocabulary. The current user is logged in, and not the one to whom the device is
// assigned: a rule about user.username would let in everyone who logs in to the device.
func (r *record) attributes() posture.Fact[map[string]string] {
	found := map[string]string{}
	for _, identifier := range []string{"current_user", "agent_version", "policy_id"} {
		if text := r.text(identifier).Said(); text != "" {
			found[identifier] = text
		}
	}
	return posture.Known(found)
}

// system is the kind of device, and its operating system, which no fact says. Models of Apple do, and so does a version of
// macOS. Fail closed: where these contradict each other, or none says it, both are unknown.
func (r *record) system(version posture.Fact[posture.Version]) (posture.DeviceType, posture.Fact[string]) {
	var kinds []string
	if r.text("mac_os_x_version").Said() != "" {
		kinds = append(kinds, "macOS")
	}
	for _, identifier := range []string{"hardware_model", "device_model_name", "product_name"} {
		if kind := systemOf(r.text(identifier).Said()); kind != "" {
			kinds = append(kinds, kind)
		}
	}
	for _, kind := range kinds {
		if kind != kinds[0] {
			return "", posture.Fact[string]{}
		}
	}
	switch {
	case len(kinds) == 0:
		return "", posture.Fact[string]{}
	case kinds[0] == "macOS":
		return posture.Computer, posture.Known(kinds[0])
	case kinds[0] == "iPadOS":
		return posture.MobileDevice, systemOfIPad(version)
	}
	return posture.MobileDevice, posture.Known(kinds[0])
}

// systemOf is the operating system of a model, or "".
func systemOf(model string) string {
	for _, row := range []struct{ beginning, system string }{
		{"Mac", "macOS"},
		{"iMac", "macOS"},
		{"VirtualMac", "macOS"},
		{"iPad", "iPadOS"},
		{"iPhone", "iOS"},
		{"iPod", "iOS"},
		{"AppleTV", "tvOS"},
		{"Apple TV", "tvOS"},
		{"Watch", "watchOS"},
		{"Apple Watch", "watchOS"},
		{"RealityDevice", "visionOS"},
		{"Apple Vision", "visionOS"},
	} {
		if strings.HasPrefix(model, row.beginning) {
			return row.system
		}
	}
	return ""
}

// systemOfIPad is iOS before version 13.
func systemOfIPad(version posture.Fact[posture.Version]) posture.Fact[string] {
	first, err := posture.ParseVersion("13")
	is, known := version.Get()
	switch {
	case err != nil || !known:
		return posture.Fact[string]{}
	case is.AtLeast(first):
		return posture.Known("iPadOS")
	}
	return posture.Known("iOS")
}

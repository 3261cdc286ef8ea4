package fleet

import (
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorjson"
)

// host is a host as Fleet sends it. Rows of searches and lists lack the members behind Labels.
type host struct {
	ID           uint64          `json:"id"`
	Serial       vendorjson.Text `json:"hardware_serial"`
	UUID         vendorjson.Text `json:"uuid"`
	ComputerName vendorjson.Text `json:"computer_name"`
	DisplayName  vendorjson.Text `json:"display_name"`
	Model        vendorjson.Text `json:"hardware_model"`
	Platform     vendorjson.Text `json:"platform"`
	OSVersion    vendorjson.Text `json:"os_version"`
	SeenTime     vendorjson.Text `json:"seen_time"`
	UpdatedAt    vendorjson.Text `json:"detail_updated_at"`
	EnrolledAt   vendorjson.Text `json:"last_enrolled_at"`
	TeamID       vendorjson.Text `json:"team_id"`
	TeamName     vendorjson.Text `json:"team_name"`
	FleetID      vendorjson.Text `json:"fleet_id"` // the newer name of a team
	FleetName    vendorjson.Text `json:"fleet_name"`

	MDM vendorjson.Maybe[mdm] `json:"mdm"`

	Labels    records[label]   `json:"labels"`
	Policies  records[policy]  `json:"policies"`
	EndUsers  records[endUser] `json:"end_users"`
	Encrypted vendorjson.Truth `json:"disk_encryption_enabled"`
}

type mdm struct {
	EnrollmentStatus vendorjson.Text `json:"enrollment_status"`
	Name             vendorjson.Text `json:"name"`
	ConnectedToFleet vendorjson.Text `json:"connected_to_fleet"`
	DeviceStatus     vendorjson.Text `json:"device_status"`
	PendingAction    vendorjson.Text `json:"pending_action"`
}

type label struct {
	Name vendorjson.Text `json:"name"`
}

type policy struct {
	Name     vendorjson.Text `json:"name"`
	Response vendorjson.Text `json:"response"`
}

// list is a list that may be missing, null, or something else.
type list[T any] struct {
	Values []T
	Known  bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (l *list[T]) UnmarshalJSON(value []byte) error {
	*l = list[T]{}
	if jsontext.Value(value).Kind() == '[' && json.Unmarshal(value, &l.Values) == nil {
		l.Known = true
	}
	return nil
}

// records are a list of objects.
type records[T any] = list[vendorjson.Record[T]]

// factsOfHost are those that no row of a search or list has: labels, policies, end users, and whether the disk is encrypted.
func factsOfHost() posture.FactSet {
	return posture.MustFacts("device.groups", "device.compliant", "device.encrypted", "device.attributes",
		"user.username", "user.realname", "user.email_address", "user.department")
}

// deviceOfRow is what a row of a search or list says.
func (p *Provider) deviceOfRow(h *host) posture.Device {
	now := p.now()
	os, of := system(h.Platform.Said())
	d := posture.Device{Type: of}
	// A record with a placeholder is that of no device.
	if serial := strings.Trim(h.Serial.Said(), " "); !isPlaceholder(strings.ToUpper(serial)) {
		d.Identifier = serial
	}
	d.Facts = posture.Facts{
		SerialNumber: posture.Text(d.Identifier), UDID: h.UUID.Fact(), Model: h.Model.Fact(),
		Name: vendorjson.FirstKnown(h.ComputerName.Fact(), h.DisplayName.Fact()),
		OS:   posture.Word(os, posture.OperatingSystems()), OSVersion: version(os, h.OSVersion.Said()),
		Managed: managed(h.MDM.Value.EnrollmentStatus.Said()), Ownership: ownership(h.MDM.Value.EnrollmentStatus.Said()),
		LastSeen: moment(h.SeenTime, now), EnrolledAt: moment(h.EnrolledAt, now),
	}
	if of == posture.MobileDevice {
		// Mobile devices have no agent: seen_time is then when they were enrolled.
		d.Facts.LastSeen = newer(d.Facts.LastSeen, moment(h.UpdatedAt, now))
	}
	return d
}

// deviceOfHost is what a host by its ID says: what a row says, and the rest.
func (p *Provider) deviceOfHost(h *host) posture.Device {
	d := p.deviceOfRow(h)
	d.Facts.Groups, d.Facts.Compliant, d.Facts.Encrypted = h.groups(), h.compliant(), h.Encrypted.Fact()
	d.Facts.Attributes = posture.Known(h.attributes())
	d.Facts.User = h.user()
	return d
}

// isPlaceholder reports whether a serial number, as Identifier.Key writes it, is a text that computers have in place of one.
func isPlaceholder(key string) bool {
	if strings.Trim(key, "0-. ") == "" {
		return true
	}
	return slices.Contains([]string{
		"-1", "N/A", "NA", "NONE", "NULL", "UNKNOWN", "DEFAULT STRING", "NOT SPECIFIED", "NOT APPLICABLE", "INVALID", "SYSTEM SERIAL NUMBER",
		"TO BE FILLED BY O.E.M.", "O.E.M.", "OEM", "SERIAL", "SERIALNUMBER", "CHASSIS SERIAL NUMBER", "1234567890", "123456789",
	}, key)
}

// managed is whether MDM is on, also that of another vendor. Fleet's words are those of its database; others are unknown.
func managed(status string) posture.Fact[bool] {
	switch status {
	case "On (automatic)", "On (manual)", "On (personal)", "On (manual - personal)", "On (company-owned)":
		return posture.Known(true)
	case "Pending", "Off":
		return posture.Known(false)
	}
	return posture.Fact[bool]{}
}

func ownership(status string) posture.Fact[string] {
	switch status {
	case "On (automatic)", "On (company-owned)":
		return posture.Known("organization")
	case "On (personal)", "On (manual - personal)":
		return posture.Known("personal")
	}
	return posture.Fact[string]{}
}

// system is the operating system of a platform, and the type of device that has it. All that Fleet names after a distribution
// are Linux.
func system(platform string) (os string, of posture.DeviceType) {
	switch platform {
	case "darwin":
		return "macOS", posture.Computer
	case "ios":
		return "iOS", posture.MobileDevice
	case "ipados":
		return "iPadOS", posture.MobileDevice
	case "android":
		return "Android", posture.MobileDevice
	case "windows":
		return "Windows", posture.Computer
	case "chrome":
		return "ChromeOS", posture.Computer
	case "linux", "ubuntu", "debian", "rhel", "centos", "fedora", "sles", "kali", "gentoo", "amzn", "pop", "arch", "archarm", "linuxmint", "void",
		"nixos", "endeavouros", "manjaro", "manjaro-arm", "opensuse-leap", "opensuse-tumbleweed", "tuxedo", "neon":
		return "Linux", posture.Computer
	}
	return "", ""
}

// version is the version in a text such as "macOS 15.5" or "Ubuntu 20.04.3 LTS". The first number in that of Windows is part of
// its name, so it is the word with four numbers there.
func version(os, text string) posture.Fact[posture.Version] {
	for word := range strings.FieldsSeq(text) {
		if word[0] < '0' || word[0] > '9' || os == "Windows" && strings.Count(word, ".") != 3 {
			continue
		}
		return vendorjson.Version(word)
	}
	return posture.Fact[posture.Version]{}
}

// moment is a time. Fleet writes the first second of 2000 for what has never happened.
func moment(t vendorjson.Text, now time.Time) posture.Fact[time.Time] {
	at := t.Moment(now)
	if value, _ := at.Get(); value.Equal(time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)) {
		return posture.Fact[time.Time]{}
	}
	return at
}

func newer(a, b posture.Fact[time.Time]) posture.Fact[time.Time] {
	one, _ := a.Get()
	if other, known := b.Get(); known && other.After(one) {
		return b
	}
	return a
}

package iru

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorjson"
)

// record is a device as the list of devices describes it.
type record struct {
	DeviceID       vendorjson.Text              `json:"device_id"`
	Name           vendorjson.Text              `json:"device_name"`
	Model          vendorjson.Text              `json:"model"`
	Serial         vendorjson.Text              `json:"serial_number"`
	Platform       vendorjson.Text              `json:"platform"`
	OSVersion      vendorjson.Text              `json:"os_version"`
	Build          vendorjson.Text              `json:"supplemental_build_version"`
	LastCheckIn    vendorjson.Text              `json:"last_check_in"`
	LastEnrollment vendorjson.Text              `json:"last_enrollment"`
	User           vendorjson.Maybe[userRecord] `json:"user"`
	AssetTag       vendorjson.Text              `json:"asset_tag"`
	BlueprintID    vendorjson.Text              `json:"blueprint_id"`
	BlueprintName  vendorjson.Text              `json:"blueprint_name"`
	MDMEnabled     vendorjson.Truth             `json:"mdm_enabled"`
	AgentInstalled vendorjson.Truth             `json:"agent_installed"`
	AgentVersion   vendorjson.Text              `json:"agent_version"`
	IsMissing      vendorjson.Truth             `json:"is_missing"`
	IsRemoved      vendorjson.Truth             `json:"is_removed"`
	LostMode       vendorjson.Text              `json:"lost_mode_status"`
	Tags           jsontext.Value               `json:"tags"`
}

// userRecord is the assigned user. In place of the object there is "" where a device has none.
type userRecord struct {
	Name     vendorjson.Text  `json:"name"`
	Email    vendorjson.Text  `json:"email"`
	Archived vendorjson.Truth `json:"is_archived"`
}

// device is what a record says, in lookups and in lists.
func (r *record) device(now time.Time) posture.Device {
	of, os := kindOf(r.Platform.Said())
	user := &r.User.Value
	serial := strings.Trim(r.Serial.Said(), " ") // the search finds it with spaces around it too
	return posture.Device{Identifier: serial, Type: of, Facts: posture.Facts{
		SerialNumber: posture.Text(serial),
		Name:         r.Name.Fact(),
		Model:        r.Model.Fact(),
		OS:           os,
		OSVersion:    r.OSVersion.Version(),
		Managed:      r.managed(),
		LastSeen:     moment(r.LastCheckIn, now),
		EnrolledAt:   moment(r.LastEnrollment, now),
		Groups:       r.groups(),
		Attributes:   posture.Known(r.attributes()),
		User:         posture.UserFacts{Username: user.Email.Fact(), RealName: user.Name.Fact(), EmailAddress: user.Email.Fact()},
	}}
}

// kindOf is the type and the operating system of a platform. Any other word is unknown.
func kindOf(platform string) (posture.DeviceType, posture.Fact[string]) {
	switch platform {
	case "Mac":
		return posture.Computer, posture.Known("macOS")
	case "Windows":
		return posture.Computer, posture.Known("Windows")
	case "iPhone":
		return posture.MobileDevice, posture.Known("iOS")
	case "iPad":
		return posture.MobileDevice, posture.Known("iPadOS")
	case "AppleTV", "Apple TV":
		return posture.MobileDevice, posture.Known("tvOS")
	case "Vision":
		return posture.MobileDevice, posture.Known("visionOS")
	case "Android":
		return posture.MobileDevice, posture.Known("Android")
	}
	return "", posture.Fact[string]{}
}

// managed is whether MDM is on for the device, and its record is not one of a device that was removed. Fail closed: where one
// of the two is not said, it is not known to be managed.
func (r *record) managed() posture.Fact[bool] {
	enabled, saysEnabled := r.MDMEnabled.Fact().Get()
	removed, saysRemoved := r.IsRemoved.Fact().Get()
	switch {
	case saysEnabled && !enabled, saysRemoved && removed:
		return posture.Known(false)
	case saysEnabled && saysRemoved:
		return posture.Known(true)
	}
	return posture.Fact[bool]{}
}

// blueprintPrefix stands in front of the name of the blueprint, which is a group beside the tags.
const blueprintPrefix = "blueprint:"

// groups are the tags and the blueprint as they are, and the blueprint with its prefix too, which no tag can have. Fail closed: where a tag looks like a blueprint, nothing is
// known of the groups; a user who may write tags could otherwise put a device into a blueprint. Likewise where tags or blueprint
// are not said: a rule may ask that a device is not in a group.
func (r *record) groups() posture.Fact[[]string] {
	var tags []vendorjson.Text
	if r.Tags.Kind() != '[' || json.Unmarshal(r.Tags, &tags) != nil || !slices.Contains([]jsontext.Kind{'"', 'n'}, r.BlueprintName.Kind) {
		return posture.Fact[[]string]{}
	}
	groups := make([]string, 0, len(tags)+1)
	for _, tag := range tags {
		name := tag.Said()
		if name == "" || strings.HasPrefix(name, blueprintPrefix) {
			return posture.Fact[[]string]{}
		}
		groups = append(groups, name)
	}
	if name := r.BlueprintName.Said(); name != "" {
		groups = append(groups, name, blueprintPrefix+name)
	}
	return posture.Known(groups)
}

// attributes are what else the record says, by the names that Iru has for it.
func (r *record) attributes() map[string]string {
	all := map[string]string{}
	for name, text := range map[string]vendorjson.Text{
		"asset_tag": r.AssetTag, "blueprint_id": r.BlueprintID, "device_id": r.DeviceID, "lost_mode_status": r.LostMode,
		"agent_version": r.AgentVersion, "supplemental_build_version": r.Build,
	} {
		if text.Said() != "" {
			all[name] = text.Said()
		}
	}
	for name, truth := range map[string]vendorjson.Truth{
		"is_missing": r.IsMissing, "is_removed": r.IsRemoved, "agent_installed": r.AgentInstalled, "user_is_archived": r.User.Value.Archived,
	} {
		if value, known := truth.Fact().Get(); known {
			all[name] = strconv.FormatBool(value)
		}
	}
	return all
}

// moment reads the two forms of times that Iru writes: that of RFC 3339, and one with a blank in place of its T.
func moment(text vendorjson.Text, now time.Time) posture.Fact[time.Time] {
	return vendorjson.FirstKnown(text.Moment(now), text.MomentIn(now, "2006-01-02 15:04:05Z07:00"))
}

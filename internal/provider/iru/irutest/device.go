package irutest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Device is one record of the inventory, in the vendor's words.
type Device struct {
	// DeviceID is given by the server where it is empty. It is that of the record, and no UDID.
	DeviceID  string `json:"device_id,omitempty"`
	Serial    string `json:"serial_number"`
	UDID      string `json:"udid,omitempty"`
	Name      string `json:"device_name,omitempty"`
	Model     string `json:"model,omitempty"`
	Platform  string `json:"platform,omitempty"` // "Mac" where it is empty
	OSVersion string `json:"os_version,omitempty"`
	// LastCheckIn is null in the record where it is empty.
	LastCheckIn     string   `json:"last_check_in,omitempty"`
	FirstEnrollment string   `json:"first_enrollment,omitempty"`
	LastEnrollment  string   `json:"last_enrollment,omitempty"`
	User            *User    `json:"user,omitempty"` // "" in the record where it is nil
	AssetTag        string   `json:"asset_tag,omitempty"`
	BlueprintID     string   `json:"blueprint_id,omitempty"`
	BlueprintName   string   `json:"blueprint_name,omitempty"`
	Tags            []string `json:"tags,omitempty"`
	// MDMEnabled is missing in the record where it is nil.
	MDMEnabled *bool  `json:"mdm_enabled,omitempty"`
	IsMissing  bool   `json:"is_missing,omitempty"`
	IsRemoved  bool   `json:"is_removed,omitempty"`
	LostMode   string `json:"lost_mode_status,omitempty"`
	// Supervised and FileVault are in the details only, and missing there where they are nil.
	Supervised *bool `json:"supervised,omitempty"`
	FileVault  *bool `json:"filevault_enabled,omitempty"`
	// Raw replaces members of the record, and RawDetails sections of the details; null stands for null.
	Raw        map[string]json.RawMessage `json:"raw,omitempty"`
	RawDetails map[string]json.RawMessage `json:"raw_details,omitempty"`
	// Omit names members that the record lacks, and OmitDetails sections that the details lack.
	Omit        []string `json:"omit,omitempty"`
	OmitDetails []string `json:"omit_details,omitempty"`
	// Broken makes the record a list, which no client can read.
	Broken bool `json:"broken,omitempty"`
	// NoDetails makes the details answer 404, as where the device was deleted after the search.
	NoDetails bool `json:"no_details,omitempty"`
}

// User is the user that a device is assigned to.
type User struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Email    string `json:"email"`
	Archived bool   `json:"is_archived"`
}

// recoveryKey stands in the details, which are no secret to a client that may read them. A provider must not repeat it.
const recoveryKey = "recovery-key-5b1c77"

// Add adds records. Several may have the same serial number.
func (s *Server) Add(devices ...Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range devices {
		s.lastID++
		if d.DeviceID == "" {
			d.DeviceID = fmt.Sprintf("9b2f6f52-0000-4000-8000-%012x", s.lastID)
		}
		s.options.Devices = append(s.options.Devices, d)
	}
}

// Replace makes the given records, and no others, the inventory.
func (s *Server) Replace(devices ...Device) {
	s.mu.Lock()
	s.options.Devices = nil
	s.mu.Unlock()
	s.Add(devices...)
}

// Change alters every record with the serial number.
func (s *Server) Change(serial string, change func(*Device)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.Devices = slices.Clone(s.options.Devices)
	for i := range s.options.Devices {
		if s.options.Devices[i].Serial == serial {
			change(&s.options.Devices[i])
		}
	}
}

// matching returns the records whose serial number contains the text, in upper or lower case; all for the empty text.
func (s *Server) matching(serial string) []Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	if serial == "" || s.options.IgnoreFilter {
		return slices.Clone(s.options.Devices)
	}
	var found []Device
	for _, d := range s.options.Devices {
		if strings.Contains(strings.ToLower(d.Serial), strings.ToLower(serial)) {
			found = append(found, d)
		}
	}
	return found
}

// byID returns the record with an ID.
func (s *Server) byID(id string) (Device, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.options.Devices, func(d Device) bool { return d.DeviceID == id && !d.NoDetails })
	if i < 0 {
		return Device{}, false
	}
	return s.options.Devices[i], true
}

// record is the device in a list.
func (d Device) record() any {
	if d.Broken {
		return []string{d.DeviceID, d.Serial}
	}
	r := map[string]any{
		"device_id": d.DeviceID, "device_name": d.Name, "model": d.Model, "serial_number": d.Serial, "platform": d.platform(),
		"os_version": d.OSVersion, "supplemental_build_version": "24F74", "last_check_in": orNull(d.LastCheckIn),
		"user": d.user(), "asset_tag": orNull(d.AssetTag), "blueprint_id": d.BlueprintID, "assigned_blueprint_id": d.BlueprintID,
		"blueprint_name": d.BlueprintName, "agent_installed": true, "agent_version": "4.7.2",
		"is_missing": d.IsMissing, "is_removed": d.IsRemoved, "first_enrollment": d.FirstEnrollment,
		"last_enrollment": d.LastEnrollment, "lost_mode_status": d.LostMode, "tags": append([]string{}, d.Tags...),
	}
	if d.MDMEnabled != nil {
		r["mdm_enabled"] = *d.MDMEnabled
	}
	return spoiled(r, d.Raw, d.Omit)
}

// details are those of the device. Truth values of the section mdm are texts.
func (d Device) details() any {
	mdm := map[string]any{"install_date": d.LastEnrollment, "last_check_in": orNull(d.LastCheckIn), "mdm_enabled_user": []string{}}
	if d.MDMEnabled != nil {
		mdm["mdm_enabled"] = asText(*d.MDMEnabled)
	}
	if d.Supervised != nil {
		mdm["supervised"] = asText(*d.Supervised)
	}
	filevault := map[string]any{"filevault_prk_escrowed": true, "filevault_recoverykey_type": "Personal", "note": recoveryKey}
	if d.FileVault != nil {
		filevault["filevault_enabled"] = *d.FileVault
	}
	return spoiled(map[string]any{
		"general": map[string]any{
			"device_id": d.DeviceID, "device_name": d.Name, "model": d.Model, "platform": d.platform(), "os_version": d.OSVersion,
			"assigned_user": d.user(), "blueprint_name": d.BlueprintName, "blueprint_uuid": d.BlueprintID,
		},
		"mdm": mdm, "filevault": filevault,
		"hardware_overview": map[string]any{
			"model_name": d.Model, "model_identifier": "Mac15,12", "udid": d.UDID, "serial_number": d.Serial,
		},
	}, d.RawDetails, d.OmitDetails)
}

func (d Device) platform() string {
	if d.Platform == "" {
		return "Mac"
	}
	return d.Platform
}

func (d Device) user() any {
	if d.User == nil {
		return ""
	}
	return d.User
}

func spoiled(members map[string]any, raw map[string]json.RawMessage, omit []string) map[string]any {
	for name, value := range raw {
		members[name] = value
	}
	maps.DeleteFunc(members, func(name string, _ any) bool { return slices.Contains(omit, name) })
	return members
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// asText is how Iru writes truth values in the section mdm.
func asText(value bool) string {
	if value {
		return "True"
	}
	return "False"
}

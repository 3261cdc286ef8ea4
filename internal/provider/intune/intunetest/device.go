package intunetest

import (
	"fmt"
	"strings"
	"time"
)

// Device is one record of Intune, with what Entra has of the device and of its user. An empty text is an empty text in the
// record, as in Intune's answers.
type Device struct {
	// ID is given by the server where it is empty.
	ID     string `json:"id,omitempty"`
	Serial string `json:"serial"`
	UDID   string `json:"udid,omitempty"`
	Name   string `json:"name,omitempty"`
	Model  string `json:"model,omitempty"`
	// OS is the operating system as Intune names it: macOS, iOS, Windows and so on.
	OS        string `json:"os,omitempty"`
	OSVersion string `json:"os_version,omitempty"`
	// Compliance is the complianceState, by default compliant.
	Compliance string `json:"compliance,omitempty"`
	// Owner is the managedDeviceOwnerType, by default company.
	Owner string `json:"owner,omitempty"`
	// Agent is the managementAgent, by default mdm.
	Agent      string `json:"agent,omitempty"`
	Supervised bool   `json:"supervised,omitempty"`
	Encrypted  bool   `json:"encrypted,omitempty"`
	// JailBroken is a text, by default Unknown.
	JailBroken     string `json:"jail_broken,omitempty"`
	Category       string `json:"category,omitempty"`
	EnrollmentType string `json:"enrollment_type,omitempty"`
	// LastSync is the time of the last contact, and Enrolled that of the enrollment; the zero time is written as year 1.
	LastSync time.Time `json:"last_sync,omitzero"`
	Enrolled time.Time `json:"enrolled,omitzero"`
	// EntraID is the azureADDeviceId. It is given by the server where the device has groups, and else empty.
	EntraID string  `json:"entra_id,omitempty"`
	Groups  []Group `json:"groups,omitempty"`
	// NotInEntra: Entra does not have the device, or not yet.
	NotInEntra bool `json:"not_in_entra,omitempty"`
	User       User `json:"user,omitzero"`
	// Fields replace members of the record by their names.
	Fields map[string]any `json:"fields,omitempty"`
	// Without are members that the record lacks.
	Without []string `json:"without,omitempty"`
	// Broken: there is a text in place of the record.
	Broken bool `json:"broken,omitempty"`
}

// User is the user of a device.
type User struct {
	// ID is given by the server where the user has a name.
	ID         string `json:"id,omitempty"`
	Username   string `json:"username,omitempty"`
	RealName   string `json:"real_name,omitempty"`
	Email      string `json:"email,omitempty"`
	Position   string `json:"position,omitempty"`
	Department string `json:"department,omitempty"`
}

// Group is a group of Entra that the device is a member of.
type Group struct {
	// ID is made of the name where it is empty.
	ID   string `json:"id,omitempty"`
	Name string `json:"name"`
}

// GroupID is the ID that a group without one gets.
func GroupID(name string) string {
	hash := uint64(14695981039346656037)
	for i := range len(name) {
		hash = (hash ^ uint64(name[i])) * 1099511628211
	}
	return fmt.Sprintf("%08x-0000-4000-9000-%012x", hash>>32, hash&0xffffffff)
}

// Replace makes the given records, and no others, the inventory. Several may have the same serial number.
func (s *Server) Replace(devices ...Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.devices, s.serials, s.entra, s.users = nil, map[string][]int{}, map[string]int{}, map[string]int{}
	for _, d := range devices {
		s.add(d)
	}
}

// Edit alters every record with the serial number.
func (s *Server) Edit(serial string, change func(*Device)) {
	s.mu.Lock()
	devices := s.devices
	s.mu.Unlock()
	changed := make([]Device, 0, len(devices))
	for _, d := range devices {
		if d.Serial == serial {
			change(&d)
		}
		changed = append(changed, d)
	}
	s.Replace(changed...)
}

// add adds a record; s.mu is held.
func (s *Server) add(d Device) {
	guid := func(kind string) string { return fmt.Sprintf("%08x-0000-4000-8000-%s%08x", s.lastID, kind, s.lastID) }
	s.lastID++
	if d.ID == "" {
		d.ID = guid("0001")
	}
	if d.EntraID == "" && len(d.Groups) > 0 {
		d.EntraID = guid("0002")
	}
	if d.User.ID == "" && d.User != (User{}) {
		d.User.ID = guid("0003")
	}
	groups := make([]Group, len(d.Groups))
	for i, g := range d.Groups {
		if g.ID == "" {
			g.ID = GroupID(g.Name)
		}
		groups[i] = g
	}
	d.Groups = groups
	at := len(s.devices)
	s.devices = append(s.devices, d)
	s.serials[fold(d.Serial)] = append(s.serials[fold(d.Serial)], at)
	if d.EntraID != "" && !d.NotInEntra {
		s.entra[strings.ToLower(d.EntraID)] = at
	}
	if d.User.ID != "" {
		s.users[d.User.ID] = at
	}
}

func fold(text string) string { return strings.ToLower(strings.ToUpper(text)) }

// record is the managedDevice as Graph writes it.
func (d *Device) record() map[string]any {
	word := func(text, otherwise string) string {
		if text == "" {
			return otherwise
		}
		return text
	}
	moment := func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.9999999Z07:00") }
	record := map[string]any{
		"id": d.ID, "serialNumber": d.Serial, "udid": d.UDID, "deviceName": d.Name, "model": d.Model,
		"operatingSystem": d.OS, "osVersion": d.OSVersion, "complianceState": word(d.Compliance, "compliant"),
		"managedDeviceOwnerType": word(d.Owner, "company"), "managementAgent": word(d.Agent, "mdm"),
		"isSupervised": d.Supervised, "isEncrypted": d.Encrypted, "jailBroken": word(d.JailBroken, "Unknown"),
		"deviceCategoryDisplayName": d.Category, "deviceEnrollmentType": word(d.EnrollmentType, "userEnrollment"),
		"azureADDeviceId": word(d.EntraID, "00000000-0000-0000-0000-000000000000"),
		"userId":          d.User.ID, "userPrincipalName": d.User.Username, "userDisplayName": d.User.RealName, "emailAddress": d.User.Email,
		"lastSyncDateTime": moment(d.LastSync), "enrolledDateTime": moment(d.Enrolled),
		"manufacturer": "", "phoneNumber": "", "azureADRegistered": nil, "deviceRegistrationState": "registered",
		"complianceGracePeriodExpirationDateTime": "9999-12-31T23:59:59Z",
	}
	for name, value := range d.Fields {
		record[name] = value
	}
	for _, name := range d.Without {
		delete(record, name)
	}
	return record
}

// selected keeps the members that $select names, and the ID, which Graph always returns.
func (d *Device) selected(names []string) any {
	if d.Broken {
		return "damaged"
	}
	all, kept := d.record(), map[string]any{}
	for _, name := range append([]string{"id"}, names...) {
		if value, has := all[name]; has {
			kept[name] = value
		}
	}
	return kept
}

package jamftest

import (
	"slices"
	"strconv"
	"strings"
)

// Device is one record of the inventory.
type Device struct {
	// Computer says which of the two kinds of records it is.
	Computer bool `json:"computer"`
	// ID is given by the server where it is empty.
	ID     string `json:"id,omitempty"`
	Serial string `json:"serial"`
	UDID   string `json:"udid,omitempty"`
	// ProvisioningUDID is the UDID that an attestation carries; it cannot be searched for.
	ProvisioningUDID string `json:"provisioning_udid,omitempty"`
	Name             string `json:"name,omitempty"`
	// Managed is null in the record when it is nil.
	Managed    *bool   `json:"managed"`
	Supervised bool    `json:"supervised,omitempty"`
	User       User    `json:"user,omitzero"`
	Groups     []Group `json:"groups,omitempty"`
	Details    Details `json:"details,omitzero"`
	// Broken names a section that Jamf cannot read, of those that the Pro API has. The record has null in its place; but a
	// server that has exception-handling answers 500 to a search that returns such a mobile device, unless it is LENIENT.
	Broken string `json:"broken,omitempty"`
}

// User is the user of a device, as Jamf assigns it.
type User struct {
	Username   string `json:"username,omitempty"`
	RealName   string `json:"real_name,omitempty"`
	Email      string `json:"email,omitempty"`
	Position   string `json:"position,omitempty"`
	Phone      string `json:"phone,omitempty"`
	Room       string `json:"room,omitempty"`
	Department string `json:"department,omitempty"`
	// DepartmentID replaces the ID of Department in the record.
	DepartmentID string `json:"department_id,omitempty"`
}

// Group is a group that a device is a member of.
type Group struct {
	Name  string `json:"name"`
	Smart bool   `json:"smart,omitempty"`
}

// Add adds records. Several may have the same serial number.
func (s *Server) Add(devices ...Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range devices {
		if d.ID == "" {
			s.lastID++
			d.ID = strconv.Itoa(s.lastID)
		}
		d.Groups = slices.Clone(d.Groups)
		for _, g := range d.Groups {
			idOf(&s.groups, g.Name)
		}
		idOf(&s.depts, d.User.Department)
		s.options.Devices = append(s.options.Devices, d)
	}
	clear(s.sorted)
}

// Replace makes the given records, and no others, the inventory.
func (s *Server) Replace(devices ...Device) {
	s.mu.Lock()
	s.options.Devices = nil
	clear(s.sorted)
	s.mu.Unlock()
	s.Add(devices...)
}

// Remove removes every record with the serial number.
func (s *Server) Remove(serial string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.sorted)
	s.options.Devices = slices.DeleteFunc(slices.Clone(s.options.Devices), func(d Device) bool { return d.Serial == serial })
}

// Change alters every record with the serial number.
func (s *Server) Change(serial string, change func(*Device)) {
	s.mu.Lock()
	var changed []Device
	for _, d := range s.options.Devices {
		if d.Serial == serial {
			change(&d)
			changed = append(changed, d)
		}
	}
	s.mu.Unlock()
	s.Remove(serial)
	s.Add(changed...)
}

// devices returns the records of one kind.
func (s *Server) devices(computers bool) []Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Device
	for _, d := range s.options.Devices {
		if d.Computer == computers {
			found = append(found, d)
		}
	}
	return found
}

// idOf returns the ID of a name, which it gets when it is first seen. The empty name has none.
func idOf(names *[]string, name string) string {
	if name == "" {
		return ""
	}
	i := slices.Index(*names, name)
	if i < 0 {
		*names = append(*names, name)
		i = len(*names) - 1
	}
	return strconv.Itoa(i + 1)
}

func (s *Server) groupID(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return idOf(&s.groups, name)
}

// departmentID is "" where the user has none.
func (s *Server) departmentID(u User) string {
	if u.DepartmentID != "" {
		return u.DepartmentID
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return idOf(&s.depts, u.Department)
}

func (s *Server) departments() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.depts)
}

// sameText compares as Jamf's database does: without regard to case, by Unicode's rules: there
// U+212A (KELVIN SIGN) is a k.
func sameText(a, b string) bool { return strings.EqualFold(a, b) }

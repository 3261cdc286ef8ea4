package jamf

import (
	"context"
	"fmt"
	"net/url"

	"step-posture-connector/internal/posture"
)

// computerRecord is a result of computers-inventory.
// https://developer.jamf.com/jamf-pro/reference/get_v1-computers-inventory
type computerRecord struct {
	ID      text `json:"id"`
	UDID    text `json:"udid"`
	General struct {
		Name             text  `json:"name"`
		Supervised       truth `json:"supervised"`
		LastContact      text  `json:"lastContact"`
		LastContactTime  text  `json:"lastContactTime"` // before version 4
		LastEnrolledDate text  `json:"lastEnrolledDate"`
		RemoteManagement struct {
			Managed truth `json:"managed"`
		} `json:"remoteManagement"`
		Attributes attributes `json:"extensionAttributes"`
	} `json:"general"`
	Hardware struct {
		SerialNumber text       `json:"serialNumber"`
		Model        text       `json:"model"`
		Attributes   attributes `json:"extensionAttributes"`
	} `json:"hardware"`
	OperatingSystem maybe[struct {
		Name             text       `json:"name"`
		Version          text       `json:"version"`
		FileVault2Status text       `json:"fileVault2Status"`
		Attributes       attributes `json:"extensionAttributes"`
	}] `json:"operatingSystem"`
	DiskEncryption maybe[struct {
		Boot maybe[struct {
			State text `json:"partitionFileVault2State"`
		}] `json:"bootPartitionEncryptionDetails"`
	}] `json:"diskEncryption"`
	UserAndLocation struct {
		Username     text       `json:"username"`
		Realname     text       `json:"realname"`
		Email        text       `json:"email"`
		Position     text       `json:"position"`
		DepartmentID text       `json:"departmentId"`
		Attributes   attributes `json:"extensionAttributes"`
	} `json:"userAndLocation"`
	Purchasing maybe[struct {
		Attributes attributes `json:"extensionAttributes"`
	}] `json:"purchasing"`
	Groups     []membership `json:"groupMemberships"`
	Attributes attributes   `json:"extensionAttributes"`
}

// mobileRecord is a result of mobile-devices/detail.
// https://developer.jamf.com/jamf-pro/reference/get_v2-mobile-devices-detail
type mobileRecord struct {
	ID         text `json:"mobileDeviceId"`
	DeviceType text `json:"deviceType"`
	General    struct {
		UDID             text  `json:"udid"`
		DisplayName      text  `json:"displayName"`
		OSVersion        text  `json:"osVersion"`
		Managed          truth `json:"managed"`
		Supervised       truth `json:"supervised"`
		Ownership        text  `json:"deviceOwnershipType"`
		LastEnrolledDate text  `json:"lastEnrolledDate"`
		// LastContactDate is missing before server version 11.29, which has only LastUpdateDate.
		LastContactDate text       `json:"lastContactDate"`
		LastUpdateDate  text       `json:"lastInventoryUpdateDate"`
		Attributes      attributes `json:"extensionAttributes"`
	} `json:"general"`
	Hardware struct {
		SerialNumber    text       `json:"serialNumber"`
		Model           text       `json:"model"`
		ModelIdentifier text       `json:"modelIdentifier"`
		Attributes      attributes `json:"extensionAttributes"`
	} `json:"hardware"`
	Security maybe[struct {
		DataProtected truth `json:"dataProtected"`
	}] `json:"security"`
	UserAndLocation struct {
		Username     text       `json:"username"`
		RealName     text       `json:"realName"`
		EmailAddress text       `json:"emailAddress"`
		Position     text       `json:"position"`
		Department   text       `json:"department"`
		Attributes   attributes `json:"extensionAttributes"`
	} `json:"userAndLocation"`
	Purchasing maybe[struct {
		Attributes attributes `json:"extensionAttributes"`
	}] `json:"purchasing"`
	Groups     []membership `json:"groups"`
	Attributes attributes   `json:"extensionAttributes"`
}

type membership struct {
	GroupName text `json:"groupName"`
}

// groupsOf returns the names of groups, for the data, and as a fact. They are known only where the server gave the list, and
// a name for each of its elements: fail closed, because a rule may ask that a device is not in a group. Converted says that the
// list is one of the Classic API.
func groupsOf[T any](list []T, given, converted bool, nameOf func(T) text) (names []string, fact posture.Fact[[]string]) {
	names = make([]string, 0, len(list))
	for _, element := range list {
		name := nameOf(element)
		names = append(names, name.any)
		given = given && name.any != "" && (converted || name.said() != "")
	}
	if given {
		fact = posture.Known(names)
	}
	return names, fact
}

func (m membership) name() text { return m.GroupName }

func (a *proAPI) computer(ctx context.Context, ask query) (record, error) {
	results, err := a.computers(ctx, ask)
	if err != nil {
		return record{}, err
	}
	found := make([]record, len(results))
	for i := range results {
		found[i] = a.computerOf(&results[i])
	}
	r, err := only(a.client, ask.id, found)
	if err != nil || !ask.department {
		return r, err
	}
	if !ask.mustHaveDepartment {
		name := a.departments.name(ctx, r.departmentID)
		r.user.Department, r.facts.User.Department = name.any, posture.Text(name.said())
		return r, nil
	}
	r.user.Department, err = a.departments.mustName(ctx, r.departmentID)
	if err != nil {
		return record{}, fmt.Errorf("user.department is read, and its name was not answered: %w", err)
	}
	r.facts.User.Department = posture.Text(r.user.Department)
	return r, nil
}

func (a *proAPI) computerOf(c *computerRecord) record {
	u := c.UserAndLocation
	r := record{
		deviceType: posture.Computer, serial: c.Hardware.SerialNumber.any, udid: c.UDID.any, name: c.General.Name.any,
		user:         user{Username: u.Username.any, Realname: u.Realname.any, EmailAddress: u.Email.any, Position: u.Position.any},
		departmentID: u.DepartmentID.any, saysSerial: c.Hardware.SerialNumber.says(),
	}
	now, system := a.now(), c.OperatingSystem.value
	r.facts = posture.Facts{
		SerialNumber: c.Hardware.SerialNumber.fact(), UDID: c.UDID.fact(), Name: c.General.Name.fact(), Model: c.Hardware.Model.fact(),
		OS: posture.Word(system.Name.said(), posture.OperatingSystems()), OSVersion: system.Version.version(),
		Managed: c.General.RemoteManagement.Managed.any, Supervised: c.General.Supervised.fact(),
		Encrypted:  agreed(volume(c.DiskEncryption.value.Boot.value.State.said()), volume(system.FileVault2Status.said())),
		LastSeen:   firstKnown(c.General.LastContact.moment(now), c.General.LastContactTime.moment(now)),
		EnrolledAt: c.General.LastEnrolledDate.moment(now),
		Attributes: merge(false, c.Attributes, c.General.Attributes, c.Hardware.Attributes, system.Attributes, u.Attributes, c.Purchasing.value.Attributes),
		User:       posture.UserFacts{Username: u.Username.fact(), RealName: u.Realname.fact(), EmailAddress: u.Email.fact(), Position: u.Position.fact()},
	}
	r.groups, r.facts.Groups = groupsOf(c.Groups, c.Groups != nil, false, membership.name)
	return r
}

func (a *proAPI) mobile(ctx context.Context, ask query) (record, error) {
	results, err := search[mobileRecord](ctx, a.client, mobileEndpoint, mobilePath, url.Values{
		"section": sectionsFor(a.reading.mobileDevices, ask.need),
		"filter":  {"serialNumber==" + quoteRSQL(ask.id.String())},
	})
	if err != nil {
		return record{}, err
	}
	found := make([]record, len(results))
	for i := range results {
		found[i] = a.mobileOf(&results[i])
	}
	return only(a.client, ask.id, found)
}

func (a *proAPI) mobileOf(m *mobileRecord) record {
	u := m.UserAndLocation
	r := record{
		deviceType: posture.MobileDevice, serial: m.Hardware.SerialNumber.any, udid: m.General.UDID.any, name: m.General.DisplayName.any,
		user:       user{u.Username.any, u.RealName.any, u.EmailAddress.any, u.Position.any, u.Department.any},
		saysSerial: m.Hardware.SerialNumber.says(),
	}
	now, version, model := a.now(), m.General.OSVersion.version(), m.Hardware.ModelIdentifier.said()
	if model == "" {
		model = m.Hardware.Model.said()
	}
	seen := m.General.LastContactDate
	if seen.missing() {
		seen = m.General.LastUpdateDate // an update of the inventory is a contact too, if not the last one
	}
	r.facts = posture.Facts{
		SerialNumber: m.Hardware.SerialNumber.fact(), UDID: m.General.UDID.fact(), Name: m.General.DisplayName.fact(), Model: m.Hardware.Model.fact(),
		OS: mobileSystem(m.DeviceType.said(), model, version), OSVersion: version,
		Managed: m.General.Managed.any, Supervised: m.General.Supervised.fact(), Encrypted: m.Security.value.DataProtected.fact(),
		Ownership: ownerOf(m.General.Ownership.said()),
		LastSeen:  seen.moment(now), EnrolledAt: m.General.LastEnrolledDate.moment(now),
		Attributes: merge(false, m.Attributes, m.General.Attributes, m.Hardware.Attributes, u.Attributes, m.Purchasing.value.Attributes),
		User: posture.UserFacts{
			Username: u.Username.fact(), RealName: u.RealName.fact(), EmailAddress: u.EmailAddress.fact(),
			Position: u.Position.fact(), Department: u.Department.fact(),
		},
	}
	r.groups, r.facts.Groups = groupsOf(m.Groups, m.Groups != nil, false, membership.name)
	return r
}

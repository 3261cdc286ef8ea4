package jamf

import (
	"context"
	"fmt"
	"net/url"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorjson"
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
		names = append(names, name.Any)
		given = given && name.Any != "" && (converted || name.Said() != "")
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
		r.user.Department, r.facts.User.Department = name.Any, posture.Text(name.Said())
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
		deviceType: posture.Computer, serial: c.Hardware.SerialNumber.Any, udid: c.UDID.Any, name: c.General.Name.Any,
		user:         user{Username: u.Username.Any, Realname: u.Realname.Any, EmailAddress: u.Email.Any, Position: u.Position.Any},
		departmentID: u.DepartmentID.Any, saysSerial: c.Hardware.SerialNumber.Says(),
	}
	now, system := a.now(), c.OperatingSystem.Value
	r.facts = posture.Facts{
		SerialNumber: c.Hardware.SerialNumber.Fact(), UDID: c.UDID.Fact(), Name: c.General.Name.Fact(), Model: c.Hardware.Model.Fact(),
		OS: posture.Word(system.Name.Said(), posture.OperatingSystems()), OSVersion: system.Version.Version(),
		Managed: c.General.RemoteManagement.Managed.Any, Supervised: c.General.Supervised.Fact(),
		Encrypted:  agreed(volume(c.DiskEncryption.Value.Boot.Value.State.Said()), volume(system.FileVault2Status.Said())),
		LastSeen:   vendorjson.FirstKnown(c.General.LastContact.Moment(now), c.General.LastContactTime.Moment(now)),
		EnrolledAt: c.General.LastEnrolledDate.Moment(now),
		Attributes: merge(false, c.Attributes, c.General.Attributes, c.Hardware.Attributes, system.Attributes, u.Attributes, c.Purchasing.Value.Attributes),
		User:       posture.UserFacts{Username: u.Username.Fact(), RealName: u.Realname.Fact(), EmailAddress: u.Email.Fact(), Position: u.Position.Fact()},
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
		deviceType: posture.MobileDevice, serial: m.Hardware.SerialNumber.Any, udid: m.General.UDID.Any, name: m.General.DisplayName.Any,
		user: user{
			Username: u.Username.Any, Realname: u.RealName.Any, EmailAddress: u.EmailAddress.Any, Position: u.Position.Any, Department: u.Department.Any,
		},
		saysSerial: m.Hardware.SerialNumber.Says(),
	}
	now, version, model := a.now(), m.General.OSVersion.Version(), m.Hardware.ModelIdentifier.Said()
	if model == "" {
		model = m.Hardware.Model.Said()
	}
	seen := m.General.LastContactDate
	if seen.Missing() {
		seen = m.General.LastUpdateDate // an update of the inventory is a contact too, if not the last one
	}
	r.facts = posture.Facts{
		SerialNumber: m.Hardware.SerialNumber.Fact(), UDID: m.General.UDID.Fact(), Name: m.General.DisplayName.Fact(), Model: m.Hardware.Model.Fact(),
		OS: mobileSystem(m.DeviceType.Said(), model, version), OSVersion: version,
		Managed: m.General.Managed.Any, Supervised: m.General.Supervised.Fact(), Encrypted: m.Security.Value.DataProtected.Fact(),
		Ownership: ownerOf(m.General.Ownership.Said()),
		LastSeen:  seen.Moment(now), EnrolledAt: m.General.LastEnrolledDate.Moment(now),
		Attributes: merge(false, m.Attributes, m.General.Attributes, m.Hardware.Attributes, u.Attributes, m.Purchasing.Value.Attributes),
		User: posture.UserFacts{
			Username: u.Username.Fact(), RealName: u.RealName.Fact(), EmailAddress: u.EmailAddress.Fact(),
			Position: u.Position.Fact(), Department: u.Department.Fact(),
		},
	}
	r.groups, r.facts.Groups = groupsOf(m.Groups, m.Groups != nil, false, membership.name)
	return r
}

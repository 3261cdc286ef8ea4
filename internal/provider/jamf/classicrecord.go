package jamf

import (
	"strings"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorjson"
)

// classicRecord is what the two kinds of records have in common. Its JSON is converted from XML, so
// scalars may be numbers or strings and lists may be single elements.
type classicRecord struct {
	General struct {
		Name             text  `json:"name"`
		DisplayName      text  `json:"display_name"`
		SerialNumber     text  `json:"serial_number"`
		UDID             text  `json:"udid"`
		Supervised       truth `json:"supervised"`
		Managed          truth `json:"managed"` // of a mobile device
		RemoteManagement maybe[struct {
			Managed truth `json:"managed"`
		}] `json:"remote_management"` // of a computer

		// Of a computer.
		LastContactEpoch  text `json:"last_contact_time_epoch"`
		LastContactUTC    text `json:"last_contact_time_utc"`
		LastEnrolledEpoch text `json:"last_enrolled_date_epoch"`
		LastEnrolledUTC   text `json:"last_enrolled_date_utc"`

		// Of a mobile device.
		OSType              text `json:"os_type"`
		OSVersion           text `json:"os_version"`
		Model               text `json:"model"`
		ModelDisplay        text `json:"model_display"`
		ModelIdentifier     text `json:"model_identifier"`
		Ownership           text `json:"device_ownership_level"`
		LastUpdateEpoch     text `json:"last_inventory_update_epoch"`
		LastUpdateUTC       text `json:"last_inventory_update_utc"`
		LastEnrollmentEpoch text `json:"last_enrollment_epoch"`
		LastEnrollmentUTC   text `json:"last_enrollment_utc"`
	} `json:"general"`
	Hardware maybe[struct {
		Model     text              `json:"model"`
		OSName    text              `json:"os_name"`
		OSVersion text              `json:"os_version"`
		Storage   list[maybe[disk]] `json:"storage"`
	}] `json:"hardware"` // of a computer
	Security maybe[struct {
		DataProtection truth `json:"data_protection"`
	}] `json:"security"`
	SecurityObject maybe[struct {
		DataProtection truth `json:"data_protection"`
	}] `json:"security_object"`
	Location maybe[struct {
		Username     text `json:"username"`
		Realname     text `json:"realname"`
		RealName     text `json:"real_name"`
		EmailAddress text `json:"email_address"`
		Position     text `json:"position"`
		Department   text `json:"department"`
	}] `json:"location"`
	GroupsAccounts maybe[struct {
		Memberships list[text] `json:"computer_group_memberships"`
	}] `json:"groups_accounts"`
	MobileDeviceGroups list[classicGroup] `json:"mobile_device_groups"`
	Attributes         attributes         `json:"extension_attributes"`
}

// classicGroup is one of a mobile device.
type classicGroup struct {
	Name text `json:"name"`
}

func (g classicGroup) name() text { return g.Name }

// disk is one of a computer.
type disk struct {
	Partitions list[maybe[struct {
		Type    text `json:"type"`
		Status  text `json:"filevault_status"`
		Status2 text `json:"filevault2_status"`
	}]] `json:"partitions"`
}

func (a *classicAPI) decode(body []byte, endpoint string, t posture.DeviceType) (record, error) {
	var answer struct {
		Computer     *classicRecord `json:"computer"`
		MobileDevice *classicRecord `json:"mobile_device"`
	}
	const aRecord = "a record"
	if err := a.client.Decode(endpoint, aRecord, body, &answer); err != nil {
		return record{}, err
	}
	c := answer.MobileDevice
	if t == posture.Computer {
		c = answer.Computer
	}
	if c == nil {
		return record{}, a.client.NotA(endpoint, aRecord)
	}
	r := c.record(t)
	now := a.now()
	r.facts.LastSeen = vendorjson.FirstKnown(
		milliseconds(c.General.LastContactEpoch, now), c.General.LastContactUTC.Moment(now),
		milliseconds(c.General.LastUpdateEpoch, now), c.General.LastUpdateUTC.Moment(now),
	)
	r.facts.EnrolledAt = vendorjson.FirstKnown(
		milliseconds(c.General.LastEnrolledEpoch, now), c.General.LastEnrolledUTC.Moment(now),
		milliseconds(c.General.LastEnrollmentEpoch, now), c.General.LastEnrollmentUTC.Moment(now),
	)
	return r, nil
}

// record is all but the times.
func (c *classicRecord) record(t posture.DeviceType) record {
	location := c.Location.Value
	r := record{
		deviceType: t, serial: c.General.SerialNumber.Any, udid: c.General.UDID.Any,
		name: firstOf(c.General.Name, c.General.DisplayName),
		user: user{
			Username: location.Username.Any, Realname: firstOf(location.Realname, location.RealName),
			EmailAddress: location.EmailAddress.Any, Position: location.Position.Any, Department: location.Department.Any,
		},
	}
	r.facts = posture.Facts{
		SerialNumber: posture.Text(r.serial), UDID: posture.Text(r.udid), Name: posture.Text(r.name),
		Supervised: c.General.Supervised.Any, Attributes: merge(true, c.Attributes),
		User: posture.UserFacts{
			Username: posture.Text(r.user.Username), RealName: posture.Text(r.user.Realname),
			EmailAddress: posture.Text(r.user.EmailAddress), Position: posture.Text(r.user.Position), Department: posture.Text(r.user.Department),
		},
	}
	if t == posture.Computer {
		memberships := c.GroupsAccounts.Value.Memberships
		r.groups, r.facts.Groups = groupsOf(memberships.elements, memberships.given, true, func(name text) text { return name })
		c.computer(&r.facts)
		return r
	}
	r.groups, r.facts.Groups = groupsOf(c.MobileDeviceGroups.elements, c.MobileDeviceGroups.given, true, classicGroup.name)
	c.mobileDevice(&r.facts)
	return r
}

// computer fills in what only computers have.
func (c *classicRecord) computer(f *posture.Facts) {
	hardware := c.Hardware.Value
	f.Managed = c.General.RemoteManagement.Value.Managed.Any
	f.Model = posture.Text(hardware.Model.Any)
	f.OS = posture.Word(hardware.OSName.Any, posture.OperatingSystems())
	f.OSVersion = convertedVersion(hardware.OSVersion)
	var boot []posture.Fact[bool]
	for _, d := range hardware.Storage.elements {
		for _, p := range d.Value.Partitions.elements {
			if strings.EqualFold(p.Value.Type.Any, "boot") {
				boot = append(boot, volume(p.Value.Status2.Any), volume(p.Value.Status.Any))
			}
		}
	}
	f.Encrypted = agreed(boot...)
}

// mobileDevice fills in what only mobile devices have.
func (c *classicRecord) mobileDevice(f *posture.Facts) {
	g := &c.General
	f.Managed = g.Managed.Any
	f.Model = vendorjson.FirstKnown(posture.Text(g.Model.Any), posture.Text(g.ModelDisplay.Any))
	f.OSVersion = convertedVersion(g.OSVersion)
	f.OS = mobileSystem(g.OSType.Any, firstOf(g.ModelIdentifier, g.Model), f.OSVersion)
	f.Ownership = ownerOf(g.Ownership.Any)
	f.Encrypted = agreed(c.Security.Value.DataProtection.Any, c.SecurityObject.Value.DataProtection.Any)
}

func firstOf(texts ...text) string {
	for _, t := range texts {
		if t.Any != "" {
			return t.Any
		}
	}
	return ""
}

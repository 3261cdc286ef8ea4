package jamf

import (
	"strings"

	"step-posture-connector/internal/posture"
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
	r.facts.LastSeen = firstKnown(
		c.General.LastContactEpoch.milliseconds(now), c.General.LastContactUTC.moment(now),
		c.General.LastUpdateEpoch.milliseconds(now), c.General.LastUpdateUTC.moment(now),
	)
	r.facts.EnrolledAt = firstKnown(
		c.General.LastEnrolledEpoch.milliseconds(now), c.General.LastEnrolledUTC.moment(now),
		c.General.LastEnrollmentEpoch.milliseconds(now), c.General.LastEnrollmentUTC.moment(now),
	)
	return r, nil
}

// record is all but the times.
func (c *classicRecord) record(t posture.DeviceType) record {
	location := c.Location.value
	r := record{
		deviceType: t, serial: c.General.SerialNumber.any, udid: c.General.UDID.any,
		name: firstOf(c.General.Name, c.General.DisplayName),
		user: user{
			Username: location.Username.any, Realname: firstOf(location.Realname, location.RealName),
			EmailAddress: location.EmailAddress.any, Position: location.Position.any, Department: location.Department.any,
		},
	}
	r.facts = posture.Facts{
		SerialNumber: posture.Text(r.serial), UDID: posture.Text(r.udid), Name: posture.Text(r.name),
		Supervised: c.General.Supervised.any, Attributes: merge(true, c.Attributes),
		User: posture.UserFacts{
			Username: posture.Text(r.user.Username), RealName: posture.Text(r.user.Realname),
			EmailAddress: posture.Text(r.user.EmailAddress), Position: posture.Text(r.user.Position), Department: posture.Text(r.user.Department),
		},
	}
	if t == posture.Computer {
		memberships := c.GroupsAccounts.value.Memberships
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
	hardware := c.Hardware.value
	f.Managed = c.General.RemoteManagement.value.Managed.any
	f.Model = posture.Text(hardware.Model.any)
	f.OS = posture.Word(hardware.OSName.any, posture.OperatingSystems())
	f.OSVersion = hardware.OSVersion.convertedVersion()
	var boot []posture.Fact[bool]
	for _, d := range hardware.Storage.elements {
		for _, p := range d.value.Partitions.elements {
			if strings.EqualFold(p.value.Type.any, "boot") {
				boot = append(boot, volume(p.value.Status2.any), volume(p.value.Status.any))
			}
		}
	}
	f.Encrypted = agreed(boot...)
}

// mobileDevice fills in what only mobile devices have.
func (c *classicRecord) mobileDevice(f *posture.Facts) {
	g := &c.General
	f.Managed = g.Managed.any
	f.Model = firstKnown(posture.Text(g.Model.any), posture.Text(g.ModelDisplay.any))
	f.OSVersion = g.OSVersion.convertedVersion()
	f.OS = mobileSystem(g.OSType.any, firstOf(g.ModelIdentifier, g.Model), f.OSVersion)
	f.Ownership = ownerOf(g.Ownership.any)
	f.Encrypted = agreed(c.Security.value.DataProtection.any, c.SecurityObject.value.DataProtection.any)
}

func firstOf(texts ...text) string {
	for _, t := range texts {
		if t.any != "" {
			return t.any
		}
	}
	return ""
}

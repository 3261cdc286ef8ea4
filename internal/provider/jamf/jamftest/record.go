package jamftest

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// computerSections are the sections of computers-inventory.
func computerSections(version int) []string {
	sections := []string{
		"GENERAL", "DISK_ENCRYPTION", "PURCHASING", "APPLICATIONS", "STORAGE", "USER_AND_LOCATION",
		"CONFIGURATION_PROFILES", "PRINTERS", "SERVICES", "HARDWARE", "LOCAL_USER_ACCOUNTS", "CERTIFICATES",
		"ATTACHMENTS", "PACKAGE_RECEIPTS", "SECURITY", "OPERATING_SYSTEM", "LICENSED_SOFTWARE", "IBEACONS",
		"SOFTWARE_UPDATES", "EXTENSION_ATTRIBUTES", "CONTENT_CACHING", "GROUP_MEMBERSHIPS",
	}
	if version == 1 {
		sections = append(sections, "PLUGINS", "FONTS")
	}
	return sections
}

// mobileSections are the sections of mobile-devices/detail.
func mobileSections() []string {
	return []string{
		"GENERAL", "HARDWARE", "USER_AND_LOCATION", "PURCHASING", "SECURITY", "APPLICATIONS", "EBOOKS", "NETWORK",
		"SERVICE_SUBSCRIPTIONS", "CERTIFICATES", "PROFILES", "USER_PROFILES", "PROVISIONING_PROFILES",
		"SHARED_USERS", "GROUPS", "EXTENSION_ATTRIBUTES",
	}
}

// computerFields are those that a filter may name.
func computerFields(d Device) map[string]string {
	return map[string]string{
		"id": d.ID, "udid": d.UDID, "general.name": d.Name, "general.platform": "Mac",
		"general.remoteManagement.managed": strconv.FormatBool(d.Managed != nil && *d.Managed),
		"general.supervised":               strconv.FormatBool(d.Supervised),
		"hardware.serialNumber":            d.Serial,
		"userAndLocation.username":         d.User.Username,
		"userAndLocation.email":            d.User.Email,
	}
}

// mobileFields are those that a filter may name: without the name of their section.
func mobileFields(d Device) map[string]string {
	var groups []string
	for _, g := range d.Groups {
		groups = append(groups, g.Name)
	}
	return map[string]string{
		"mobileDeviceId": d.ID, "udid": d.UDID, "displayName": d.Name, "serialNumber": d.Serial,
		"managed":    strconv.FormatBool(d.Managed != nil && *d.Managed),
		"supervised": strconv.FormatBool(d.Supervised),
		"username":   d.User.Username, "emailAddress": d.User.Email, "groupName": strings.Join(groups, ","),
	}
}

// camel is the name of a section's member: USER_AND_LOCATION is userAndLocation.
func camel(section string) string {
	words := strings.Split(strings.ToLower(section), "_")
	for i, word := range words[1:] {
		words[i+1] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}

// sectioned makes a record whose sections are null, except those that were asked for.
func sectioned(record map[string]any, all, wanted []string, content map[string]any) map[string]any {
	for _, section := range all {
		record[camel(section)] = nil
		if slices.Contains(wanted, section) {
			record[camel(section)] = content[section]
		}
	}
	return record
}

func (s *Server) computer(d Device, version int, sections []string) map[string]any {
	general := map[string]any{
		"name": d.Name, "platform": "Mac", "assetTag": "", "managementId": "73226fb6-61df-4c10-9552-000000000001",
		"remoteManagement": map[string]any{"managed": d.Managed, "managementUsername": ""},
		"supervised":       d.Supervised, "userApprovedMdm": true, "reportDate": d.Details.lastContact(),
		"mdmCapable": map[string]any{"capable": true, "capableUsers": []string{}, "userManagementInfo": []string{}},
		"site":       map[string]any{"id": "-1", "name": "None"}, "lastLoggedInUsernameMdm": nil,
		"lastEnrolledDate": d.Details.lastEnrolled(), "extensionAttributes": d.shownIn("GENERAL"),
	}
	boot, all, _ := d.Details.fileVault()
	if version < 4 {
		general["lastContactTime"] = d.Details.lastContact()
		general["lastReportedIp"] = "192.0.2.7"
	} else {
		general["lastContact"] = d.Details.lastContact()
		general["lastCheckIn"] = d.Details.lastContact()
	}
	memberships := []map[string]any{}
	for _, g := range d.Groups {
		memberships = append(memberships, map[string]any{
			"groupId": s.groupID(g.Name), "groupName": g.Name, "groupDescription": "", "smartGroup": g.Smart,
		})
	}
	return sectioned(map[string]any{"id": d.ID, "udid": d.UDID}, computerSections(version), sections, map[string]any{
		"GENERAL": general,
		"HARDWARE": map[string]any{
			"make": "Apple", "model": macModel, "modelIdentifier": "Mac15,12", "serialNumber": d.Serial,
			"appleSilicon": true, "provisioningUdid": orNull(d.ProvisioningUDID), "extensionAttributes": d.shownIn("HARDWARE"),
		},
		"OPERATING_SYSTEM": map[string]any{
			"name": "macOS", "version": d.Details.osVersion("15.5"), "build": "24F74", "fileVault2Status": all,
			"extensionAttributes": d.shownIn("OPERATING_SYSTEM"),
		},
		"DISK_ENCRYPTION": map[string]any{
			"bootPartitionEncryptionDetails": map[string]any{"partitionName": "Macintosh HD", "partitionFileVault2State": boot},
		},
		"PURCHASING":           map[string]any{"purchased": true, "extensionAttributes": d.shownIn("PURCHASING")},
		"EXTENSION_ATTRIBUTES": d.shownIn("EXTENSION_ATTRIBUTES"),
		"USER_AND_LOCATION": map[string]any{
			"username": d.User.Username, "realname": d.User.RealName, "email": d.User.Email, "position": d.User.Position,
			"phone": d.User.Phone, "room": d.User.Room, "departmentId": orNull(s.departmentID(d.User)), "buildingId": nil,
			"extensionAttributes": d.shownIn("USER_AND_LOCATION"),
		},
		"GROUP_MEMBERSHIPS": memberships,
	})
}

func (s *Server) mobileDevice(d Device, sections []string) map[string]any {
	groups := []map[string]any{}
	for _, g := range d.Groups {
		groups = append(groups, map[string]any{
			"groupId": s.groupID(g.Name), "groupName": g.Name, "groupDescription": "", "smart": g.Smart,
		})
	}
	general := map[string]any{
		"udid": d.UDID, "displayName": d.Name, "osVersion": d.Details.osVersion("18.5"), "osBuild": "22F76", "managed": d.Managed,
		"supervised": d.Supervised, "deviceOwnershipType": cmp.Or(d.Details.Ownership, "Institutional"), "siteId": "-1",
		"lastInventoryUpdateDate": d.Details.lastContact(), "lastEnrolledDate": d.Details.lastEnrolled(),
		"extensionAttributes": d.shownIn("GENERAL"),
	}
	if !s.number.before(version{11, 29}) {
		general["lastContactDate"] = d.Details.lastContact()
	}
	record := map[string]any{"mobileDeviceId": d.ID, "deviceType": "iOS"}
	return sectioned(record, mobileSections(), sections, map[string]any{
		"GENERAL": general,
		"HARDWARE": map[string]any{
			"serialNumber": d.Serial, "model": padModel, "modelIdentifier": "iPad13,18", "extensionAttributes": d.shownIn("HARDWARE"),
		},
		"SECURITY":             map[string]any{"dataProtected": d.Details.Encrypted, "attestationStatus": "SUCCESS"},
		"PURCHASING":           map[string]any{"purchased": true, "extensionAttributes": d.shownIn("PURCHASING")},
		"EXTENSION_ATTRIBUTES": d.shownIn("EXTENSION_ATTRIBUTES"),
		"USER_AND_LOCATION": map[string]any{
			"username": d.User.Username, "realName": d.User.RealName, "emailAddress": d.User.Email,
			"position": d.User.Position, "phoneNumber": d.User.Phone, "room": d.User.Room,
			"departmentId": orNull(s.departmentID(d.User)), "department": orNull(d.User.Department),
			"buildingId": nil, "building": nil, "extensionAttributes": d.shownIn("USER_AND_LOCATION"),
		},
		"GROUPS": groups,
	})
}

// orNull is how a record has a missing text.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

package intune

import (
	"encoding/json"
	"strings"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
	"step-posture-connector/internal/provider/vendorjson"
)

// record is a managedDevice.
// https://learn.microsoft.com/en-us/graph/api/resources/intune-devices-manageddevice
type record struct {
	ID               vendorjson.Text  `json:"id"`
	SerialNumber     vendorjson.Text  `json:"serialNumber"`
	UDID             vendorjson.Text  `json:"udid"`
	DeviceName       vendorjson.Text  `json:"deviceName"`
	Model            vendorjson.Text  `json:"model"`
	Manufacturer     vendorjson.Text  `json:"manufacturer"`
	OperatingSystem  vendorjson.Text  `json:"operatingSystem"`
	OSVersion        vendorjson.Text  `json:"osVersion"`
	ComplianceState  vendorjson.Text  `json:"complianceState"`
	OwnerType        vendorjson.Text  `json:"managedDeviceOwnerType"`
	ManagementAgent  vendorjson.Text  `json:"managementAgent"`
	EnrollmentType   vendorjson.Text  `json:"deviceEnrollmentType"`
	Category         vendorjson.Text  `json:"deviceCategoryDisplayName"`
	JailBroken       vendorjson.Text  `json:"jailBroken"`
	IsSupervised     vendorjson.Truth `json:"isSupervised"`
	IsEncrypted      vendorjson.Truth `json:"isEncrypted"`
	AzureADDeviceID  vendorjson.Text  `json:"azureADDeviceId"`
	UserID           vendorjson.Text  `json:"userId"`
	Username         vendorjson.Text  `json:"userPrincipalName"`
	UserDisplayName  vendorjson.Text  `json:"userDisplayName"`
	EmailAddress     vendorjson.Text  `json:"emailAddress"`
	EnrolledDateTime vendorjson.Text  `json:"enrolledDateTime"`
	LastSyncDateTime vendorjson.Text  `json:"lastSyncDateTime"`
}

// properties are those of a record, as $select names them: what is not read is not asked for.
func properties() []string {
	return []string{
		"id", "serialNumber", "udid", "deviceName", "model", "manufacturer", "operatingSystem", "osVersion", "complianceState",
		"managedDeviceOwnerType", "managementAgent", "deviceEnrollmentType", "deviceCategoryDisplayName", "jailBroken", "isSupervised",
		"isEncrypted", "azureADDeviceId", "userId", "userPrincipalName", "userDisplayName", "emailAddress", "enrolledDateTime", "lastSyncDateTime",
	}
}

// device is what a record says, in lookups and in lists.
func (p *Provider) device(r *record) posture.Device {
	now := time.Now()
	os, of := system(r.OperatingSystem.Said())
	version, _, _ := strings.Cut(r.OSVersion.Said(), " ") // macOS has its build behind it, in brackets
	return posture.Device{
		Identifier: r.SerialNumber.Said(), Type: of,
		Facts: posture.Facts{
			SerialNumber: r.SerialNumber.Fact(), UDID: r.UDID.Fact(), Name: r.DeviceName.Fact(), Model: r.Model.Fact(),
			OS: os, OSVersion: vendorjson.Version(version),
			Managed: managed(r.ManagementAgent.Said()), Supervised: r.IsSupervised.Fact(), Encrypted: r.IsEncrypted.Fact(),
			Compliant: compliant(r.ComplianceState.Said(), bool(p.config.GraceIsCompliant)),
			Ownership: owner(r.OwnerType.Said()), LastSeen: r.LastSyncDateTime.Moment(now), EnrolledAt: r.EnrolledDateTime.Moment(now),
			Attributes: attributes(r),
			User:       posture.UserFacts{Username: r.Username.Fact(), RealName: r.UserDisplayName.Fact(), EmailAddress: r.EmailAddress.Fact()},
		},
	}
}

// attributes are what else a record says, by the vendor's names.
func attributes(r *record) posture.Fact[map[string]string] {
	all := map[string]string{}
	for name, value := range map[string]vendorjson.Text{
		"id": r.ID, "manufacturer": r.Manufacturer, "complianceState": r.ComplianceState, "managedDeviceOwnerType": r.OwnerType,
		"managementAgent": r.ManagementAgent, "deviceEnrollmentType": r.EnrollmentType, "deviceCategoryDisplayName": r.Category,
		"jailBroken": r.JailBroken, "azureADDeviceId": r.AzureADDeviceID, "operatingSystem": r.OperatingSystem, "osVersion": r.OSVersion,
		"userId": r.UserID,
	} {
		if text := value.Said(); text != "" {
			all[name] = text
		}
	}
	return posture.Known(all)
}

// compliant is Intune's verdict. A device in its grace period does not comply yet; it counts as compliant only where the
// configuration says so. Words that are not known, and the verdict of another product, are unknown.
func compliant(state string, graceCounts bool) posture.Fact[bool] {
	switch state {
	case "compliant":
		return posture.Known(true)
	case "inGracePeriod":
		return posture.Known(graceCounts)
	case "noncompliant", "conflict", "error":
		return posture.Known(false)
	}
	return posture.Fact[bool]{}
}

// managed is whether an MDM manages the device. Exchange ActiveSync (eas), Configuration Manager alone and Defender
// (msSense) set no MDM profile. Fail closed: an agent that is not known is unknown, which counts as not managed.
func managed(agent string) posture.Fact[bool] {
	switch agent {
	case "mdm", "easMdm", "intuneClient", "easIntuneClient", "configurationManagerClientMdm", "configurationManagerClientMdmEas",
		"jamf", "googleCloudDevicePolicyController", "microsoft365ManagedMdm", "intuneAosp":
		return posture.Known(true)
	case "eas", "configurationManagerClient", "msSense":
		return posture.Known(false)
	}
	return posture.Fact[bool]{}
}

func owner(word string) posture.Fact[string] {
	switch word {
	case "company":
		return posture.Known("organization")
	case "personal":
		return posture.Known("personal")
	}
	return posture.Fact[string]{}
}

// system is the operating system, and the type of device that has it.
func system(word string) (posture.Fact[string], posture.DeviceType) {
	switch word {
	case "AndroidForWork", "AndroidEnterprise":
		word = "Android"
	case "Chrome OS", "ChromeOs":
		word = "ChromeOS"
	}
	for _, os := range posture.OperatingSystems() {
		if !strings.EqualFold(os, word) {
			continue
		}
		switch os {
		case "macOS", "Windows", "Linux", "ChromeOS":
			return posture.Known(os), posture.Computer
		}
		return posture.Known(os), posture.MobileDevice
	}
	return posture.Fact[string]{}, ""
}

// document is the data for the certificate. Of the groups it has the names only.
func document(d posture.Device) (json.RawMessage, error) {
	all, _ := d.Facts.Groups.Get()
	var names []string
	for _, group := range all {
		if !isGroupID(group) {
			names = append(names, group)
		}
	}
	d.Facts.Groups = posture.Known(names)
	return vendorhttp.DocumentOf(&d)
}

package posture

import "time"

// Facts are what an inventory knows about a device and its user, in one vocabulary for all inventories.
type Facts struct {
	SerialNumber Fact[string]
	UDID         Fact[string]
	Name         Fact[string]
	Model        Fact[string]
	OS           Fact[string] // one of OperatingSystems
	OSVersion    Fact[Version]
	Managed      Fact[bool]
	Supervised   Fact[bool]
	Compliant    Fact[bool] // the inventory's own verdict
	Encrypted    Fact[bool]
	Ownership    Fact[string] // one of Ownerships
	LastSeen     Fact[time.Time]
	EnrolledAt   Fact[time.Time]
	// Groups are the names of groups, tags or labels. Known and empty means that the inventory said so.
	Groups Fact[[]string]
	// Attributes are the inventory's other fields, by name; one that is missing is unknown.
	Attributes Fact[map[string]string]
	User       UserFacts
}

// UserFacts are about the user to whom a device is assigned.
type UserFacts struct {
	Username     Fact[string]
	RealName     Fact[string]
	EmailAddress Fact[string]
	Position     Fact[string]
	Department   Fact[string]
}

// OperatingSystems are the words of device.os.
func OperatingSystems() []string {
	return []string{"macOS", "iOS", "iPadOS", "tvOS", "watchOS", "visionOS", "Windows", "Linux", "Android", "ChromeOS"}
}

// Ownerships are the words of device.ownership.
func Ownerships() []string { return []string{"organization", "personal"} }

// DeviceTypes are the words of device.type.
func DeviceTypes() []string { return []string{string(Computer), string(MobileDevice)} }

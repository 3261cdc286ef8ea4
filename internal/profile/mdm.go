package profile

import (
	"slices"
	"strings"
)

// MDM is what differs between device management services: who replaces which text by the device's serial number, and
// where the file is uploaded.
type MDM struct {
	Name  string // as on the command line
	Title string
	// Variable is the text that the service replaces in a profile that was uploaded.
	Variable string
	// Upload is where the file is uploaded, in the words of the service.
	Upload string
	// Verified says that the service's own publication confirms the variable. docs/profile.md names it.
	Verified bool
	// Note is what else has to be done there, or "".
	Note string
}

// MDMs returns the services in the order of the documentation.
func MDMs() []MDM {
	return []MDM{
		{
			Name: "jamf", Title: "Jamf Pro", Variable: "$SERIALNUMBER", Verified: true,
			Upload: "Computers > Configuration Profiles > Upload, and for mobile devices Devices > Configuration Profiles > Upload",
			Note:   "choose the computer level, not the user level",
		},
		{
			Name: "intune", Title: "Microsoft Intune", Variable: "{{serialnumber}}", Verified: true,
			Upload: "Devices > Configuration > Create, template Custom, once for macOS and once for iOS/iPadOS",
			Note:   "choose the device channel; the variable is written in lower case",
		},
		{
			Name: "iru", Title: "Iru (Kandji)", Variable: "$SERIAL_NUMBER", Verified: true,
			Upload: "Library > Add > Custom Profile",
		},
		{
			Name: "fleet", Title: "Fleet", Variable: "$FLEET_VAR_HOST_HARDWARE_SERIAL", Verified: true,
			Upload: "Controls > OS settings > Configuration profiles (Custom settings before 4.84)",
			Note:   "variables need Fleet Premium; Fleet renews certificates only with its own variable in the subject (docs/profile.md)",
		},
		{
			Name: "mosyle", Title: "Mosyle", Variable: "%SerialNumber%",
			Upload: "Management, the profile type for custom profiles",
		},
		{
			Name: "addigy", Title: "Addigy", Variable: "%SerialNumber%",
			Upload: "Device Settings, a custom profile",
			Note:   "this is Apple's own variable, which Macs replace themselves; --variable sets Addigy's, if your Addigy has one",
		},
		{
			Name: "simplemdm", Title: "SimpleMDM", Variable: "{{serial_number}}",
			Upload: "Profiles > Create Profile > Custom Configuration Profile",
			Note:   "look for attribute support in the settings of the profile, and turn it on",
		},
	}
}

// Names returns the names of the services.
func Names() []string {
	var names []string
	for _, m := range MDMs() {
		names = append(names, m.Name)
	}
	return names
}

func mdmOf(name string) (MDM, bool) {
	all := MDMs()
	at := slices.IndexFunc(all, func(m MDM) bool { return m.Name == name })
	if at < 0 {
		return MDM{}, false
	}
	return all[at], true
}

// either joins names as people do: a, b or c.
func either(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

package jamf

import "net/http"

// The privileges of an API role, by their names in Jamf Pro.
const (
	readComputers     = "Read Computers"
	readMobileDevices = "Read Mobile Devices"
	readDepartments   = "Read Departments"
)

// privilegeOf is what an API client needs for an endpoint, or "" when any token will do.
func privilegeOf(endpoint string) string {
	switch endpoint {
	case computersEndpoint, classicComputers:
		return readComputers
	case mobileEndpoint, classicMobile:
		return readMobileDevices
	case departmentsEndpoint:
		return readDepartments
	}
	return ""
}

// hint says what an administrator can do about a status.
func hint(endpoint string, status int) string {
	if privilege := privilegeOf(endpoint); status == http.StatusForbidden && privilege != "" {
		return "the API client lacks the privilege " + privilege
	}
	return ""
}

package jamf

import (
	"encoding/json"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
)

// record is one device as any of the endpoints describes it.
type record struct {
	deviceType posture.DeviceType
	serial     string
	udid       string
	name       string
	user       user
	groups     []string

	facts        posture.Facts
	departmentID string // where user.department has to be resolved by it
	// saysSerial: the record says which serial number the device has, or that it has none.
	saysSerial bool
}

type user = vendorhttp.DocumentUser

// data are the data for the certificate.
func (r record) data() (json.RawMessage, error) {
	var d vendorhttp.Document
	d.Device.UDID, d.Device.SerialNumber, d.Device.Name = r.udid, r.serial, r.name
	d.User, d.Groups = r.user, r.groups
	return d.Encode()
}

// only returns the single record of the device.
func only(c *vendorhttp.Client, id posture.Identifier, found []record) (record, error) {
	return vendorhttp.Only(c, id, found, func(r record) string { return r.serial })
}

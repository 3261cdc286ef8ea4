package jamf

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

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

type user struct {
	Username     string `json:"username"`
	Realname     string `json:"realname"`
	EmailAddress string `json:"email_address"`
	Position     string `json:"position"`
	Department   string `json:"department"`
}

// data is the document that certificate templates get. It always has this full shape, so that a
// template does not break on a record that lacks something.
func (r record) data() (jsontext.Value, error) {
	type device struct {
		UDID         string `json:"udid"`
		SerialNumber string `json:"serial_number"`
		Name         string `json:"name"`
	}
	document := struct {
		Device device   `json:"device"`
		User   user     `json:"user"`
		Groups []string `json:"groups"`
	}{device{r.udid, r.serial, r.name}, r.user, r.groups}
	data, err := json.Marshal(document) // a nil list becomes []
	if err != nil {
		return nil, fmt.Errorf("encode data: %w", err)
	}
	return data, nil
}

// only returns the single record of the device.
func only(c *vendorhttp.Client, id posture.Identifier, found []record) (record, error) {
	return vendorhttp.Only(c, id, found, func(r record) string { return r.serial })
}

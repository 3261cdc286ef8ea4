package jamf

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
)

// classicAPI is the Classic API, for servers that are too old for the other one.
// https://developer.jamf.com/jamf-pro/reference/classic-api
type classicAPI struct {
	client *vendorhttp.Client
	proved atomic.Bool // the base URL has answered as a Jamf Pro server does
}

const (
	classicComputers = "JSSResource/computers"
	classicMobile    = "JSSResource/mobiledevices"
)

func (a *classicAPI) lookup(ctx context.Context, t posture.DeviceType, id posture.Identifier) (record, error) {
	endpoint := classicMobile
	if t == posture.Computer {
		endpoint = classicComputers
	}
	body, err := a.client.Get(ctx, endpoint, "/"+endpoint+"/serialnumber/"+url.PathEscape(id.String()), nil)
	if vendorhttp.HasStatus(err, endpoint, http.StatusNotFound) {
		// A 404 means that the device does not exist, but a wrong base URL looks the same.
		if err := a.prove(ctx); err != nil {
			return record{}, err
		}
		return record{}, posture.ErrNotFound
	}
	if err != nil {
		return record{}, err
	}
	found, err := a.decode(body, endpoint, t)
	if err != nil {
		return record{}, err
	}
	a.proved.Store(true)
	return only(a.client, id, []record{found})
}

// checkDepartments has nothing to check: the Classic API returns names.
func (a *classicAPI) checkDepartments(context.Context) error { return nil }

// prove makes sure that a Jamf Pro server answers at the base URL.
func (a *classicAPI) prove(ctx context.Context) error {
	if a.proved.Load() {
		return nil
	}
	if _, err := serverVersionOf(ctx, a.client); err != nil {
		return err
	}
	a.proved.Store(true)
	return nil
}

// classicRecord is what the two kinds of records have in common. Its JSON is converted from XML, so
// scalars may be numbers or strings and lists may be single elements.
type classicRecord struct {
	General struct {
		Name             text `json:"name"`
		DisplayName      text `json:"display_name"`
		SerialNumber     text `json:"serial_number"`
		UDID             text `json:"udid"`
		Managed          flag `json:"managed"` // of a mobile device
		RemoteManagement maybe[struct {
			Managed flag `json:"managed"`
		}] `json:"remote_management"` // of a computer
	} `json:"general"`
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
	MobileDeviceGroups list[struct {
		Name text `json:"name"`
	}] `json:"mobile_device_groups"`
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
	location := c.Location.value
	r := record{
		deviceType: t, serial: string(c.General.SerialNumber), udid: string(c.General.UDID),
		name: firstOf(c.General.Name, c.General.DisplayName), managed: bool(c.General.Managed), groups: []string{},
		user: user{
			Username: string(location.Username), Realname: firstOf(location.Realname, location.RealName),
			EmailAddress: string(location.EmailAddress), Position: string(location.Position), Department: string(location.Department),
		},
	}
	if t == posture.Computer {
		r.managed = bool(c.General.RemoteManagement.value.Managed)
		for _, name := range c.GroupsAccounts.value.Memberships {
			r.groups = append(r.groups, string(name))
		}
		return r, nil
	}
	for _, group := range c.MobileDeviceGroups {
		r.groups = append(r.groups, string(group.Name))
	}
	return r, nil
}

func firstOf(texts ...text) string {
	for _, t := range texts {
		if t != "" {
			return string(t)
		}
	}
	return ""
}

// maybe is an object; an empty container that was converted from XML is "" or another value.
type maybe[T any] struct{ value T }

// UnmarshalJSON implements json.Unmarshaler.
func (m *maybe[T]) UnmarshalJSON(value []byte) error {
	if jsontext.Value(value).Kind() != '{' {
		return nil
	}
	if err := json.Unmarshal(value, &m.value); err != nil {
		return fmt.Errorf("decode object: %w", err)
	}
	return nil
}

// list is a list, or a single element of one, or "" or {} where it is empty.
type list[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (l *list[T]) UnmarshalJSON(value []byte) error {
	text := jsontext.Value(value)
	switch {
	case text.Kind() == '[':
		var elements []T
		if err := json.Unmarshal(value, &elements); err != nil {
			return fmt.Errorf("decode list: %w", err)
		}
		*l = elements
	case isEmpty(text):
		*l = nil
	default:
		var element T
		if err := json.Unmarshal(value, &element); err != nil {
			return fmt.Errorf("decode element: %w", err)
		}
		*l = []T{element}
	}
	return nil
}

func isEmpty(value jsontext.Value) bool {
	compact := value.Clone()
	_ = compact.Compact() // what cannot be compacted does not get here
	switch string(compact) {
	case `null`, `""`, `{}`:
		return true
	}
	return false
}

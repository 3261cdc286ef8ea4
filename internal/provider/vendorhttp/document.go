package vendorhttp

import (
	"encoding/json"
	"fmt"

	jsonv2 "github.com/go-json-experiment/json"

	"step-posture-connector/internal/posture"
)

// Document is the data for the certificate that a provider returns. It always has this full shape, with "" and [] for what is
// not known, so that no template breaks on a record that lacks something.
type Document struct {
	Device struct {
		UDID         string `json:"udid"`
		SerialNumber string `json:"serial_number"`
		Name         string `json:"name"`
	} `json:"device"`
	User   DocumentUser `json:"user"`
	Groups []string     `json:"groups"`
}

// DocumentUser is the assigned user.
type DocumentUser struct {
	Username     string `json:"username"`
	Realname     string `json:"realname"`
	EmailAddress string `json:"email_address"`
	Position     string `json:"position"`
	Department   string `json:"department"`
}

// DocumentFacts are what a Document is made of.
func DocumentFacts() posture.FactSet {
	return posture.WithoutPolicy()&^posture.Document | posture.MustFacts("device.udid", "device.name")
}

// DocumentOf makes the Document of a device's facts.
func DocumentOf(d *posture.Device) (json.RawMessage, error) {
	var document Document
	known := func(f posture.Fact[string]) string {
		text, _ := f.Get()
		return text
	}
	f, u := &d.Facts, &d.Facts.User
	document.Device.UDID, document.Device.SerialNumber, document.Device.Name = known(f.UDID), d.Identifier, known(f.Name)
	document.User = DocumentUser{known(u.Username), known(u.RealName), known(u.EmailAddress), known(u.Position), known(u.Department)}
	document.Groups, _ = f.Groups.Get()
	return document.Encode()
}

// Encode returns the JSON.
func (d Document) Encode() (json.RawMessage, error) {
	data, err := jsonv2.Marshal(d) // a nil list becomes []
	if err != nil {
		return nil, fmt.Errorf("encode data: %w", err)
	}
	return data, nil
}

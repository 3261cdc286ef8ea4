package iru

import (
	"context"
	"errors"
	"regexp"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorjson"
)

const (
	detailsEndpoint = "details"
	detailsOfDevice = "the details of a device"
)

// detailed are the facts that only the details of a device have.
func detailed() posture.FactSet {
	return posture.MustFacts("device.udid", "device.supervised", "device.encrypted")
}

// details are those that facts come from. Truth values in them are texts, some of the time.
type details struct {
	General vendorjson.Maybe[struct {
		DeviceID vendorjson.Text `json:"device_id"`
	}] `json:"general"`
	MDM vendorjson.Maybe[struct {
		Supervised vendorjson.Text `json:"supervised"`
	}] `json:"mdm"`
	FileVault vendorjson.Maybe[struct {
		Enabled vendorjson.Text `json:"filevault_enabled"`
	}] `json:"filevault"`
	Hardware vendorjson.Maybe[struct {
		UDID   vendorjson.Text `json:"udid"`
		Serial vendorjson.Text `json:"serial_number"`
	}] `json:"hardware_overview"`
}

// withDetails asks for the details of the device, where one of their facts is wanted. Fail closed: where it is read and cannot
// be asked for, the lookup fails.
func (p *Provider) withDetails(ctx context.Context, q posture.Query, r *record, d posture.Device) (posture.Device, error) {
	wanted := p.reader.Wanted(q)
	if !wanted.Has(detailed()) {
		return d, nil
	}
	ctx, cancel := wanted.Within(ctx, detailed())
	defer cancel()
	found, err := p.details(ctx, q, r.DeviceID.Said())
	if err != nil {
		if wanted.Fails(detailed()) {
			return posture.Device{}, err
		}
		return d, nil // only recorded: unknown
	}
	d.Facts.UDID = found.Hardware.Value.UDID.Fact()
	d.Facts.Supervised = truth(found.MDM.Value.Supervised)
	if os, _ := d.Facts.OS.Get(); os == "macOS" {
		d.Facts.Encrypted = truth(found.FileVault.Value.Enabled)
	}
	return d, nil
}

// The errors of details that are of no use.
var (
	errNoID    = errors.New("the record has no device_id by which its details could be asked for")
	errAnother = errors.New("details: the answer is about another device")
)

// details asks for the details of a record, and insists that they are of the device.
func (p *Provider) details(ctx context.Context, q posture.Query, id string) (details, error) {
	var found details
	if !regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`).MatchString(id) {
		return found, errNoID
	}
	body, err := p.Get(ctx, detailsEndpoint, devicesPath+"/"+id+"/details", nil)
	if err != nil {
		return found, err
	}
	if err := p.Decode(detailsEndpoint, detailsOfDevice, body, &found); err != nil {
		return found, err
	}
	own, serial := found.General.Value.DeviceID.Said(), found.Hardware.Value.Serial.Said()
	switch {
	case own == "" && serial == "":
		return found, p.NotA(detailsEndpoint, detailsOfDevice)
	case own != "" && own != id, serial != "" && !q.Identifier.Matches(posture.Device{Identifier: serial}):
		return found, errAnother
	}
	return found, nil
}

// truth is a truth value that may be written as "True" or "False". Any other text is unknown.
func truth(text vendorjson.Text) posture.Fact[bool] {
	switch text.Any {
	case "True", "true":
		return posture.Known(true)
	case "False", "false":
		return posture.Known(false)
	}
	return posture.Fact[bool]{}
}

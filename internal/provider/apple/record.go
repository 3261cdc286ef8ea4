package apple

import (
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorjson"
)

// deviceRecord is a resource of the type orgDevices.
type deviceRecord struct {
	Type       vendorjson.Text              `json:"type"`
	ID         vendorjson.Text              `json:"id"`
	Attributes vendorjson.Maybe[attributes] `json:"attributes"`
}

// attributes are those of a device that are read. What its record has beside them is not asked for.
type attributes struct {
	Serial           vendorjson.Text `json:"serialNumber"`
	Status           vendorjson.Text `json:"status"`
	ProductFamily    vendorjson.Text `json:"productFamily"`
	ProductType      vendorjson.Text `json:"productType"`
	Model            vendorjson.Text `json:"deviceModel"`
	OrderNumber      vendorjson.Text `json:"orderNumber"`
	PartNumber       vendorjson.Text `json:"partNumber"`
	PurchaseSource   vendorjson.Text `json:"purchaseSourceType"`
	PurchaseSourceID vendorjson.Text `json:"purchaseSourceId"`
	Added            vendorjson.Text `json:"addedToOrgDateTime"`
	Released         vendorjson.Text `json:"releasedFromOrgDateTime"`
	MigrationStatus  vendorjson.Text `json:"mdmMigrationStatus"`
}

// serial is the serial number: the ID where the record has no such attribute.
func (r *deviceRecord) serial() string {
	if r.Attributes.Value.Serial.Missing() {
		return r.ID.Said()
	}
	return r.Attributes.Value.Serial.Said()
}

// broken reports whether the record cannot be read. Fail closed: without its attributes it may be one of a device that was released.
func (r *deviceRecord) broken() bool {
	return r.Type.Said() != "orgDevices" || r.Attributes.Kind != '{'
}

// released reports whether the device was released from the organization, and says when. Fail closed: it is ours only where there
// is no such time.
func (r *deviceRecord) released(now time.Time) (when string, released bool) {
	at := r.Attributes.Value.Released
	if at.Missing() || at.Kind == 'n' {
		return "", false
	}
	if moment, known := at.Moment(now).Get(); known {
		return " on " + moment.Format("2006-01-02 at 15:04 UTC"), true
	}
	return " at a time that cannot be read", true
}

// deviceOf is what a record says, in lookups and in lists.
func deviceOf(r *deviceRecord) posture.Device {
	a := r.Attributes.Value
	d := posture.Device{Identifier: r.serial()}
	d.Type, d.Facts.OS = family(a.ProductFamily.Said())
	d.Facts.SerialNumber = posture.Text(d.Identifier)
	d.Facts.Model = a.Model.Fact()
	d.Facts.Ownership = posture.Known("organization") // what Apple lists is the organization's; callers drop what was released
	return d
}

// family is what a product family says. A word that is not known says nothing.
func family(word string) (posture.DeviceType, posture.Fact[string]) {
	os := map[string]string{"iPhone": "iOS", "iPad": "iPadOS", "AppleTV": "tvOS", "Watch": "watchOS", "Vision": "visionOS"}
	if word == "Mac" {
		return posture.Computer, posture.Known("macOS")
	}
	if os[word] == "" {
		return "", posture.Fact[string]{}
	}
	return posture.MobileDevice, posture.Known(os[word])
}

// decodeDevice reads the answer about one device.
func (p *Provider) decodeDevice(body []byte) ([]vendorjson.Record[deviceRecord], error) {
	const what = "a device"
	var answer struct {
		Data *vendorjson.Record[deviceRecord] `json:"data"`
	}
	if err := p.Decode(devicesEndpoint, what, body, &answer); err != nil {
		return nil, err
	}
	if answer.Data == nil || answer.Data.Broken || answer.Data.Value.broken() {
		return nil, p.NotA(devicesEndpoint, what)
	}
	return []vendorjson.Record[deviceRecord]{*answer.Data}, nil
}

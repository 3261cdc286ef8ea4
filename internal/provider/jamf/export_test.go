package jamf

import (
	"context"
	"net/url"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
)

// Age makes what is known about privileges older.
func (p *Provider) Age(by time.Duration) {
	before := p.now
	p.now = func() time.Time { return before().Add(by) }
}

// Break makes lookups of one type of device panic.
func (p *Provider) Break(t posture.DeviceType) { p.api = &broken{p.api, t} }

type broken struct {
	api
	of posture.DeviceType
}

func (b *broken) lookup(ctx context.Context, ask query) (record, error) {
	if ask.of == b.of {
		panic("a fault of the connector")
	}
	return b.api.lookup(ctx, ask)
}

// Records reads the records of an answer of an API about a type of device, as a lookup does, and returns their facts. ok is
// false where the answer is none.
func Records(api string, of posture.DeviceType, body []byte, now time.Time) (devices []posture.Device, ok bool) {
	clock := func() time.Time { return now }
	client := vendorhttp.New(vendorhttp.Options{Vendor: vendorhttp.Vendor{Name: "Jamf"}, Base: &url.URL{Host: "jamf.example"}, Auth: vendorhttp.ClientCredentials{}})
	var found []record
	switch {
	case api == "classic":
		r, err := (&classicAPI{client: client, now: clock}).decode(body, "endpoint", of)
		if err != nil {
			return nil, false
		}
		found = []record{r}
	case of == posture.Computer:
		a := &proAPI{now: clock}
		found, ok = recordsOf(client, body, a.computerOf)
	default:
		a := &proAPI{now: clock}
		found, ok = recordsOf(client, body, a.mobileOf)
	}
	for _, r := range found {
		devices = append(devices, posture.Device{Identifier: r.serial, Type: r.deviceType, Facts: r.facts})
	}
	return devices, ok || api == "classic"
}

func recordsOf[T any](client *vendorhttp.Client, body []byte, recordOf func(*T) record) (found []record, ok bool) {
	var answer struct {
		Results []T `json:"results"`
	}
	if client.Decode("endpoint", pageOfResults, body, &answer) != nil {
		return nil, false
	}
	for i := range answer.Results {
		found = append(found, recordOf(&answer.Results[i]))
	}
	return found, true
}

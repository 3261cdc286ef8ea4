package apple

import (
	"context"
	"net/url"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorjson"
)

// serverRecord is a resource of the type mdmServers.
type serverRecord struct {
	Type       vendorjson.Text                    `json:"type"`
	ID         vendorjson.Text                    `json:"id"`
	Attributes vendorjson.Maybe[serverAttributes] `json:"attributes"`
}

type serverAttributes struct {
	Name   vendorjson.Text `json:"serverName"`
	Type   vendorjson.Text `json:"serverType"`
	Status vendorjson.Text `json:"status"`
}

// addAttributes adds device.attributes where something reads them. The MDM server among them takes a request of its own.
func (p *Provider) addAttributes(ctx context.Context, q posture.Query, r *deviceRecord, d *posture.Device) error {
	needed := posture.MustFacts("device.attributes")
	wanted := p.reader.Wanted(q)
	if !wanted.Has(needed) {
		return nil
	}
	ctx, cancel := wanted.Within(ctx, needed)
	defer cancel()
	server, err := p.serverOf(ctx, q.Identifier)
	switch {
	case err == nil:
		d.Facts.Attributes = posture.Known(attributesOf(r, server, time.Now()))
	case wanted.Fails(needed):
		return err // fail closed: an attribute that a rule reads would be missing
	}
	return nil
}

// serverOf asks which MDM server a device is assigned to; nil is none.
func (p *Provider) serverOf(ctx context.Context, id posture.Identifier) (*serverRecord, error) {
	fields := url.Values{"fields[mdmServers]": {"serverName,serverType,status"}}
	body, err := p.ask(ctx, serverEndpoint, devicePath(id)+"/assignedServer", fields)
	if err != nil || body == nil {
		return nil, err // a 404 here is about the server: the device was found a moment ago
	}
	const what = "an MDM server"
	var answer struct {
		Data vendorjson.Maybe[serverRecord] `json:"data"`
	}
	if err := p.Decode(serverEndpoint, what, body, &answer); err != nil {
		return nil, err
	}
	server := &answer.Data.Value
	switch {
	case answer.Data.Kind == 'n':
		return nil, nil
	case answer.Data.Kind != '{' || server.Type.Said() != "mdmServers" || server.Attributes.Kind != '{':
		return nil, p.NotA(serverEndpoint, what)
	}
	return server, nil
}

// attributesOf are the words of Apple's records. One that Apple does not say is missing, and so unknown.
func attributesOf(r *deviceRecord, server *serverRecord, now time.Time) map[string]string {
	a := r.Attributes.Value
	said := map[string]string{
		"status": a.Status.Said(), "product_family": a.ProductFamily.Said(), "product_type": a.ProductType.Said(),
		"order_number": a.OrderNumber.Said(), "part_number": a.PartNumber.Said(),
		"purchase_source": a.PurchaseSource.Said(), "purchase_source_id": a.PurchaseSourceID.Said(),
		"migration_status": a.MigrationStatus.Said(),
	}
	if at, known := a.Added.Moment(now).Get(); known {
		said["added_at"] = at.Format(time.RFC3339)
	}
	if server != nil {
		s := server.Attributes.Value
		said["mdm_server"], said["mdm_server_id"] = s.Name.Said(), server.ID.Said()
		said["mdm_server_type"], said["mdm_server_status"] = s.Type.Said(), s.Status.Said()
	}
	for name, text := range said {
		if text == "" {
			delete(said, name)
		}
	}
	return said
}

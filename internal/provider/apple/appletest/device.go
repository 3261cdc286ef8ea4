package appletest

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Device is one device of the organization. What is empty is null in the record.
type Device struct {
	Serial string `json:"serial"`
	// ID is that of the resource; by default the serial number, in capitals.
	ID string `json:"id,omitempty"`
	// ProductFamily is iPhone, iPad, Mac, AppleTV, Watch or Vision; by default Mac.
	ProductFamily  string `json:"product_family,omitempty"`
	Model          string `json:"model,omitempty"`
	OrderNumber    string `json:"order_number,omitempty"`
	PartNumber     string `json:"part_number,omitempty"`
	PurchaseSource string `json:"purchase_source,omitempty"`
	AddedAt        string `json:"added_at,omitempty"`
	// ReleasedAt is when it was released from the organization; such a device is still returned.
	ReleasedAt string `json:"released_at,omitempty"`
	// Server is the name of the MDM server that it is assigned to; empty is none.
	Server string `json:"server,omitempty"`
	// Status replaces the one of Server.
	Status string `json:"status,omitempty"`
	// MigrationStatus is that of a change of the MDM.
	MigrationStatus string `json:"migration_status,omitempty"`
	// Attributes replace those of the record by name, whatever their type. Omit leaves some out.
	Attributes map[string]any `json:"attributes,omitempty"`
	Omit       []string       `json:"omit,omitempty"`
	// ServerAttributes replace those of its MDM server.
	ServerAttributes map[string]any `json:"server_attributes,omitempty"`
	// Broken makes a record that cannot be read: its attributes are no object.
	Broken bool `json:"broken,omitempty"`
}

func (d Device) id() string {
	if d.ID != "" {
		return d.ID
	}
	return strings.ToUpper(d.Serial)
}

// all are the attributes of a record.
func (d Device) all() map[string]any {
	or := func(text, standard string) any {
		if text == "" && standard == "" {
			return nil
		}
		if text == "" {
			return standard
		}
		return text
	}
	status := "UNASSIGNED"
	if d.Server != "" {
		status = "ASSIGNED"
	}
	attributes := map[string]any{
		"serialNumber": d.Serial, "status": or(d.Status, status), "productFamily": or(d.ProductFamily, "Mac"),
		"productType": "Mac15,12", "deviceModel": or(d.Model, ""), "deviceCapacity": "512GB", "color": "MIDNIGHT",
		"partNumber": or(d.PartNumber, ""), "orderNumber": or(d.OrderNumber, ""), "orderDateTime": "2025-01-20T00:00:00Z",
		"purchaseSourceType": or(d.PurchaseSource, "RESELLER"), "purchaseSourceId": "0A1B2C",
		"addedToOrgDateTime": or(d.AddedAt, "2025-01-22T07:11:02.114Z"), "updatedDateTime": "2025-02-03T08:55:40.5Z",
		"releasedFromOrgDateTime": or(d.ReleasedAt, ""), "releaserEntityType": nil, "releaserId": nil,
		"imei": []string{}, "meid": "", "eid": nil, "wifiMacAddress": "02:00:5E:10:00:01",
		"bluetoothMacAddress": []string{"02:00:5E:10:00:02"}, "ethernetMacAddress": []string{},
		"isMdmMigrationCapable": true, "mdmMigrationStatus": or(d.MigrationStatus, ""), "mdmMigrationDeadlineDateTime": nil,
	}
	if d.ReleasedAt != "" {
		attributes["releaserEntityType"] = "USER"
	}
	maps.Copy(attributes, d.Attributes)
	for _, name := range d.Omit {
		delete(attributes, name)
	}
	return attributes
}

// resource is the record with the wanted attributes, all where none are named.
func (s *Server) resource(d Device, fields []string) map[string]any {
	attributes := d.all()
	if len(fields) > 0 {
		maps.DeleteFunc(attributes, func(name string, _ any) bool { return !slices.Contains(fields, name) })
	}
	self := s.URL() + "/v1/orgDevices/" + d.id()
	record := map[string]any{
		"type": "orgDevices", "id": d.id(), "attributes": attributes, "links": map[string]string{"self": self},
		"relationships": map[string]any{"assignedServer": map[string]any{"links": map[string]string{
			"self": self + "/relationships/assignedServer", "related": self + "/assignedServer",
		}}},
	}
	if d.Broken {
		record["attributes"] = "damaged"
	}
	return record
}

// server is the MDM server that a device is assigned to.
func (d Device) server() map[string]any {
	attributes := map[string]any{
		"serverName": d.Server, "serverType": "MDM", "status": "ACTIVE", "createdDateTime": "2023-04-01T10:00:00Z",
		"updatedDateTime": "2026-05-11T10:00:00Z", "deviceCount": 812, "lastConnectedDateTime": time.Now().UTC().Format(time.RFC3339),
	}
	maps.Copy(attributes, d.ServerAttributes)
	return map[string]any{"type": "mdmServers", "id": "1F00A1B2C3", "attributes": attributes}
}

// Replace makes the given devices, and no others, those of the organization.
func (s *Server) Replace(devices ...Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.Devices = slices.Clone(devices)
}

// Change alters every record with the serial number.
func (s *Server) Change(serial string, change func(*Device)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.Devices = slices.Clone(s.options.Devices)
	for i := range s.options.Devices {
		if s.options.Devices[i].Serial == serial {
			change(&s.options.Devices[i])
		}
	}
}

func (s *Server) devices() []Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.options.Devices // never changed in place
}

// PageSizes returns how many devices each page of a list has had.
func (s *Server) PageSizes() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sizes)
}

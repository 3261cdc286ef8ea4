package apple_test

import (
	"maps"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/apple/appletest"
)

// value returns the fact of a device by its name, as a test writes it.
func value(t *testing.T, d posture.Device, name string) any {
	t.Helper()
	for _, definition := range posture.Vocabulary() {
		if definition.Name == name {
			got, _ := definition.Get(&d)
			return got
		}
	}
	t.Fatalf("there is no fact %q", name)
	return nil
}

// TestFacts: each fact comes from its attribute, and what Apple does not say is unknown.
func TestFacts(t *testing.T) {
	t.Parallel()
	with := func(d appletest.Device, name string, value any) appletest.Device {
		d.Attributes = map[string]any{name: value}
		return d
	}
	without := func(d appletest.Device, name string) appletest.Device {
		d.Omit = []string{name}
		return d
	}
	for name, row := range map[string]struct {
		device appletest.Device
		fact   string
		want   any // nil is unknown
	}{
		"identifier":              {mac(macSerial), "device.identifier", macSerial},
		"serial number":           {mac(macSerial), "device.serial_number", macSerial},
		"serial number of the ID": {without(mac(macSerial), "serialNumber"), "device.serial_number", macSerial},
		"model":                   {mac(macSerial), "device.model", `MacBook Air 13"`},
		"no model":                {without(mac(macSerial), "deviceModel"), "device.model", nil},
		"model null":              {with(mac(macSerial), "deviceModel", nil), "device.model", nil},
		"model empty":             {with(mac(macSerial), "deviceModel", ""), "device.model", nil},
		"model a number":          {with(mac(macSerial), "deviceModel", 13), "device.model", nil},
		"Mac":                     {with(mac(macSerial), "productFamily", "Mac"), "device.os", "macOS"},
		"iPhone":                  {with(mac(macSerial), "productFamily", "iPhone"), "device.os", "iOS"},
		"iPad":                    {with(mac(macSerial), "productFamily", "iPad"), "device.os", "iPadOS"},
		"Apple TV":                {with(mac(macSerial), "productFamily", "AppleTV"), "device.os", "tvOS"},
		"Watch":                   {with(mac(macSerial), "productFamily", "Watch"), "device.os", "watchOS"},
		"Vision":                  {with(mac(macSerial), "productFamily", "Vision"), "device.os", "visionOS"},
		"another family":          {with(mac(macSerial), "productFamily", "HomePod"), "device.os", nil},
		"family in capitals":      {with(mac(macSerial), "productFamily", "MAC"), "device.os", nil},
		"no family":               {without(mac(macSerial), "productFamily"), "device.os", nil},
		"family a list":           {with(mac(macSerial), "productFamily", []string{"Mac"}), "device.os", nil},
		"type of a Mac":           {mac(macSerial), "device.type", "computer"},
		"type of an iPhone":       {phone(macSerial), "device.type", "mobiledevice"},
		"type of a Watch":         {with(mac(macSerial), "productFamily", "Watch"), "device.type", "mobiledevice"},
		"type of another family":  {with(mac(macSerial), "productFamily", "HomePod"), "device.type", nil},
		"ownership":               {mac(macSerial), "device.ownership", "organization"},
		"managed":                 {mac(macSerial), "device.managed", nil},
		"supervised":              {mac(macSerial), "device.supervised", nil},
		"compliant":               {mac(macSerial), "device.compliant", nil},
		"encrypted":               {mac(macSerial), "device.encrypted", nil},
		"last seen":               {mac(macSerial), "device.last_seen", nil},
		"enrolled at":             {mac(macSerial), "device.enrolled_at", nil},
		"version":                 {mac(macSerial), "device.os_version", nil},
		"UDID":                    {mac(macSerial), "device.udid", nil},
		"name":                    {mac(macSerial), "device.name", nil},
		"groups":                  {mac(macSerial), "device.groups", nil},
		"user":                    {mac(macSerial), "user.username", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := started(t, appletest.Options{Devices: []appletest.Device{row.device}})
			d := finds(t, opened(t, configOf(server)), macSerial, posture.AllFacts())
			if got := value(t, d, row.fact); got != row.want {
				t.Errorf("%s is %v, want %v", row.fact, got, row.want)
			}
		})
	}
}

// TestAttributes: the words of Apple's records, the MDM server included; an attribute that Apple does not say is missing.
func TestAttributes(t *testing.T) {
	t.Parallel()
	all := map[string]string{
		"status": "ASSIGNED", "product_family": "Mac", "product_type": "Mac15,12", "order_number": "77120045", "part_number": "ZZ001X/A",
		"purchase_source": "RESELLER", "purchase_source_id": "0A1B2C", "added_at": "2025-01-22T07:11:02Z", "migration_status": "SUCCESS",
		"mdm_server": "Jamf HQ", "mdm_server_id": "1F00A1B2C3", "mdm_server_type": "MDM", "mdm_server_status": "ACTIVE",
	}
	whole := mac(macSerial)
	whole.MigrationStatus = "SUCCESS"
	changed := func(change func(*appletest.Device)) appletest.Device {
		d := whole
		change(&d)
		return d
	}
	but := func(pairs ...string) map[string]string {
		attributes := maps.Clone(all)
		for i := 0; i < len(pairs); i += 2 {
			if attributes[pairs[i]] = pairs[i+1]; pairs[i+1] == "" {
				delete(attributes, pairs[i])
			}
		}
		return attributes
	}
	unassigned := but("status", "UNASSIGNED", "mdm_server", "", "mdm_server_id", "", "mdm_server_type", "", "mdm_server_status", "")
	for name, row := range map[string]struct {
		device     appletest.Device
		unassigned string
		want       map[string]string
	}{
		"all":                     {whole, "", all},
		"unassigned":              {changed(func(d *appletest.Device) { d.Server = "" }), "null", unassigned},
		"unassigned, by 404":      {changed(func(d *appletest.Device) { d.Server = "" }), "404", unassigned},
		"a new word":              {changed(func(d *appletest.Device) { d.Status = "RETIRED" }), "", but("status", "RETIRED")},
		"added with an offset":    {changed(func(d *appletest.Device) { d.AddedAt = "2025-01-22T09:11:02+02:00" }), "", all},
		"added at no time":        {changed(func(d *appletest.Device) { d.AddedAt = "yesterday" }), "", but("added_at", "")},
		"added at a placeholder":  {changed(func(d *appletest.Device) { d.AddedAt = "0001-01-01T00:00:00Z" }), "", but("added_at", "")},
		"order number null":       {changed(func(d *appletest.Device) { d.OrderNumber = "" }), "", but("order_number", "")},
		"order number a number":   {changed(func(d *appletest.Device) { d.Attributes = map[string]any{"orderNumber": 7} }), "", but("order_number", "")},
		"no migration":            {changed(func(d *appletest.Device) { d.MigrationStatus = "" }), "", but("migration_status", "")},
		"server without a name":   {changed(func(d *appletest.Device) { d.ServerAttributes = map[string]any{"serverName": nil} }), "", but("mdm_server", "")},
		"server without a status": {changed(func(d *appletest.Device) { d.ServerAttributes = map[string]any{"status": ""} }), "", but("mdm_server_status", "")},
		"deleted server":          {changed(func(d *appletest.Device) { d.ServerAttributes = map[string]any{"status": "DELETED"} }), "", but("mdm_server_status", "DELETED")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := started(t, appletest.Options{Devices: []appletest.Device{row.device}, Unassigned: row.unassigned})
			d := finds(t, opened(t, configOf(server)), macSerial, attributes())
			if got, known := d.Facts.Attributes.Get(); !known || !maps.Equal(got, row.want) {
				t.Errorf("the attributes are %v (known: %v), want %v", got, known, row.want)
			}
		})
	}
}

// TestData: the data for the certificate have the shape that those of all inventories have.
func TestData(t *testing.T) {
	t.Parallel()
	server := started(t, appletest.Options{Devices: []appletest.Device{mac(macSerial)}})
	c := configOf(server)
	if d := finds(t, opened(t, c), macSerial, posture.WithoutPolicy()); d.Data != nil {
		t.Errorf("the data are %s, want none", d.Data)
	}
	if got := opened(t, c).Returns(posture.Computer); got != "no data is returned" {
		t.Errorf("Returns = %q", got)
	}
	c.Enrich = true
	const want = `{"device":{"udid":"","serial_number":"C02XK1ABJHD2","name":""},` +
		`"user":{"username":"","realname":"","email_address":"","position":"","department":""},"groups":[]}`
	if d := finds(t, opened(t, c), macSerial, posture.WithoutPolicy()); string(d.Data) != want {
		t.Errorf("the data are\n     %s\nwant %s", d.Data, want)
	}
	if d := finds(t, opened(t, c), macSerial, posture.MustFacts("device.model")); d.Data != nil {
		t.Errorf("the data are %s without being asked for, want none", d.Data)
	}
	if got := opened(t, c).Returns(posture.Computer); got != "the serial number is returned" {
		t.Errorf("Returns = %q", got)
	}
}

// TestFactsCanBeGiven: Facts has all that a device has, and no others.
func TestFactsCanBeGiven(t *testing.T) {
	t.Parallel()
	server := started(t, appletest.Options{Devices: []appletest.Device{mac(macSerial)}})
	c := configOf(server)
	d := finds(t, opened(t, c), macSerial, posture.AllFacts())
	for _, definition := range posture.Vocabulary() {
		if _, known := definition.Get(&d); known != c.Facts().Has(definition.Set()) {
			t.Errorf("%s is known: %v, Facts has it: %v", definition.Name, known, c.Facts().Has(definition.Set()))
		}
	}
}

package addigy_test

import (
	"bytes"
	"regexp"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/addigy/addigytest"
	"step-posture-connector/internal/provider/providertest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// variants are servers with different quirks.
func variants() map[string]addigytest.Options {
	return map[string]addigytest.Options{
		"sound":           {},
		"fuzzy, null":     {Contains: true, NullItems: true, NoPages: 1},
		"small pages":     {PageLimit: 10},
		"none is no page": {NoPages: 0, PageLimit: 50},
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	for name, options := range variants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if options.Contains {
				t.Run("a part of an identifier is no answer", func(t *testing.T) { strangersAreNoAnswer(t, options) })
				return
			}
			providertest.Run(t, providertest.Harness{
				Open: func(t *testing.T, devices ...providertest.Device) providertest.Inventory {
					t.Helper()
					return open(t, options, 10*time.Second, devices).Inventory
				},
				Lacks: providertest.Unmanaged,
			})
		})
	}
}

func TestContractOfFaults(t *testing.T) {
	t.Parallel()
	providertest.RunHTTP(t, providertest.HTTPHarness{
		Open: func(t *testing.T, limit time.Duration, devices ...providertest.Device) providertest.Service {
			t.Helper()
			return open(t, addigytest.Options{}, limit, devices)
		},
		Shapes:         shapes(t),
		Lacks:          providertest.Tokens | providertest.EndpointsOfTypes,
		OverVendorhttp: true, LocksOut: true, ListPage: 100,
	})
}

// strangersAreNoAnswer: Addigy promises that = compares whole texts. Where it does not, it has not said that there is no such
// device.
func strangersAreNoAnswer(t *testing.T, options addigytest.Options) {
	t.Helper()
	options.Devices = []addigytest.Device{mac(macSerial), mac(macSerial + "0"), phone(phoneSerial)}
	provider := opened(t, configOf(started(t, options)))
	finds(t, provider, macSerial)
	fails(t, provider, macSerial[:10])
	if _, err := lookup(t, provider, absentSerial); err == nil {
		t.Error("an absent device is found")
	}
}

func open(t *testing.T, options addigytest.Options, limit time.Duration, devices []providertest.Device) providertest.Service {
	t.Helper()
	server := tolerant(t, options) // the suites ask for its violations
	replace := func(devices ...providertest.Device) {
		var records []addigytest.Device
		for _, d := range devices {
			record := phone(d.Identifier, d.Groups...)
			if d.Type == posture.Computer {
				record = mac(d.Identifier, d.Groups...)
			}
			record.LastOnline = time.Now().Truncate(time.Hour).Add(-d.Seen).UTC().Format(time.RFC3339)
			records = append(records, record)
		}
		server.Replace(records...)
	}
	replace(devices...)
	c := configOf(server)
	c.Timeout = config.Whole(limit / time.Second)
	c.Enrich = true // half of the lookups return data, half do not
	return providertest.Service{
		Inventory: providertest.Inventory{
			Provider: opened(t, c), Replace: replace, Secrets: server.Secrets, Violations: server.Violations,
			Damage: func(identifier string) { server.Change(identifier, func(d *addigytest.Device) { d.Broken = true }) },
		},
		Server: server.Server,
		Lookup: []string{addigytest.Devices},
	}
}

// shapes are answers to the lookup of C02XK1ABJHD2 that look right and are not.
func shapes(t *testing.T) map[string]vendortest.Fault {
	t.Helper()
	edit := func(pattern, replacement string) vendortest.Fault {
		form := regexp.MustCompile(pattern)
		return vendortest.Fault{Kind: vendortest.Edit, Change: func(body []byte) []byte {
			changed := form.ReplaceAll(body, []byte(replacement))
			if bytes.Equal(changed, body) {
				t.Errorf("the edit of %s fits no more", pattern)
			}
			return changed
		}}
	}
	body := func(text string) vendortest.Fault { return vendortest.Fault{Kind: vendortest.Answer, Body: text} }
	const none = `"metadata":{"page":1,"per_page":10,"page_count":0,"result_count":0,"total":0}`
	const one = `"metadata":{"page":1,"per_page":10,"page_count":1,"result_count":1,"total":1}`
	const serial = `"serial_number":\{"type":"string","value":"C02XK1ABJHD2","error_msg":""\}`
	return map[string]vendortest.Fault{
		"another device":                  edit(`"value":"C02XK1`, `"value":"C03XK1`),
		"longer serial number":            edit(`"value":"C02XK1`, `"value":"XC02XK1`),
		"serial number null":              edit(serial, `"serial_number":{"type":"string","value":null,"error_msg":""}`),
		"serial number empty":             edit(serial, `"serial_number":{"type":"string","value":"","error_msg":""}`),
		"serial number a list":            edit(serial, `"serial_number":{"type":"list","value":["C02XK1ABJHD2"],"error_msg":""}`),
		"serial number a number":          edit(serial, `"serial_number":{"type":"number","value":12345678,"error_msg":""}`),
		"serial number not found out":     edit(serial, `"serial_number":{"type":"string","value":"C02XK1ABJHD2","error_msg":"timeout"}`),
		"an error of another type":        edit(serial, `"serial_number":{"type":"string","value":"C02XK1ABJHD2","error_msg":{"a":1}}`),
		"serial number no fact":           edit(serial, `"serial_number":"C02XK1ABJHD2"`),
		"serial number without value":     edit(serial, `"serial_number":{"type":"string","error_msg":""}`),
		"no serial number":                edit(serial, `"other":1`),
		"facts null":                      edit(`"facts":\{.*\},"orgid"`, `"facts":null,"orgid"`),
		"no facts":                        edit(`"facts":\{.*\},"orgid"`, `"orgid"`),
		"facts a list":                    edit(`"facts":\{.*\},"orgid"`, `"facts":[],"orgid"`),
		"another page":                    edit(`"page":1`, `"page":2`),
		"page 0":                          edit(`"page":1`, `"page":0`),
		"pages without size":              edit(`"per_page":10`, `"per_page":0`),
		"larger pages":                    edit(`"per_page":10`, `"per_page":100`),
		"two pages":                       edit(`"page_count":1`, `"page_count":2`),
		"two pages of many devices":       edit(`"page_count":1(.*)"total":1`, `"page_count":2${1}"total":11`),
		"no pages":                        edit(`"page_count":1`, `"page_count":0`),
		"negative pages":                  edit(`"page_count":1`, `"page_count":-1`),
		"fewer devices than said":         edit(`"result_count":1`, `"result_count":2`),
		"more devices than said":          edit(`"result_count":1`, `"result_count":0`),
		"a total of two":                  edit(`"total":1`, `"total":2`),
		"a total of none":                 edit(`"total":1`, `"total":0`),
		"no total":                        edit(`,"total":1`, ``),
		"a total of null":                 edit(`"total":1`, `"total":null`),
		"a total in words":                edit(`"total":1`, `"total":"1"`),
		"no number of devices":            edit(`"result_count":1,`, ``),
		"no number of pages":              edit(`"page_count":1,`, ``),
		"no metadata":                     edit(`,"metadata":\{[^}]*\}`, ``),
		"metadata null":                   edit(`"metadata":\{[^}]*\}`, `"metadata":null`),
		"devices twice":                   edit(`^\{`, `{"items":[],`),
		"no devices, one said":            body(`{"items":[],` + one + `}`),
		"devices null, one said":          body(`{"items":null,` + one + `}`),
		"devices missing":                 body(`{` + none + `}`),
		"devices missing, one said":       body(`{` + one + `}`),
		"devices an object":               body(`{"items":{},` + none + `}`),
		"devices a text":                  body(`{"items":"",` + none + `}`),
		"no devices, no metadata":         body(`{"items":[]}`),
		"no devices, metadata empty":      body(`{"items":[],"metadata":{}}`),
		"no devices, of many pages":       body(`{"items":[],"metadata":{"page":1,"per_page":10,"page_count":2,"result_count":0,"total":0}}`),
		"no devices, of another page":     body(`{"items":[],"metadata":{"page":2,"per_page":10,"page_count":0,"result_count":0,"total":0}}`),
		"no devices, total as a list":     body(`{"items":[],"metadata":{"page":1,"per_page":10,"page_count":0,"result_count":0,"total":[]}}`),
		"no devices, without page":        body(`{"items":[],"metadata":{"per_page":10,"page_count":0,"result_count":0,"total":0}}`),
		"a device that is null":           body(`{"items":[null],` + one + `}`),
		"a device that is empty":          body(`{"items":[{}],` + one + `}`),
		"a device that is a text":         body(`{"items":["C02XK1ABJHD2"],` + one + `}`),
		"text behind it":                  body(`{"items":[],` + none + `} {}`),
		"an error in place of a page":     body(`{"code":200,"message":"","error_chain":null}`),
		"an error beside devices of null": body(`{"code":4001,"items":null,"metadata":null}`),
	}
}

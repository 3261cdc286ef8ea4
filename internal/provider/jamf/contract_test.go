package jamf_test

import (
	"bytes"
	"regexp"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/jamf"
	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// variant is a server and the API that it is asked with.
type variant struct {
	api     string
	options jamftest.Options
}

func variants() map[string]variant {
	return map[string]variant{
		"pro 11.30":          {"pro", jamftest.Options{Version: "11.30.1-t1784000000000"}},
		"pro 11.10, v2 only": {"pro", jamftest.Options{Version: "11.10.0-t1729000000", ComputerVersions: []int{2}, ContextPath: "/jamf"}},
		"pro 10.49":          {"pro", jamftest.Options{Version: "10.49.0-t1690000000"}},
		"classic": {"classic", jamftest.Options{Version: "10.49.0-t1690000000", Quirks: jamftest.Quirks{
			StringsAsNumbers: true, SingleElements: true, EmptyContainers: `""`, ManagedAsString: true,
		}}},
		"classic, other quirks": {"classic", jamftest.Options{Quirks: jamftest.Quirks{NumbersAsStrings: true, EmptyContainers: "{}"}}},
	}
}

// lacks: the Classic API returns the first of several records.
func (v variant) lacks() providertest.Trait {
	if v.api == "classic" {
		return providertest.Duplicates
	}
	return 0
}

func TestContract(t *testing.T) {
	t.Parallel()
	for name, v := range variants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			providertest.Run(t, providertest.Harness{
				Open: func(t *testing.T, devices ...providertest.Device) providertest.Inventory {
					t.Helper()
					return v.open(t, 10*time.Second, devices).Inventory
				},
				Lacks: v.lacks() | providertest.Newest,
			})
		})
	}
}

// faultPage is how many devices a page has where answers are spoiled. Faults do not depend on it; pages of full size are those of
// TestListPages and TestListCost.
const faultPage = 50

func TestContractOfFaults(t *testing.T) {
	t.Parallel()
	all := variants()
	delete(all, "classic, other quirks") // faults do not depend on them
	for name, v := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v.options.PageLimit = faultPage
			providertest.RunHTTP(t, providertest.HTTPHarness{
				Open: func(t *testing.T, limit time.Duration, devices ...providertest.Device) providertest.Service {
					t.Helper()
					return v.open(t, limit, devices)
				},
				Shapes:         shapes(t, v.api),
				OverVendorhttp: true,
				MissingIs404:   v.api == "classic",
				Sibling:        name != "pro 11.30",
				ListPage:       faultPage,
			})
		})
	}
}

func (v variant) open(t *testing.T, limit time.Duration, devices []providertest.Device) providertest.Service {
	t.Helper()
	server := tolerant(t, v.options) // the suites ask for its violations
	replace := func(devices ...providertest.Device) {
		var records []jamftest.Device
		for _, d := range devices {
			records = append(records, asRecord(d))
		}
		server.Replace(records...)
	}
	replace(devices...)
	damage := func(identifier string) { server.Change(identifier, func(d *jamftest.Device) { d.Broken = "HARDWARE" }) }
	c := configOf(server, v.api)
	c.Timeout = config.Whole(limit / time.Second)
	c.ComputerEnrich = true // half of the lookups return data, half do not
	provider, err := jamf.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return providertest.Service{
		Inventory: providertest.Inventory{
			Provider: provider, Replace: replace, Damage: damage, Secrets: server.Secrets, Violations: server.Violations,
		},
		Server: server.Server,
		Lookup: lookupEndpoints(),
		Apart: map[posture.DeviceType][]string{
			posture.Computer:     append(lookupEndpoints()[:4], jamftest.ClassicComputers),
			posture.MobileDevice: {jamftest.MobileDevices, jamftest.ClassicMobile},
		},
		Token:  []string{jamftest.Token, jamftest.OldToken},
		Expire: server.Expire,
		Revoke: server.Revoke,
	}
}

func asRecord(d providertest.Device) jamftest.Device {
	record := phone(d.Identifier, d.Groups...)
	if d.Type == posture.Computer {
		record = mac(d.Identifier, d.Groups...)
	}
	record.Managed = new(!d.Unmanaged)
	return record
}

// shapes are answers to the lookup of C02XK1ABJHD2 that look right and are not.
func shapes(t *testing.T, api string) map[string]vendortest.Fault {
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
	if api == "classic" {
		return map[string]vendortest.Fault{
			"another device":        edit(`"serial_number":"C02`, `"serial_number":"C03`),
			"longer serial number":  edit(`"serial_number":"C02`, `"serial_number":"XC02`),
			"serial number null":    edit(`"serial_number":"[^"]*"`, `"serial_number":null`),
			"serial number empty":   edit(`"serial_number":"[^"]*"`, `"serial_number":""`),
			"no serial number":      edit(`"serial_number":"[^"]*",`, ``),
			"serial number a list":  edit(`"serial_number":"([^"]*)"`, `"serial_number":["$1"]`),
			"another kind of thing": edit(`^\{"computer":`, `{"mobile_device":`),
			"record null":           body(`{"computer":null}`),
			"record empty":          body(`{"computer":{}}`),
			"record a string":       body(`{"computer":""}`),
			"record a list":         body(`{"computer":[]}`),
		}
	}
	return map[string]vendortest.Fault{
		"another device":          edit(`"serialNumber":"C02`, `"serialNumber":"C03`),
		"longer serial number":    edit(`"serialNumber":"C02`, `"serialNumber":"XC02`),
		"serial number null":      edit(`"serialNumber":"[^"]*"`, `"serialNumber":null`),
		"serial number empty":     edit(`"serialNumber":"[^"]*"`, `"serialNumber":""`),
		"no serial number":        edit(`,"serialNumber":"[^"]*"`, ``),
		"hardware null":           edit(`"hardware":\{[^}]*\}`, `"hardware":null`),
		"fewer results than said": edit(`"totalCount":1`, `"totalCount":2`),
		"many more than said":     edit(`"totalCount":1`, `"totalCount":1000000`),
		"more results than said":  edit(`"totalCount":1`, `"totalCount":0`),
		"negative total":          edit(`"totalCount":1`, `"totalCount":-1`),
		"no total":                edit(`"totalCount":1,`, ``),
		"results null":            body(`{"totalCount":1,"results":null}`),
		"no results":              body(`{"totalCount":0}`),
		"no results, total 1":     body(`{"totalCount":1,"results":[]}`),
		"results an object":       body(`{"totalCount":1,"results":{}}`),
		"result null":             body(`{"totalCount":1,"results":[null]}`),
		"result empty":            body(`{"totalCount":1,"results":[{}]}`),
		"result a string":         body(`{"totalCount":1,"results":["C02XK1ABJHD2"]}`),
		"members twice":           body(`{"totalCount":0,"totalCount":0,"results":[],"results":[]}`),
		"text behind it":          body(`{"totalCount":0,"results":[]} {}`),
	}
}

package apple_test

import (
	"bytes"
	"regexp"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/apple/appletest"
	"step-posture-connector/internal/provider/providertest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// lacks: Apple says nothing of management and has no groups; a serial number is the ID of one record, of whatever
// type the device is; and all devices are looked up at one endpoint.
const lacks = providertest.Types | providertest.Managed | providertest.Unmanaged | providertest.Groups | providertest.Duplicates | providertest.Newest |
	providertest.EndpointsOfTypes

func TestContract(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Harness{
		Open: func(t *testing.T, devices ...providertest.Device) providertest.Inventory {
			t.Helper()
			return service(t, 10*time.Second, devices).Inventory
		},
		Lacks: lacks,
	})
}

func TestContractOfFaults(t *testing.T) {
	t.Parallel()
	providertest.RunHTTP(t, providertest.HTTPHarness{
		Open: func(t *testing.T, limit time.Duration, devices ...providertest.Device) providertest.Service {
			t.Helper()
			return service(t, limit, devices)
		},
		Lacks:          lacks,
		Shapes:         shapes(t),
		OverVendorhttp: true,
		MissingIs404:   true,
		Remembers:      true,
		ListPage:       1000,
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	providertest.RunLimits(t, providertest.Limits{
		Open: func(t *testing.T, devices ...providertest.Device) providertest.Service {
			t.Helper()
			return service(t, 10*time.Second, devices)
		},
		AtOnce: 4, Period: 10 * time.Second,
	})
}

func service(t *testing.T, limit time.Duration, devices []providertest.Device) providertest.Service {
	t.Helper()
	server := tolerant(t, appletest.Options{}) // the suites ask for its violations
	replace := func(devices ...providertest.Device) {
		var records []appletest.Device
		for _, d := range devices {
			record := phone(d.Identifier)
			if d.Type == posture.Computer {
				record = mac(d.Identifier)
			}
			records = append(records, record)
		}
		server.Replace(records...)
	}
	replace(devices...)
	c := configOf(server)
	c.Timeout = config.Whole(limit / time.Second)
	c.Enrich = true
	return providertest.Service{
		Inventory: providertest.Inventory{
			Provider: opened(t, c), Replace: replace, Secrets: server.Secrets, Violations: server.Violations,
			Damage: func(identifier string) { server.Change(identifier, func(d *appletest.Device) { d.Broken = true }) },
		},
		Server: server.Server,
		Lookup: []string{appletest.OrgDevice},
		List:   []string{appletest.OrgDevices},
		Token:  []string{appletest.Token},
		Expire: server.Expire,
		Revoke: server.Revoke,
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
	body := func(status int, text string) vendortest.Fault {
		return vendortest.Fault{Kind: vendortest.Answer, Status: status, Body: text}
	}
	const missing = `{"errors":[{"status":"404","code":"NOT_FOUND"}]}`
	return map[string]vendortest.Fault{
		"another device":         edit(`"serialNumber":"C02`, `"serialNumber":"C03`),
		"longer serial number":   edit(`"serialNumber":"C02`, `"serialNumber":"XC02`),
		"serial number null":     edit(`"serialNumber":"[^"]*"`, `"serialNumber":null`),
		"serial number empty":    edit(`"serialNumber":"[^"]*"`, `"serialNumber":""`),
		"serial number a list":   edit(`"serialNumber":"([^"]*)"`, `"serialNumber":["$1"]`),
		"another kind of thing":  edit(`"type":"orgDevices"`, `"type":"mdmDevices"`),
		"no type":                edit(`"type":"orgDevices"`, `"kind":"orgDevices"`),
		"no attributes":          edit(`"attributes":`, `"others":`),
		"attributes null":        edit(`"attributes":\{[^}]*\}`, `"attributes":null`),
		"attributes a list":      edit(`"attributes":(\{[^}]*\})`, `"attributes":[$1]`),
		"attributes twice":       edit(`("attributes":\{[^}]*\})`, `$1,$1`),
		"a list of one":          edit(`"data":(\{.*\}),"links"`, `"data":[$1],"links"`),
		"data null":              body(200, `{"data":null}`),
		"data empty":             body(200, `{"data":{}}`),
		"data a string":          body(200, `{"data":"C02XK1ABJHD2"}`),
		"no data":                body(200, `{}`),
		"errors with 200":        body(200, missing),
		"404 of a gateway":       body(404, `{"message":"no Route matched with those values"}`),
		"404 with no errors":     body(404, `{"errors":[]}`),
		"404 with errors null":   body(404, `{"errors":null}`),
		"404 with an odd error":  body(404, `{"errors":["NOT_FOUND"]}`),
		"404 of the path":        body(404, `{"errors":[{"status":"404","code":"PATH_ERROR"},{"status":"404","code":"NOT_FOUND"}]}`),
		"404 of another status":  body(404, `{"errors":[{"status":"500","code":"NOT_FOUND"}]}`),
		"404 with another code":  body(404, `{"errors":[{"status":"404","code":"RESOURCE_NOT_FOUND"}]}`),
		"404 with a device":      body(404, `{"data":{"type":"orgDevices","id":"C02XK1ABJHD2","attributes":{"serialNumber":"C02XK1ABJHD2"}}}`),
		"404 without a body":     body(404, ``),
		"404 that is HTML":       body(404, `<html>NOT_FOUND</html>`),
		"410 with Apple's words": body(410, missing),
		"400 with Apple's words": body(400, missing),
		"204":                    body(204, ``),
		"206":                    body(206, `{"data":{"type":"orgDevices","id":"C02XK1ABJHD2","attributes":{"serialNumber":"C02XK1ABJHD2"}}}`),
	}
}

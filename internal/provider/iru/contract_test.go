package iru_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/iru"
	"step-posture-connector/internal/provider/iru/irutest"
	"step-posture-connector/internal/provider/providertest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// lacks: Iru has one list of all devices, and a token that does not change.
const lacks = providertest.Tokens | providertest.EndpointsOfTypes

func TestContract(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Harness{
		Open: func(t *testing.T, devices ...providertest.Device) providertest.Inventory {
			t.Helper()
			return open(t, 10*time.Second, devices...).Inventory
		},
		Lacks: lacks,
	})
}

func TestContractOfFaults(t *testing.T) {
	t.Parallel()
	providertest.RunHTTP(t, providertest.HTTPHarness{
		Open: open, Shapes: shapes(t), Lacks: lacks, OverVendorhttp: true, ListPage: 300, BareList: true,
	})
}

func open(t *testing.T, limit time.Duration, devices ...providertest.Device) providertest.Service {
	t.Helper()
	return openWith(t, irutest.Options{}, iru.Unlimited, limit, devices...)
}

func openWith(t *testing.T, options irutest.Options, create func(iru.Config) (*iru.Provider, error), limit time.Duration, devices ...providertest.Device) providertest.Service {
	t.Helper()
	server := tolerant(t, options) // the suites ask for its violations
	seen := time.Now()             // one time for all
	replace := func(devices ...providertest.Device) {
		var records []irutest.Device
		for _, d := range devices {
			record := mac(d.Identifier, d.Groups...)
			if d.Type == posture.MobileDevice {
				record = phone(d.Identifier, d.Groups...)
			}
			record.MDMEnabled, record.BlueprintName = new(!d.Unmanaged), ""
			record.LastCheckIn = seen.Add(-d.Seen).UTC().Format(time.RFC3339Nano)
			records = append(records, record)
		}
		server.Replace(records...)
	}
	replace(devices...)
	c := configOf(server)
	c.Timeout = config.Whole(limit / time.Second)
	c.Enrich = true
	provider, err := create(c)
	if err != nil {
		t.Fatal(err)
	}
	return providertest.Service{
		Inventory: providertest.Inventory{
			Provider: provider, Replace: replace, Secrets: server.Secrets, Violations: server.Violations,
			Damage: func(identifier string) { server.Change(identifier, func(d *irutest.Device) { d.Broken = true }) },
		},
		Server: server.Server, Lookup: []string{irutest.Devices},
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
	status := func(status int, text string) vendortest.Fault {
		return vendortest.Fault{Kind: vendortest.Answer, Status: status, Body: text}
	}
	return map[string]vendortest.Fault{
		"another device":        edit(`"serial_number":"C02`, `"serial_number":"C03`),
		"serial number null":    edit(`"serial_number":"[^"]*"`, `"serial_number":null`),
		"serial number empty":   edit(`"serial_number":"[^"]*"`, `"serial_number":""`),
		"no serial number":      edit(`"serial_number":"[^"]*",`, ``),
		"serial number a list":  edit(`"serial_number":"([^"]*)"`, `"serial_number":["$1"]`),
		"null":                  body(`null`),
		"an object":             body(`{}`),
		"an envelope":           body(`{"count":0,"results":[]}`),
		"an error":              body(`{"detail":"Not found."}`),
		"a string":              body(`"C02XK1ABJHD2"`),
		"a number":              body(`0`),
		"record null":           body(`[null]`),
		"record empty":          body(`[{}]`),
		"record a string":       body(`["C02XK1ABJHD2"]`),
		"record a list":         body(`[[]]`),
		"members twice":         body(`[{"serial_number":"X","serial_number":"Y"}]`),
		"text behind it":        body(`[] []`),
		"text in front":         body(`ok []`),
		"an empty body":         body(``),
		"a page":                body(`<html><body>Iru</body></html>`),
		"too many records":      body("[" + strings.Repeat(`{"serial_number":"XC02XK1ABJHD2"},`, 300) + `{"serial_number":"XC02XK1ABJHD2"}]`),
		"the gateway":           status(404, `{"message":"no Route matched with those values","request_id":"5f0e"}`),
		"not found of the API":  status(404, `{"detail":"Not found."}`),
		"not found, empty list": status(404, `[]`),
		"no content":            status(204, ``),
		"partial content":       status(206, `[]`),
	}
}

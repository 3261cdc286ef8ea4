package intune_test

import (
	"bytes"
	"regexp"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/intune"
	"step-posture-connector/internal/provider/intune/intunetest"
	"step-posture-connector/internal/provider/providertest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	for name, enrich := range map[string]config.Switch{"with data": true, "without data": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			providertest.Run(t, providertest.Harness{Lacks: providertest.EndpointsOfTypes, Open: func(t *testing.T, devices ...providertest.Device) providertest.Inventory {
				t.Helper()
				return service(t, func(s *intunetest.Server) intune.Config {
					c := configOf(s)
					c.Enrich = enrich
					return c
				}, intunetest.Options{}, devices).Inventory
			}})
		})
	}
}

// listPage is small, so that the suites need no thousands of devices for a second page.
const listPage = 20

func TestContractOfFaults(t *testing.T) {
	t.Parallel()
	for endpoint, shapes := range map[string]func(*testing.T) map[string]vendortest.Fault{
		intunetest.ManagedDevices: deviceShapes, intunetest.Groups: groupShapes,
	} {
		t.Run(endpoint, func(t *testing.T) {
			t.Parallel()
			providertest.RunHTTP(t, providertest.HTTPHarness{
				Open: func(t *testing.T, limit time.Duration, devices ...providertest.Device) providertest.Service {
					t.Helper()
					s := service(t, func(s *intunetest.Server) intune.Config {
						c := configOf(s)
						c.Timeout = config.Whole(limit / time.Second)
						return c
					}, intunetest.Options{PageLimit: listPage}, devices)
					s.Lookup, s.List = []string{endpoint}, []string{intunetest.ManagedDevices}
					return s
				},
				Shapes: shapes(t), OverVendorhttp: true, ListPage: listPage,
				Lacks: providertest.EndpointsOfTypes, Sibling: endpoint != intunetest.ManagedDevices,
			})
		})
	}
}

func edits(t *testing.T) func(pattern, replacement string) vendortest.Fault {
	t.Helper()
	return func(pattern, replacement string) vendortest.Fault {
		form := regexp.MustCompile(pattern)
		return vendortest.Fault{Kind: vendortest.Edit, Change: func(body []byte) []byte {
			changed := form.ReplaceAll(body, []byte(replacement))
			if bytes.Equal(changed, body) {
				t.Errorf("the edit of %s fits no more", pattern)
			}
			return changed
		}}
	}
}

func answers(text string) vendortest.Fault {
	return vendortest.Fault{Kind: vendortest.Answer, Body: text}
}

// deviceShapes are answers to the lookup of C02XK1ABJHD2 that look right and are not.
func deviceShapes(t *testing.T) map[string]vendortest.Fault {
	t.Helper()
	edit := edits(t)
	return map[string]vendortest.Fault{
		"another device":         edit(`"serialNumber":"C02`, `"serialNumber":"C03`),
		"longer serial number":   edit(`"serialNumber":"C02`, `"serialNumber":"XC02`),
		"serial number null":     edit(`"serialNumber":"[^"]*"`, `"serialNumber":null`),
		"serial number empty":    edit(`"serialNumber":"[^"]*"`, `"serialNumber":""`),
		"no serial number":       edit(`,"serialNumber":"[^"]*"`, ``),
		"serial number a list":   edit(`"serialNumber":("[^"]*")`, `"serialNumber":[$1]`),
		"more pages":             edit(`"value":`, `"@odata.nextLink":"https://graph.microsoft.com/v1.0/deviceManagement/managedDevices?$$skiptoken=1","value":`),
		"more pages, empty":      answers(`{"value":[],"@odata.nextLink":"https://graph.microsoft.com/v1.0/deviceManagement/managedDevices?$skiptoken=1"}`),
		"link null":              answers(`{"value":[],"@odata.nextLink":null}`),
		"value null":             answers(`{"@odata.context":"c","value":null}`),
		"no value":               answers(`{"@odata.context":"c","@odata.count":0}`),
		"value an object":        answers(`{"value":{}}`),
		"value a string":         answers(`{"value":""}`),
		"record null":            answers(`{"value":[null]}`),
		"record empty":           answers(`{"value":[{}]}`),
		"record a string":        answers(`{"value":["C02XK1ABJHD2"]}`),
		"a broken one beside it": edit(`"value":\[`, `"value":[null,`),
		"members twice":          answers(`{"value":[],"value":[]}`),
		"text behind it":         answers(`{"value":[]} {}`),
		"an error with 200":      answers(`{"error":{"code":"UnknownError","message":"` + vendortest.Marker + `"}}`),
	}
}

// groupShapes are answers about its groups.
func groupShapes(*testing.T) map[string]vendortest.Fault {
	const one = `{"id":"5f0d6a1c-93f4-4c0e-b0f4-7a2f8f6f1d11","displayName":"one"}`
	return map[string]vendortest.Fault{
		"value null":           answers(`{"value":null}`),
		"no value":             answers(`{"@odata.count":0}`),
		"value an object":      answers(`{"value":{}}`),
		"group null":           answers(`{"value":[` + one + `,null]}`),
		"group a string":       answers(`{"value":["one"]}`),
		"group without a name": answers(`{"value":[` + one + `,{"id":"6f0d6a1c-93f4-4c0e-b0f4-7a2f8f6f1d11"}]}`),
		"group named null":     answers(`{"value":[{"id":"6f0d6a1c-93f4-4c0e-b0f4-7a2f8f6f1d11","displayName":null}]}`),
		"group named empty":    answers(`{"value":[{"id":"6f0d6a1c-93f4-4c0e-b0f4-7a2f8f6f1d11","displayName":""}]}`),
		"group without an ID":  answers(`{"value":[{"displayName":"one"}]}`),
		"group with a text ID": answers(`{"value":[{"id":"one","displayName":"one"}]}`),
		"link elsewhere":       answers(`{"value":[` + one + `],"@odata.nextLink":"https://graph.example.com/v1.0/x?$skiptoken=1"}`),
		"link by http":         answers(`{"value":[` + one + `],"@odata.nextLink":"http://graph.microsoft.com/v1.0/x?$skiptoken=1"}`),
		"link null":            answers(`{"value":[` + one + `],"@odata.nextLink":null}`),
		"link empty":           answers(`{"value":[` + one + `],"@odata.nextLink":""}`),
		"link without a query": answers(`{"value":[` + one + `],"@odata.nextLink":"https://graph.microsoft.com/v1.0/x"}`),
	}
}

// TestLimits: so many requests take as long as the limit of the provider says, however fast the server is.
func TestLimits(t *testing.T) {
	t.Parallel()
	var server *vendortest.Server
	begin := time.Now()
	providertest.RunLimits(t, providertest.Limits{
		Open: func(t *testing.T, devices ...providertest.Device) providertest.Service {
			t.Helper()
			s := service(t, configOf, intunetest.Options{}, devices)
			server = s.Server
			return s
		},
		AtOnce: 10, Period: 20 * time.Second,
	})
	const burst, perSecond = 100, 60
	requests := server.Count(intunetest.ManagedDevices, intunetest.Groups, intunetest.Users)
	if took, least := time.Since(begin), time.Duration(requests-burst)*time.Second/perSecond; took < least {
		t.Errorf("%d requests took %v, want %v at least", requests, took, least)
	}
}

// TestListOfManyDevices: what a snapshot of 10,000 devices costs.
func TestListOfManyDevices(t *testing.T) {
	t.Parallel()
	const many = 10_000
	var devices []intunetest.Device
	for i := range many {
		devices = append(devices, mac("C02"+string([]byte{'A' + byte(i/1000), '0' + byte(i/100%10), '0' + byte(i/10%10), '0' + byte(i%10)})+"JHD2"))
	}
	server := started(t, intunetest.Options{Devices: devices})
	p := opened(t, configOf(server))
	found, requests := providertest.CountList(t, server.Server, p, posture.AllFacts())
	t.Logf("a list of %d devices took %d requests, pages of %v", found, requests, server.PageSizes())
	if found != many || requests != 11 { // one of them for the token
		t.Errorf("a list of %d devices has %d, in %d requests, want 11", many, found, requests)
	}
}

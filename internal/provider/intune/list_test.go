package intune_test

import (
	"slices"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/intune/intunetest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// TestLinks: a list goes on only at the host and the path that it began with.
func TestLinks(t *testing.T) {
	t.Parallel()
	for link, good := range map[string]bool{
		"https://graph.microsoft.com/v1.0/deviceManagement/managedDevices?$select=id&$skiptoken=after-1": true,
		"https://graph.microsoft.us/v1.0/deviceManagement/managedDevices?$select=id&$skiptoken=after-1":  false,
		"https://graph.example.com/v1.0/deviceManagement/managedDevices?$select=id&$skiptoken=after-1":   false,
		"http://graph.microsoft.com/v1.0/deviceManagement/managedDevices?$select=id&$skiptoken=after-1":  false,
		"https://graph.microsoft.com/v1.0/users?$select=id&$skiptoken=after-1":                           false,
		"https://graph.microsoft.com/v1.0/deviceManagement/managedDevices":                               false,
		"https://a@graph.microsoft.com/v1.0/deviceManagement/managedDevices?$select=id":                  false,
		"//graph.microsoft.com/v1.0/deviceManagement/managedDevices?$select=id":                          false,
		"/v1.0/deviceManagement/managedDevices?$select=id&$skiptoken=after-1":                            false,
		"%": false,
	} {
		server := started(t, intunetest.Options{PageLimit: 1, NextLink: link, Devices: []intunetest.Device{mac(serial), mac("C02XK1ABJHD3")}})
		_, err := opened(t, configOf(server)).List(t.Context(), posture.List{}, func(posture.Listing) error { return nil })
		if good != (err == nil) || server.Count(intunetest.Elsewhere, intunetest.Users) != 0 {
			t.Errorf("%s: List = %v, want it to go on: %v", link, err, good)
		}
	}
	// A list that repeats its first page does not end as a short one.
	server := started(t, intunetest.Options{PageLimit: 1, Devices: []intunetest.Device{mac(serial), mac("C02XK1ABJHD3"), mac("C02XK1ABJHD4")}})
	server.Change(func(o *intunetest.Options) {
		o.NextLink = server.URL() + "/v1.0/deviceManagement/managedDevices?$select=id&$skiptoken=after-0"
	})
	if _, err := opened(t, configOf(server)).List(t.Context(), posture.List{}, func(posture.Listing) error { return nil }); err == nil {
		t.Error("a list that repeats a page is no error")
	}
}

// TestDamagedInLists: a record that says nothing of its serial number makes a list incomplete.
func TestDamagedInLists(t *testing.T) {
	t.Parallel()
	without := mac("C02XK1ABJHD3")
	without.Without = []string{"serialNumber"}
	server := started(t, intunetest.Options{Devices: []intunetest.Device{mac(serial), without, mac("")}})
	var damaged []bool
	_, err := opened(t, configOf(server)).List(t.Context(), posture.List{}, func(l posture.Listing) error {
		damaged = append(damaged, l.Damaged)
		return nil
	})
	if err != nil || !slices.Equal(damaged, []bool{false, true, false}) {
		t.Errorf("List = %v, %v, want that the second record is damaged", damaged, err)
	}
}

// TestListFaults: a second page that is none is an error, and never the end of a list; one that fails once costs nothing.
func TestListFaults(t *testing.T) {
	t.Parallel()
	const all = 3
	for _, row := range []struct {
		name  string
		fault vendortest.Fault
		good  bool
	}{
		{"value null", answers(`{"value":null}`), false},
		{"no value", answers(`{"@odata.count":0}`), false},
		{"HTML", answers("<html>" + vendortest.Marker + "</html>"), false},
		{"an error with 200", answers(`{"error":{"code":"UnknownError"}}`), false},
		{"link null", answers(`{"value":[],"@odata.nextLink":null}`), false},
		{"404", vendortest.Fault{Kind: vendortest.Answer, Status: 404, Body: `{"value":[]}`}, false},
		{"403", vendortest.Fault{Kind: vendortest.Answer, Status: 403}, false},
		{"500 once", vendortest.Fault{Kind: vendortest.Answer, Status: 500, Times: 1}, true},
	} {
		server := started(t, intunetest.Options{PageLimit: 1, Devices: []intunetest.Device{mac(serial), mac("C02XK1ABJHD3"), mac("C02XK1ABJHD4")}})
		row.fault.After = 1
		server.Fail(row.fault, intunetest.ManagedDevices)
		passed := 0
		_, err := opened(t, configOf(server)).List(t.Context(), posture.List{}, func(posture.Listing) error {
			passed++
			return nil
		})
		if (err == nil) != row.good || row.good && passed != all || !row.good && passed != 1 {
			t.Errorf("%s: List passed %d devices, %v, want no error: %v", row.name, passed, err, row.good)
		}
	}
}

// TestListGivesNoData: a policy without data of its own is answered from a copy where lookups return none. With data, the list
// lacks what they are made of.
func TestListGivesNoData(t *testing.T) {
	t.Parallel()
	server := started(t, intunetest.Options{})
	for _, enrich := range []bool{false, true} {
		c := configOf(server)
		c.Enrich = config.Switch(enrich)
		if p := opened(t, c); p.ListGives().Has(posture.Document) == enrich {
			t.Errorf("with INTUNE_ENRICH %v the list gives data: %v", enrich, !enrich)
		}
	}
}

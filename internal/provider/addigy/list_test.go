package addigy_test

import (
	"fmt"
	"slices"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/addigy/addigytest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

func many(n int) []addigytest.Device {
	var devices []addigytest.Device
	for i := range n {
		d := mac(fmt.Sprintf("C02XK%06d", i), "p-root", "p-wifi")
		d.AgentID = fmt.Sprintf("a-%06d", i)
		devices = append(devices, d)
	}
	return devices
}

// TestPages: lists of any length, with pages of the size that Addigy allows, have every device once.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ devices, limit, requests int }{
		{0, 0, 1}, {1, 0, 1}, {100, 0, 1}, {101, 0, 2}, {250, 0, 3}, {200, 50, 4}, {25, 10, 3}, {7, 3, 3},
	} {
		server := started(t, addigytest.Options{Devices: many(row.devices), PageLimit: row.limit})
		all, result, err := listed(t, opened(t, configOf(server)), posture.AllFacts())
		if err != nil || len(all) != row.devices || result.Total != row.devices || server.Count() != row.requests {
			t.Errorf("%+v: %d devices, of %d, in %d requests, %v", row, len(all), result.Total, server.Count(), err)
		}
		seen := map[string]bool{}
		for _, l := range all {
			seen[l.Identifier] = true
		}
		if len(seen) != row.devices {
			t.Errorf("%+v: %d different devices", row, len(seen))
		}
	}
}

// TestSmallerPages: a page that is too large is asked for again with another size, and no device is passed over.
func TestSmallerPages(t *testing.T) {
	t.Parallel()
	server := started(t, addigytest.Options{Devices: many(330)})
	// Twice in a row from the third page on: 100, 50, 25.
	server.Fail(vendortest.Fault{Kind: vendortest.Edit, After: 2, Times: 3, Change: func([]byte) []byte { return make([]byte, 17<<20) }})
	all, result, err := listed(t, opened(t, configOf(server)), posture.AllFacts())
	var got []string
	for _, l := range all {
		got = append(got, l.Identifier)
	}
	slices.Sort(got)
	if err != nil || len(slices.Compact(got)) != 330 || len(all) != 330 || result.Total != 330 {
		t.Errorf("the list has %d devices, of %d, %v; sizes %v", len(all), result.Total, err, server.Sizes())
	}
}

// TestSpoiledLists: a list that repeats, lacks or contradicts is an error, and never a short list.
func TestSpoiledLists(t *testing.T) {
	t.Parallel()
	for name, lists := range map[string]addigytest.Lists{
		"a page is repeated":         {RepeatFrom: 2},
		"half a page":                {HalfFrom: 2},
		"half of the last page":      {HalfFrom: 3},
		"half a page, another total": {HalfFrom: 2, Total: 1, TotalFrom: 2},
		"more in all":                {Total: 1, TotalFrom: 1},
		"fewer in all":               {Total: -1, TotalFrom: 1},
		"one page in all":            {PageCount: -2, TotalFrom: 1},
		"one page more":              {PageCount: 1, TotalFrom: 1},
		"pages end early":            {PageCount: -1, TotalFrom: 2},
		"a last page that goes on":   {PageCount: 1, TotalFrom: 3},
		"a negative number of pages": {PageCount: -100, TotalFrom: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := started(t, addigytest.Options{Devices: many(250)})
			server.SpoilLists(lists)
			if all, result, err := listed(t, opened(t, configOf(server)), posture.AllFacts()); err == nil {
				t.Errorf("the list has %d devices, of %d, and is no error", len(all), result.Total)
			}
		})
	}
}

// TestTotalChanges: where devices come or go meanwhile, the list does not say how many there are.
func TestTotalChanges(t *testing.T) {
	t.Parallel()
	server := started(t, addigytest.Options{Devices: many(250)})
	server.SpoilLists(addigytest.Lists{Total: 3, TotalFrom: 2})
	if all, result, err := listed(t, opened(t, configOf(server)), posture.AllFacts()); err != nil || len(all) != 250 || result.Total != -1 {
		t.Errorf("the list has %d devices, of %d, %v, want 250 and no total", len(all), result.Total, err)
	}
}

// TestDamagedRecords: a record whose serial number is not certain makes the list incomplete; one without any is of no device.
func TestDamagedRecords(t *testing.T) {
	t.Parallel()
	broken, failed, none, odd, null := mac("C02XK1ABJH01"), mac("C02XK1ABJH02"), mac(""), mac("n/a"), mac("C02XK1ABJH05")
	broken.Broken = true
	failed.Facts = map[string]addigytest.Fact{"serial_number": {Type: "string", Value: "C02XK1ABJH02", ErrorMsg: "timeout"}}
	null.Facts = map[string]addigytest.Fact{"serial_number": {Type: "string", Value: nil}}
	server := started(t, addigytest.Options{Devices: []addigytest.Device{mac(macSerial), broken, failed, none, odd, null}})
	all, result, err := listed(t, opened(t, configOf(server)), posture.AllFacts())
	damaged, identified := 0, 0
	for _, l := range all {
		if l.Damaged {
			damaged++
		}
		if l.Identifier != "" {
			identified++
		}
	}
	if err != nil || len(all) != 6 || result.Total != 6 || damaged != 3 || identified != 1 {
		t.Errorf("of %d records %d are damaged, %d have an identifier, %v, want 6, 3 and 1", len(all), damaged, identified, err)
	}
}

package apple_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/apple/appletest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// many are so many devices.
func many(n int) []appletest.Device {
	var devices []appletest.Device
	for i := range n {
		devices = append(devices, mac(fmt.Sprintf("C02ZZ%05d", i)))
	}
	return devices
}

// TestListLacks: what takes a request for each device is not given, and nothing is asked for one by one.
func TestListLacks(t *testing.T) {
	t.Parallel()
	server := started(t, appletest.Options{Devices: []appletest.Device{mac(macSerial), phone(phoneSerial)}})
	c := configOf(server)
	provider := opened(t, c)
	if lists := provider.Lists(); !slices.Equal(lists, []posture.DeviceType{""}) {
		t.Errorf("Lists = %q, want one of all", lists)
	}
	all, listed := list(t, provider, posture.AllFacts()|posture.Document)
	if want := c.Facts()&^attributes() | posture.Document; listed.Facts != want || provider.ListGives() != want || len(all) != 2 || listed.Total != 2 {
		t.Errorf("List = %+v with %d devices, gives %q, want %q", listed, len(all), provider.ListGives().Names(), want.Names())
	}
	if n := server.Count(appletest.AssignedServer); n > 0 {
		t.Errorf("the list asked for the MDM server %d times", n)
	}
}

// TestListPages: the cursor is followed to the end, also where the server's pages are smaller than asked for; released devices are
// counted.
func TestListPages(t *testing.T) {
	t.Parallel()
	devices := many(25)
	devices[3].ReleasedAt = "2026-03-04T10:20:30Z"
	server := started(t, appletest.Options{Devices: devices, PageLimit: 10})
	all, listed := list(t, opened(t, configOf(server)), posture.AllFacts())
	named := 0
	for _, l := range all {
		if l.Identifier != "" {
			named++
		}
	}
	if len(all) != 25 || named != 24 || listed.Total != 25 || !slices.Equal(server.PageSizes(), []int{10, 10, 5}) {
		t.Errorf("List = %d records, %d with an identifier, %+v, in pages of %v", len(all), named, listed, server.PageSizes())
	}
}

// TestListShapes: a page that does not say how the list goes on is an error, and never the end; a list of which it is not known that
// it is whole does not say so.
func TestListShapes(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		old, replacement string
		total            int // -2: an error
	}{
		"more than said":            {`"total":3`, `"total":2`, -1},
		"fewer than said":           {`"total":3`, `"total":4`, -1},
		"no total":                  {`"total":3`, `"totals":3`, -1},
		"total null":                {`"total":3`, `"total":null`, -1},
		"total a string":            {`"total":3`, `"total":"3"`, -1},
		"negative total":            {`"total":3`, `"total":-3`, -1},
		"no paging":                 {`"paging"`, `"pages"`, -2},
		"no meta":                   {`"meta"`, `"about"`, -2},
		"no data":                   {`"data":[`, `"devices":[`, -2},
		"next link without cursor":  {`"links":{"self":"https`, `"links":{"next":"https`, -2},
		"cursor a number":           {`"total":3`, `"total":3,"nextCursor":7`, -2},
		"cursor a list":             {`"total":3`, `"total":3,"nextCursor":["a"]`, -2},
		"cursor and next link null": {`"total":3`, `"total":3,"nextCursor":null`, 3},
		"cursor empty":              {`"total":3`, `"total":3,"nextCursor":""`, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := started(t, appletest.Options{Devices: many(3)})
			server.Fail(vendortest.Fault{Kind: vendortest.Edit, Change: func(body []byte) []byte {
				changed := bytes.Replace(body, []byte(row.old), []byte(row.replacement), 1)
				if name == "next link without cursor" {
					changed = bytes.ReplaceAll(body, []byte(`/v1/orgDevices"},"meta"`), []byte(`/v1/orgDevices","next":"https://x/?cursor=1"},"meta"`))
				}
				if bytes.Equal(changed, body) {
					t.Error("the edit fits no more")
				}
				return changed
			}}, appletest.OrgDevices)
			all, listed, err := tryList(t, opened(t, configOf(server)), posture.AllFacts())
			switch {
			case row.total == -2 && err == nil:
				t.Errorf("List = %+v, want an error", listed)
			case row.total > -2 && (err != nil || len(all) != 3 || listed.Total != row.total):
				t.Errorf("List = %d records, %+v, %v, want 3 of %d", len(all), listed, err, row.total)
			}
		})
	}
}

// TestListRecords: a record that no lookup can read is damaged; one that no lookup asks for is only counted.
func TestListRecords(t *testing.T) {
	t.Parallel()
	with := func(attributes map[string]any) appletest.Device {
		d := mac(macSerial)
		d.Attributes = attributes
		return d
	}
	broken := mac(macSerial)
	broken.Broken = true
	renamed := mac(macSerial)
	renamed.ID = phoneSerial
	for name, row := range map[string]struct {
		device     appletest.Device
		identifier string
		damaged    bool
	}{
		"sound":                {mac(macSerial), macSerial, false},
		"broken":               {broken, macSerial, true},
		"serial number null":   {with(map[string]any{"serialNumber": nil}), macSerial, true},
		"serial number a list": {with(map[string]any{"serialNumber": []string{macSerial}}), macSerial, true},
		"another ID":           {renamed, macSerial, true},
		"no serial number":     {appletest.Device{Serial: "n/a"}, "", false},
		"lower case":           {mac(strings.ToLower(macSerial)), strings.ToLower(macSerial), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := started(t, appletest.Options{Devices: []appletest.Device{row.device}})
			provider := opened(t, configOf(server))
			all, listed := list(t, provider, posture.AllFacts())
			if len(all) != 1 || all[0].Identifier != row.identifier || all[0].Damaged != row.damaged || listed.Total != 1 {
				t.Errorf("List = %+v, %+v, want %q, damaged: %v", all, listed, row.identifier, row.damaged)
			}
			if _, err := lookup(t, provider, macSerial, posture.WithoutPolicy()); (err == nil) != (row.identifier != "" && !row.damaged) {
				t.Errorf("Lookup = %v", err)
			}
		})
	}
}

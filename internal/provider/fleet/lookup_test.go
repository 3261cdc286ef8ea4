package fleet_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/fleet"
	"step-posture-connector/internal/provider/fleet/fleettest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// wantFault insists on an error that says nothing about the device.
func wantFault(t *testing.T, d posture.Device, err error, part string) {
	t.Helper()
	if err == nil || errors.Is(err, posture.ErrNotFound) || errors.Is(err, posture.ErrAmbiguous) || errors.Is(err, posture.ErrIdentifier) ||
		d.Identifier != "" || !strings.Contains(err.Error(), part) {
		t.Errorf("Lookup = %q, %v, want a fault that says %q", d.Identifier, err, part)
	}
}

// TestNamedLikeAnother: a computer that is named like the serial number of another one, or has it in its UUID or as a part of its own, does
// not stand in its place, whichever was enrolled first and seen last.
func TestNamedLikeAnother(t *testing.T) {
	t.Parallel()
	named := []fleettest.Device{
		{Serial: "F9FXK1ABPLJM", Hostname: serial},
		{Serial: "DMPXK1ABJF88", ComputerName: serial},
		{Serial: "X" + serial},
		{Serial: "", UUID: serial},
		{Serial: strings.ReplaceAll(serial, "K", "\u212a")},
		{Serial: "-1", Hostname: serial},
	}
	server := started(t, fleettest.Options{})
	p := opened(t, configured(server, policyConfig()))
	server.Replace(named...)
	if d, err := lookup(t, p, query(t, serial)); !errors.Is(err, posture.ErrNotFound) {
		t.Errorf("Lookup = %q, %v, want not found", d.Identifier, err)
	}
	for _, devices := range [][]fleettest.Device{append(slices.Clone(named), full()), append([]fleettest.Device{full()}, named...)} {
		server.Replace(devices...)
		if d, err := lookup(t, p, query(t, serial)); err != nil || value(t, d, "device.model") != "Mac15,12" {
			t.Errorf("Lookup = %+v, %v, want the device", d, err)
		}
	}
}

// TestPlaceholders: what computers have in place of a serial number matches none of them, and Fleet is not asked.
func TestPlaceholders(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"-1", "0", "00000000", "N/A", "none", "Default string", "To be filled by O.E.M.", "System Serial Number", "unknown", "-", "."} {
		server := started(t, fleettest.Options{Devices: []fleettest.Device{{Serial: text, Platform: "windows", EnrollmentStatus: "On (automatic)"}}})
		p := opened(t, configured(server, policyConfig()))
		if d, err := lookup(t, p, query(t, text)); !errors.Is(err, posture.ErrIdentifier) || server.Count() != 0 {
			t.Errorf("Lookup(%q) = %q, %v after %d requests, want that no device can have it", text, d.Identifier, err, server.Count())
		}
		all, _, err := listed(t, p)
		if err != nil || len(all) != 1 || all[0].Identifier != "" || all[0].Damaged {
			t.Errorf("the list has %+v, %v, want a record that no lookup finds", all, err)
		}
	}
}

// TestManyHits: the host may be on any page of the search; and where there are too many pages, it is not said to be missing.
func TestManyHits(t *testing.T) {
	t.Parallel()
	hits := func(n int) (all []fleettest.Device) {
		for i := range n {
			all = append(all, fleettest.Device{Serial: fmt.Sprintf("F9FZZ%07d", i), Hostname: fmt.Sprintf("%s-%d", serial, i)})
		}
		return all
	}
	for _, row := range []struct {
		devices  []fleettest.Device
		requests int
		err      error
		fault    string
	}{
		{append(hits(50), full()), 2, nil, ""},
		{append(hits(49), full()), 2, nil, ""}, // a full page does not say that it is the last
		{append(hits(48), full()), 1, nil, ""},
		{append(hits(198), full()), 4, nil, ""},
		{hits(50), 2, posture.ErrNotFound, ""},
		{hits(199), 4, posture.ErrNotFound, ""},
		{append(hits(200), full()), 4, nil, "found 200 hosts or more"},
		{append([]fleettest.Device{full()}, hits(200)...), 4, nil, "found 200 hosts or more"},
	} {
		server := started(t, fleettest.Options{Devices: row.devices})
		d, err := lookup(t, opened(t, configured(server, fleet.Config{})), query(t, serial))
		switch {
		case row.fault != "":
			wantFault(t, d, err, row.fault)
		case !errors.Is(err, row.err) || row.err == nil && d.Identifier != serial:
			t.Errorf("%d hosts: Lookup = %q, %v", len(row.devices), d.Identifier, err)
		}
		if got := server.Count(); got != row.requests {
			t.Errorf("%d hosts: %d requests, want %d", len(row.devices), got, row.requests)
		}
	}
}

// TestServersThatIgnore: a server that ignores the search, or the number of the page, has not said that it lacks the device.
func TestServersThatIgnore(t *testing.T) {
	t.Parallel()
	var others []fleettest.Device
	for i := range 300 {
		others = append(others, fleettest.Device{Serial: fmt.Sprintf("F9FZZ%07d", i), Hostname: serial + "-x"})
	}
	for _, o := range []fleettest.Options{{IgnoreQuery: true, Devices: others}, {IgnorePage: true, Devices: others[:120]}} {
		server := started(t, o)
		d, err := lookup(t, opened(t, configured(server, fleet.Config{})), query(t, serial))
		wantFault(t, d, err, "200 hosts or more")
	}
}

// TestDuplicates: the record that was seen last counts, also where the other one is pending since yesterday.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	old, young, pending := full(), full(), full()
	old.Seen, old.Model, young.Seen = 72*time.Hour, "old", time.Hour
	pending.Never, pending.EnrollmentStatus, pending.Model = true, "Pending", "pending"
	same, iPad := young, young
	iPad.Platform, iPad.OSVersion, iPad.Seen = "ipados", "iPadOS 18.5", 2*time.Hour
	for _, row := range []struct {
		devices []fleettest.Device
		model   string
	}{
		{[]fleettest.Device{old, young}, "Mac15,12"},
		{[]fleettest.Device{young, old}, "Mac15,12"},
		{[]fleettest.Device{pending, young, old}, "Mac15,12"},
		{[]fleettest.Device{old, pending}, "old"},
		{[]fleettest.Device{young, same}, ""},
		{[]fleettest.Device{pending, pending}, ""},
		{[]fleettest.Device{young, iPad}, ""},
	} {
		server := started(t, fleettest.Options{Devices: row.devices})
		d, err := lookup(t, opened(t, configured(server, policyConfig())), query(t, serial))
		if row.model == "" && !errors.Is(err, posture.ErrAmbiguous) || row.model != "" && (err != nil || value(t, d, "device.model") != row.model) {
			t.Errorf("Lookup = %v, %v, want %q", value(t, d, "device.model"), err, row.model)
		}
	}
}

// TestSecondRequest: it is made only where somebody reads what no row of a search has, and its fault is one of the lookup, except where
// that is only recorded.
func TestSecondRequest(t *testing.T) {
	t.Parallel()
	facts := posture.MustFacts
	group := fleet.Config{Group: "Wi-Fi pilot"}
	for _, row := range []struct {
		name   string
		config fleet.Config
		asked  posture.FactSet
		record posture.FactSet
		second bool
		fails  bool
	}{
		{"nothing is read", fleet.Config{}, posture.WithoutPolicy(), 0, false, false},
		{"a group is required", group, posture.WithoutPolicy(), 0, true, true},
		{"compliance is required", fleet.Config{RequireCompliant: true}, 0, 0, true, true},
		{"data are returned", fleet.Config{Enrich: true}, posture.Document, 0, true, true},
		{"data are not asked for", fleet.Config{Enrich: true}, 0, 0, false, false},
		{"a rule reads a fact of the row", policyConfig(), facts("device.last_seen", "device.os_version", "device.ownership", "device.name"), 0, false, false},
		{"a rule reads groups", policyConfig(), facts("device.groups"), 0, true, true},
		{"a rule reads compliance", policyConfig(), facts("device.compliant"), 0, true, true},
		{"a rule reads encryption", policyConfig(), facts("device.encrypted"), 0, true, true},
		{"a rule reads an attribute", policyConfig(), facts("device.attributes"), 0, true, true},
		{"a rule reads the user", policyConfig(), facts("user.username"), 0, true, true},
		{"a rule reads the department", policyConfig(), facts("user.department"), 0, true, true},
		{"the user is recorded", policyConfig(), facts("user.username", "device.os"), facts("user.username"), true, false},
		{"a rule reads what is never known", policyConfig(), facts("device.supervised", "user.position"), 0, false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server := started(t, fleettest.Options{Devices: []fleettest.Device{full()}})
			p := opened(t, configured(server, row.config))
			q := query(t, serial)
			q.Facts, q.Recorded = row.asked, row.record
			d, err := lookup(t, p, q)
			if second := server.Count(fleettest.Host) == 1; err != nil || second != row.second || value(t, d, "device.managed") != true {
				t.Errorf("Lookup = %+v, %v, with a second request: %v, want %v", d, err, second, row.second)
			}
			server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: 404, Body: `{"message":"Resource Not Found"}`}, fleettest.Host)
			d, err = lookup(t, p, q)
			switch {
			case row.fails:
				wantFault(t, d, err, "host answered 404: the host was deleted meanwhile")
			case err != nil || value(t, d, "device.managed") != true || value(t, d, "device.groups") != "unknown":
				t.Errorf("Lookup = %+v, %v, want what the row says", d, err)
			}
		})
	}
}

// TestTeamsOfTheUser: a user of one team does not see the hosts of others; a host that it may not read is a fault.
func TestTeamsOfTheUser(t *testing.T) {
	t.Parallel()
	other := full()
	other.Team = "Sales"
	server := started(t, fleettest.Options{GlobalRole: "none", Teams: []string{"Engineering"}, Devices: []fleettest.Device{other}})
	p := opened(t, configured(server, policyConfig()))
	if _, err := lookup(t, p, query(t, serial)); !errors.Is(err, posture.ErrNotFound) {
		t.Errorf("Lookup = %v, want not found, as Fleet says it", err)
	}
	server.Replace(full())
	server.Set(func(o *fleettest.Options) { o.Forbidden = []string{fleettest.Host} })
	d, err := lookup(t, p, query(t, serial))
	wantFault(t, d, err, "host answered 403: the user of FLEET_TOKEN may not read that")
}

// TestTypes: a webhook that asks for one type of device does not find one of another.
func TestTypes(t *testing.T) {
	t.Parallel()
	server := started(t, fleettest.Options{Devices: []fleettest.Device{full()}})
	q := query(t, serial)
	q.Type = posture.MobileDevice
	if _, err := lookup(t, opened(t, configured(server, policyConfig())), q); !errors.Is(err, posture.ErrNotFound) {
		t.Errorf("Lookup of a mobile device = %v, want not found", err)
	}
}

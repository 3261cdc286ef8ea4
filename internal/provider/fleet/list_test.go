package fleet_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/fleet"
	"step-posture-connector/internal/provider/fleet/fleettest"
	"step-posture-connector/internal/provider/providertest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

func listed(t *testing.T, p *fleet.Provider) ([]posture.Listing, posture.Listed, error) {
	t.Helper()
	var all []posture.Listing
	whole, err := p.List(t.Context(), posture.List{Facts: posture.AllFacts() | posture.Document}, func(l posture.Listing) error {
		all = append(all, l)
		return nil
	})
	return all, whole, err
}

func many(n int) (all []fleettest.Device) {
	for i := range n {
		d := full()
		d.Serial = fmt.Sprintf("C02ZZ%05d", i)
		all = append(all, d)
	}
	return all
}

// TestListLacks: what no row has is not fetched, which is another thing than unknown.
func TestListLacks(t *testing.T) {
	t.Parallel()
	server := started(t, fleettest.Options{Devices: many(3)})
	lacks := posture.MustFacts("device.groups", "device.compliant", "device.encrypted", "device.attributes",
		"user.username", "user.realname", "user.email_address", "user.department")
	for _, enrich := range []bool{false, true} {
		c := policyConfig()
		want := (posture.AllFacts() | posture.Document) &^ lacks
		if c.Enrich = config.Switch(enrich); enrich {
			want &^= posture.Document // they are made of such facts
		}
		all, whole, err := listed(t, opened(t, configured(server, c)))
		if err != nil || whole.Facts != want || whole.Total != 3 || len(all) != 3 {
			t.Errorf("List = %q, %d, %v, want %q", whole.Facts.Names(), whole.Total, err, want.Names())
		}
	}
	if server.Count(fleettest.Host) != 0 {
		t.Error("the list asks for single hosts")
	}
}

// TestListsThatAreNotWhole: a server that gives other pages than asked for makes no short list.
func TestListsThatAreNotWhole(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		options fleettest.Options
		devices int
		total   int
		err     string
	}{
		{fleettest.Options{}, 512, 512, ""},
		{fleettest.Options{}, 513, 513, ""},
		{fleettest.Options{}, 1024, 1024, ""},
		{fleettest.Options{}, 0, 0, ""},
		{fleettest.Options{PageLimit: 100}, 600, 0, "goes on behind a page that was not full"},
		{fleettest.Options{IgnorePage: true}, 600, 0, "not in the order of IDs, or repeats a page"},
		{fleettest.Options{CountMore: 7}, 600, -1, ""},
		{fleettest.Options{CountMore: 7}, 0, -1, ""},
		{fleettest.Options{CountMore: -7}, 600, -1, ""},
	} {
		row.options.Devices = many(row.devices)
		server := started(t, row.options)
		all, whole, err := listed(t, opened(t, configured(server, policyConfig())))
		switch {
		case row.err != "":
			if err == nil || !strings.Contains(err.Error(), row.err) {
				t.Errorf("%d devices: List = %v, want %q", row.devices, err, row.err)
			}
		case err != nil || whole.Total != row.total || len(all) != row.devices:
			t.Errorf("%d devices: the list has %d of %d, %v, want the total %d", row.devices, len(all), whole.Total, err, row.total)
		}
	}
}

// TestHalvedPages: pages that are too large are halved, and no host is passed over.
func TestHalvedPages(t *testing.T) {
	t.Parallel()
	devices := many(1300)
	for i := range devices[600:800] {
		devices[600+i].Members = raw{"noise": []byte(`"` + strings.Repeat("x", 100<<10) + `"`)}
	}
	server := started(t, fleettest.Options{Devices: devices})
	all, whole, err := listed(t, opened(t, configured(server, policyConfig())))
	seen := map[string]bool{}
	for _, l := range all {
		seen[l.Identifier] = true
	}
	if err != nil || len(all) != 1300 || len(seen) != 1300 || whole.Total != 1300 {
		t.Errorf("the list has %d records of %d devices, %d, %v, want 1300", len(all), len(seen), whole.Total, err)
	}
	if sizes := server.Sizes(); slices.Max(sizes) != 512 || slices.Min(sizes) > 128 {
		t.Errorf("pages of %v were asked for, want smaller ones in the end", sizes)
	}
}

// TestCountThatIsNone: without the count a list cannot say that it is whole, so it fails.
func TestCountThatIsNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{}`, `{"count":null}`, `{"count":-1}`, `{"count":"3"}`, `[]`, `<html>`} {
		server := started(t, fleettest.Options{Devices: many(3)})
		server.Fail(body(text), fleettest.Count)
		if _, _, err := listed(t, opened(t, configured(server, policyConfig()))); err == nil || !strings.Contains(err.Error(), "count: the answer is not a count of hosts") {
			t.Errorf("a count of %s: List = %v, want an error", text, err)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	providertest.RunLimits(t, providertest.Limits{
		Open: func(t *testing.T, devices ...providertest.Device) providertest.Service {
			t.Helper()
			return service(t, 10*time.Second, func(*fleettest.Options, *fleet.Config) {}, devices)
		},
		AtOnce: 10, Period: time.Second,
	})
}

// TestTooMany: a proxy that limits requests says nothing about the device.
func TestTooMany(t *testing.T) {
	t.Parallel()
	server := started(t, fleettest.Options{Devices: many(3)})
	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: 429}, fleettest.Hosts)
	d, err := lookup(t, opened(t, configured(server, fleet.Config{})), query(t, "C02ZZ00000"))
	wantFault(t, d, err, "hosts answered 429: too many requests")
}

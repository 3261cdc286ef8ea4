package iru_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/iru"
	"step-posture-connector/internal/provider/iru/irutest"
	"step-posture-connector/internal/provider/providertest"
)

func listed(t *testing.T, provider *iru.Provider, facts posture.FactSet) ([]posture.Listing, posture.Listed, error) {
	t.Helper()
	var all []posture.Listing
	l, err := provider.List(t.Context(), posture.List{Facts: facts}, func(l posture.Listing) error {
		all = append(all, l)
		return nil
	})
	return all, l, err
}

// TestLimits: beside many lookups and a list, what is sent stays below the limits.
func TestLimits(t *testing.T) {
	t.Parallel()
	// The lookups and the list would be more requests; what they have in their time, with 2 a second, is far less.
	const tooMany = 180
	providertest.RunLimits(t, providertest.Limits{
		Open: func(t *testing.T, devices ...providertest.Device) providertest.Service {
			t.Helper()
			return openWith(t, irutest.Options{HourlyLimit: tooMany}, iru.New, 10*time.Second, devices...)
		},
		AtOnce: 4, Period: time.Hour,
	})
	if most := iru.MostInAnHour(); most != 7300 {
		t.Errorf("the limits allow %d requests in an hour, want 7300, as the page says", most)
	}
}

// TestListLacks: what only details have is not given, and asked for neither; the data for the certificate are those of a lookup.
func TestListLacks(t *testing.T) {
	t.Parallel()
	server := started(t, irutest.Options{Devices: []irutest.Device{mac(macSerial, "wifi")}})
	c := configOf(server)
	c.Enrich = true
	provider := reading(t, c)
	all, l, err := listed(t, provider, posture.AllFacts()|posture.Document)
	lacks := posture.MustFacts("device.udid", "device.supervised", "device.encrypted")
	if err != nil || l.Facts&lacks != 0 || !l.Facts.Has(posture.Document) || l.Total >= 0 || server.Count(irutest.Details) > 0 {
		t.Fatalf("List = %+v, %v, with %d requests for details", l, err, server.Count(irutest.Details))
	}
	d, err := ask(t, provider, query(t, macSerial, posture.AllFacts()|posture.Document))
	if err != nil || len(all) != 1 || string(all[0].Data) != string(d.Data) || len(d.Data) == 0 {
		t.Errorf("the list has the data %+v, the lookup %s, %v", all, d.Data, err)
	}
	// Without enrichment lookups return none, and the list gives that: else no policy could be answered from a snapshot.
	c.Enrich = false
	if all, l, err = listed(t, reading(t, c), posture.AllFacts()|posture.Document); err != nil || !l.Facts.Has(posture.Document) || len(all) != 1 || all[0].Data != nil {
		t.Errorf("without enrichment: List = %+v, %v, %v, want that there are no data", all, l, err)
	}
}

// TestListPages: a server with shorter pages than were asked for is listed whole, and one that repeats a page is an error.
func TestListPages(t *testing.T) {
	t.Parallel()
	server := started(t, irutest.Options{Devices: others(250, "C02"), PageLimit: 100})
	if all, _, err := listed(t, opened(t, configOf(server)), posture.AllFacts()); err != nil || len(all) != 250 {
		t.Errorf("List of short pages = %d devices, %v, want 250", len(all), err)
	}
	devices := others(300, "C02")
	devices[299].Broken = true
	server = started(t, irutest.Options{Devices: devices})
	all, _, err := listed(t, opened(t, configOf(server)), posture.AllFacts())
	if err != nil || len(all) != 300 || !all[299].Damaged || all[298].Damaged {
		t.Errorf("List with a broken record = %d devices, %v, want it to be damaged", len(all), err)
	}
	page := []byte(fmt.Sprintf(`[{"device_id":"a","serial_number":%q}]`, macSerial))
	server = started(t, irutest.Options{Devices: others(3, "C02")})
	server.Fail(editTo(page))
	if all, _, err := listed(t, opened(t, configOf(server)), posture.AllFacts()); err == nil {
		t.Errorf("List of a page that is repeated for ever = %d devices, no error", len(all))
	}
	stop := errors.New("enough")
	server = started(t, irutest.Options{Devices: others(3, "C02")})
	if _, err := opened(t, configOf(server)).List(t.Context(), posture.List{}, func(posture.Listing) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("List = %v, want the error of each", err)
	}
}

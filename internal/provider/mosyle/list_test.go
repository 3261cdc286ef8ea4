package mosyle_test

import (
	"fmt"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/mosyle"
	"step-posture-connector/internal/provider/mosyle/mosyletest"
)

// numbered are devices of one operating system.
func numbered(n int, os string) (all []mosyletest.Device) {
	for i := range n {
		all = append(all, ofKind(fmt.Sprintf("C02%s%05d", map[string]string{"mac": "MAC", "ios": "PAD", "tvos": "ATV", "visionos": "AVP"}[os], i), os))
	}
	return all
}

func list(t *testing.T, p *mosyle.Provider) (all []posture.Listing, listed posture.Listed, err error) {
	t.Helper()
	listed, err = p.List(t.Context(), posture.List{Facts: posture.AllFacts()}, func(l posture.Listing) error {
		all = append(all, l)
		return nil
	})
	return all, listed, err
}

// TestListPages: all devices of each operating system are listed, whatever the pages are like.
func TestListPages(t *testing.T) {
	t.Parallel()
	devices := append(append(append(numbered(250, "mac"), numbered(101, "ios")...), numbered(100, "tvos")...), numbered(1, "visionos")...)
	for name, row := range map[string]struct {
		quirks   mosyletest.Quirks
		requests int // without the login
	}{
		"as asked for":      {mosyletest.Quirks{}, 3 + 1 + 2 + 1 + 1 + 1 + 1 + 1},
		"pages from 0":      {mosyletest.Quirks{PagesFromZero: true, RowsOfPage: true, EmptyList: true}, 11},
		"pages of 40":       {mosyletest.Quirks{PageLimit: 40}, 7 + 1 + 3 + 1 + 3 + 1 + 1 + 1},
		"pages of 40, rows": {mosyletest.Quirks{PageLimit: 40, RowsOfPage: true}, 18},
	} {
		for _, product := range products() {
			server := started(t, mosyletest.Options{Product: product, Quirks: row.quirks, Devices: devices})
			all, listed, err := list(t, opened(t, configOf(server, product)))
			seen := map[string]bool{}
			for _, l := range all {
				seen[l.Identifier] = true
			}
			if err != nil || len(all) != len(devices) || len(seen) != len(devices) || listed.Total != -1 {
				t.Errorf("%s, %s: List passed %d devices, %d of them different, %+v, %v, want %d", name, product, len(all), len(seen), listed, err, len(devices))
			}
			if got := server.Count() - server.Count(mosyletest.Login); got != row.requests {
				t.Errorf("%s, %s: %d requests, want %d", name, product, got, row.requests)
			}
		}
	}
}

// TestListIncomplete: a list that may lack devices is an error, and never a short list.
func TestListIncomplete(t *testing.T) {
	t.Parallel()
	for name, quirks := range map[string]mosyletest.Quirks{
		"each page is the first": {IgnoresPage: true},
		"the page is not said":   {WithoutPaging: true},
		"refused":                {Refuses: "MISSING_DATA"},
	} {
		server := started(t, mosyletest.Options{Quirks: quirks, Devices: numbered(101, "mac")})
		if all, _, err := list(t, opened(t, configOf(server, mosyletest.Business))); err == nil {
			t.Errorf("%s: List passed %d of 101 devices, and returned no error", name, len(all))
		}
	}
}

// TestListContradicts: a record under another operating system is damaged, as a lookup of it fails.
func TestListContradicts(t *testing.T) {
	t.Parallel()
	d := ofKind(macSerial, "mac")
	d.Raw = map[string]any{"os": "ios"}
	server := started(t, mosyletest.Options{Devices: []mosyletest.Device{d, ofKind(padSerial, "ios")}})
	p := opened(t, configOf(server, mosyletest.Business))
	all, _, err := list(t, p)
	if err != nil || len(all) != 2 || !all[0].Damaged || all[1].Damaged {
		t.Errorf("List passed %+v, %v, want one of two damaged", all, err)
	}
	wantFault(t, p, macSerial, posture.AnyDevice)
}

// TestListRows: a list that has fewer devices than it says is an error.
func TestListRows(t *testing.T) {
	t.Parallel()
	server := started(t, mosyletest.Options{Quirks: mosyletest.Quirks{RowsTooMany: true}, Devices: numbered(3, "mac")})
	p := opened(t, configOf(server, mosyletest.Business))
	if all, _, err := list(t, p); err == nil {
		t.Errorf("List passed %d devices, and returned no error", len(all))
	}
	wantFault(t, p, numbered(1, "mac")[0].Serial, posture.Computer)
}

// TestListUnknownSystem: a device whose record does not say its operating system is one that the list is not certain of: a
// lookup of a computer does not find a mobile device, whatever its record says.
func TestListUnknownSystem(t *testing.T) {
	t.Parallel()
	for _, word := range []any{"xros", "", nil, 1} {
		pad := ofKind(padSerial, "ios")
		pad.Raw = map[string]any{"os": word}
		server := started(t, mosyletest.Options{Devices: []mosyletest.Device{pad}})
		provider := opened(t, configOf(server, mosyletest.Business))
		wantError(t, provider, padSerial, posture.Computer, posture.ErrNotFound)
		finds(t, provider, padSerial, posture.MobileDevice)
		all, _, err := list(t, provider)
		if err != nil || len(all) != 1 || all[0].Identifier != padSerial || !all[0].Damaged {
			t.Errorf("with the operating system %#v the list is %+v, %v, want a record that is not certain", word, all, err)
		}
	}
}

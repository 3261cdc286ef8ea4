package iru_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/iru"
	"step-posture-connector/internal/provider/iru/irutest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// TestContains: the search finds serial numbers that contain the one that is asked for, and only that one counts.
func TestContains(t *testing.T) {
	t.Parallel()
	server := started(t, irutest.Options{Devices: []irutest.Device{mac("X" + macSerial), mac(macSerial + "9"), mac(strings.ToLower(macSerial)), phone(phoneSerial)}})
	provider := opened(t, configOf(server))
	if d, err := lookup(t, provider, macSerial); err != nil || d.Identifier != strings.ToLower(macSerial) {
		t.Errorf("Lookup = %+v, %v, want the one record that has the serial number", d, err)
	}
	server.Replace(mac("X"+macSerial), mac(macSerial+"9"))
	if d, err := lookup(t, provider, macSerial); !errors.Is(err, posture.ErrNotFound) {
		t.Errorf("Lookup among others = %+v, %v, want not found", d, err)
	}
	server.Replace()
	if d, err := lookup(t, provider, absentSerial); !errors.Is(err, posture.ErrNotFound) {
		t.Errorf("Lookup in nothing = %+v, %v, want not found", d, err)
	}
}

// TestIdentifiers: what cannot be a serial number is not put into a query.
func TestIdentifiers(t *testing.T) {
	t.Parallel()
	server := started(t, irutest.Options{})
	provider := opened(t, configOf(server))
	for _, text := range []string{"0", "C02XK", "C02XK1 ABJHD2", "C02XK1ABJHD2&limit=1", "C02XK1ABJHD2/details", "C02XK1ABJHD%", strings.Repeat("A", 65), "C02XK1ABJHDÄ"} {
		id, err := posture.ParseIdentifier(text)
		if err != nil {
			continue // no provider is asked for it
		}
		if _, err := provider.Lookup(t.Context(), posture.Query{Identifier: id}); !errors.Is(err, posture.ErrIdentifier) {
			t.Errorf("Lookup(%q) = %v, want that it is no identifier", text, err)
		}
	}
	if _, err := provider.Lookup(t.Context(), posture.Query{}); !errors.Is(err, posture.ErrIdentifier) {
		t.Errorf("Lookup of nothing = %v, want that it is no identifier", err)
	}
	if server.Count() > 0 {
		t.Errorf("%d requests were sent", server.Count())
	}
}

// others are so many devices whose serial numbers contain the text.
func others(n int, text string) []irutest.Device {
	var devices []irutest.Device
	for i := range n {
		devices = append(devices, mac(fmt.Sprintf("%s%06d", text, i)))
	}
	return devices
}

// TestSearchPages: a full page is followed by the next, a device on any of them is found, and a search without an end in sight
// is a fault, and not "not found".
func TestSearchPages(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		others   int
		has      bool
		requests int
		want     string // "" is the device
	}{
		{299, false, 1, "not found"},
		{300, false, 2, "not found"},
		{300, true, 2, ""},
		{899, true, 3, "fault"},
		{899, false, 3, "not found"},
		{900, false, 3, "fault"},
		{898, true, 3, ""},
	} {
		t.Run(fmt.Sprint(row), func(t *testing.T) {
			t.Parallel()
			devices := others(row.others, macSerial)
			if row.has {
				devices = append(devices, mac(macSerial))
			}
			server := started(t, irutest.Options{Devices: devices})
			d, err := lookup(t, opened(t, configOf(server)), macSerial)
			got := "fault"
			switch {
			case err == nil && d.Identifier == macSerial:
				got = ""
			case errors.Is(err, posture.ErrNotFound):
				got = "not found"
			}
			if got != row.want || server.Count() != row.requests {
				t.Errorf("Lookup = %q, %v, with %d requests, want %q with %d", d.Identifier, err, server.Count(), row.want, row.requests)
			}
		})
	}
}

// TestIgnoredFilter: a server that ignores the search has not said that it has no such device.
func TestIgnoredFilter(t *testing.T) {
	t.Parallel()
	server := started(t, irutest.Options{IgnoreFilter: true, Devices: []irutest.Device{mac(macSerial), phone(phoneSerial)}})
	provider := opened(t, configOf(server))
	if d, err := lookup(t, provider, absentSerial); err == nil || errors.Is(err, posture.ErrNotFound) {
		t.Errorf("Lookup = %+v, %v, want a fault", d, err)
	}
	if d, err := lookup(t, provider, macSerial); err != nil || d.Identifier != macSerial {
		t.Errorf("Lookup = %+v, %v, want the device, which the answer has", d, err)
	}
}

// TestEnrolledAgain: of several records with the serial number the last one that was seen counts, and where that does not say which one, they are ambiguous.
func TestEnrolledAgain(t *testing.T) {
	t.Parallel()
	old, current := mac(macSerial, "old"), mac(macSerial, "current")
	old.IsRemoved, old.LastCheckIn, old.MDMEnabled = true, "2025-01-01T00:00:00Z", new(false)
	never := old
	never.LastCheckIn = ""
	server := started(t, irutest.Options{Devices: []irutest.Device{current, old, never}})
	provider := reading(t, configOf(server))
	d := reads(t, provider, macSerial)
	if groups, _ := d.Facts.Groups.Get(); len(groups) == 0 || groups[0] != "current" {
		t.Errorf("the groups are %q, want those of the current record", groups)
	}
	server.Replace(current, current)
	if _, err := lookup(t, provider, macSerial); !errors.Is(err, posture.ErrAmbiguous) {
		t.Errorf("Lookup of two that are alike = %v, want ambiguous", err)
	}
	server.Replace(current, phone(macSerial))
	if _, err := lookup(t, provider, macSerial); !errors.Is(err, posture.ErrAmbiguous) {
		t.Errorf("Lookup of two kinds = %v, want ambiguous", err)
	}
}

// TestDetailsOnDemand: the second request is made only where one of its facts is read or recorded.
func TestDetailsOnDemand(t *testing.T) {
	t.Parallel()
	server := started(t, irutest.Options{Devices: []irutest.Device{mac(macSerial, "wifi")}})
	c := configOf(server)
	c.Enrich, c.Group = true, "wifi"
	for _, row := range []struct {
		policy          bool
		facts, recorded posture.FactSet
		details         int
	}{
		{false, posture.WithoutPolicy(), 0, 0},
		{false, posture.AllFacts() | posture.Document, 0, 0},
		{false, posture.AllFacts(), posture.AllFacts(), 1},
		{true, posture.MustFacts("device.groups", "device.managed") | posture.Document, 0, 0},
		{true, posture.MustFacts("device.supervised"), 0, 1},
		{true, posture.MustFacts("device.udid"), 0, 1},
		{true, posture.MustFacts("device.encrypted"), 0, 1},
		{true, posture.MustFacts("device.encrypted"), posture.MustFacts("device.encrypted"), 1},
	} {
		provider := opened(t, c)
		if row.policy {
			provider = reading(t, c)
		}
		q := query(t, macSerial, row.facts)
		q.Recorded = row.recorded
		before := server.Count(irutest.Details)
		if _, err := ask(t, provider, q); err != nil {
			t.Errorf("%v: Lookup = %v", row, err)
		}
		if asked := server.Count(irutest.Details) - before; asked != row.details {
			t.Errorf("%v: %d requests for details, want %d", row, asked, row.details)
		}
	}
}

// TestDetailsFail: where a fact of the details is read, a lookup without them is a fault, and never "not found"; where it is only recorded,
// it stays unknown.
func TestDetailsFail(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) vendortest.Fault {
		return vendortest.Fault{Kind: vendortest.Answer, Status: status, Body: body}
	}
	id := `"general":{"device_id":"9b2f6f52-0000-4000-8000-000000000001"}`
	for name, fault := range map[string]vendortest.Fault{
		"gone":             answer(404, `{"detail":"Not found."}`),
		"forbidden":        answer(403, `{"detail":"no"}`),
		"an error":         answer(500, `{}`),
		"a list":           answer(200, `[]`),
		"null":             answer(200, `null`),
		"empty":            answer(200, `{}`),
		"nobody's":         answer(200, `{"mdm":{"supervised":"True"}}`),
		"another record":   answer(200, `{"general":{"device_id":"another"},"mdm":{"supervised":"True"}}`),
		"another device":   answer(200, `{`+id+`,"hardware_overview":{"serial_number":"`+phoneSerial+`"},"mdm":{"supervised":"True"}}`),
		"only its serial":  answer(200, `{"general":{"device_id":"another"},"hardware_overview":{"serial_number":"`+macSerial+`"}}`),
		"members twice":    answer(200, `{`+id+`,`+id+`}`),
		"a page":           answer(200, `<html></html>`),
		"a redirect":       {Kind: vendortest.Redirect},
		"a broken section": answer(200, `{`+id+`,"mdm":{"supervised":"True"`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := started(t, irutest.Options{Devices: []irutest.Device{mac(macSerial)}})
			server.Fail(fault, irutest.Details)
			provider := reading(t, configOf(server))
			q := query(t, macSerial, posture.AllFacts())
			if d, err := ask(t, provider, q); err == nil || errors.Is(err, posture.ErrNotFound) || strings.Contains(fmt.Sprint(err), vendortest.Marker) {
				t.Errorf("Lookup = %+v, %v, want a fault", d, err)
			}
			q.Recorded = posture.AllFacts()
			d, err := ask(t, provider, q)
			if _, is := d.Facts.Supervised.Get(); err != nil || is || d.Identifier != macSerial {
				t.Errorf("Lookup where it is only recorded = %+v, %v, want the device, supervised or not unknown", d, err)
			}
		})
	}
}

// TestRecordWithoutID: its details cannot be asked for, and no path is made of what is no ID.
func TestRecordWithoutID(t *testing.T) {
	t.Parallel()
	for _, id := range []string{`""`, `null`, `"../blueprints"`, `"a/b"`, `"a?b"`, `7`, `".."`} {
		d := mac(macSerial)
		d.Raw = map[string]json.RawMessage{"device_id": json.RawMessage(id)}
		server := started(t, irutest.Options{Devices: []irutest.Device{d}})
		if got, err := ask(t, reading(t, configOf(server)), query(t, macSerial, posture.AllFacts())); err == nil {
			t.Errorf("Lookup of a record with the ID %s = %+v, want a fault", id, got)
		}
		if _, err := lookup(t, opened(t, configOf(server)), macSerial); err != nil {
			t.Errorf("Lookup without details = %v", err)
		}
		if server.Count(irutest.Details)+server.Count(irutest.Elsewhere) > 0 {
			t.Errorf("details were asked for with the ID %s", id)
		}
	}
}

// TestData: data for the certificate are those of the page, and take no second request.
func TestData(t *testing.T) {
	t.Parallel()
	server := started(t, irutest.Options{Devices: []irutest.Device{mac(macSerial, "wifi")}})
	c := configOf(server)
	for enrich, want := range map[bool]string{
		false: "",
		true:  `{"device":{"udid":"","serial_number":"C02XK1ABJHD2","name":"mac-ana-01"},"user":{"username":"ana@example.com","realname":"Ana Example","email_address":"ana@example.com","position":"","department":""},"groups":["wifi","Engineering","blueprint:Engineering"]}`,
	} {
		c.Enrich = false
		if enrich {
			c.Enrich = true
		}
		for _, provider := range []*iru.Provider{opened(t, c), reading(t, c)} {
			d, err := ask(t, provider, query(t, macSerial, posture.AllFacts()|posture.Document))
			if err != nil || string(d.Data) != want {
				t.Errorf("enrich %v: the data are %s, %v, want %s", enrich, d.Data, err, want)
			}
			if is := provider.Returns(posture.Computer); strings.HasPrefix(is, "no ") == enrich {
				t.Errorf("enrich %v: Returns = %q", enrich, is)
			}
		}
	}
}

// TestLockout: after a 429 no request is sent, and lookups fail at once instead of being "not found".
func TestLockout(t *testing.T) {
	t.Parallel()
	server := started(t, irutest.Options{Devices: []irutest.Device{mac(macSerial)}})
	provider := opened(t, configOf(server))
	if _, err := lookup(t, provider, macSerial); err != nil {
		t.Fatal(err)
	}
	server.Spend(10_000)
	for i := range 20 {
		q := query(t, macSerial, posture.WithoutPolicy())
		ctx, cancel := contextOf(t, 8500*time.Millisecond)
		_, err := provider.Lookup(ctx, q)
		cancel()
		if err == nil || errors.Is(err, posture.ErrNotFound) || !strings.Contains(err.Error(), "requests") {
			t.Errorf("lookup %d after 429 = %v, want a fault", i, err)
		}
	}
	if asked := server.Count(); asked != 2 {
		t.Errorf("%d requests were sent, want one before and one that got 429", asked)
	}
}

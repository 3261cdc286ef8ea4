package apple_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/apple/appletest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// TestReleased: a device that was released is still returned, and is not ours any more. Whatever is in place of the time, only a
// device without one is ours.
func TestReleased(t *testing.T) {
	t.Parallel()
	const unreadable = "it was released from the organization at a time that cannot be read"
	for name, row := range map[string]struct {
		value any
		want  string
	}{
		"a time":            {"2026-03-04T10:20:30.5Z", "it was released from the organization on 2026-03-04 at 10:20 UTC"},
		"another zone":      {"2026-03-04T12:20:30+02:00", "it was released from the organization on 2026-03-04 at 10:20 UTC"},
		"no time":           {vendortest.Marker, unreadable},
		"a placeholder":     {"0001-01-01T00:00:00Z", unreadable},
		"in the far future": {"2999-01-01T00:00:00Z", unreadable},
		"empty":             {"", unreadable},
		"a number":          {1772619630, unreadable},
		"zero":              {0, unreadable},
		"true":              {true, unreadable},
		"false":             {false, unreadable},
		"an object":         {map[string]any{}, unreadable},
		"a list":            {[]string{}, unreadable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := mac(macSerial)
			d.Attributes = map[string]any{"releasedFromOrgDateTime": row.value}
			server := started(t, appletest.Options{Devices: []appletest.Device{d}})
			provider := opened(t, configOf(server))
			_, err := lookup(t, provider, macSerial, posture.AllFacts())
			if !errors.Is(err, posture.ErrNotFound) || !strings.HasSuffix(err.Error(), ": "+row.want) {
				t.Errorf("Lookup = %v, want that %s", err, row.want)
			}
			if n := server.Count(appletest.AssignedServer); n > 0 {
				t.Errorf("the MDM server of a released device was asked for %d times", n)
			}
			all, listed := list(t, provider, posture.AllFacts())
			if len(all) != 1 || all[0].Identifier != "" || all[0].Damaged || listed.Total != 1 {
				t.Errorf("List = %+v, %+v, want a record that is only counted", all, listed)
			}
		})
	}
}

// TestOurs: a record without the attribute, or with null, is one of a device that was not released.
func TestOurs(t *testing.T) {
	t.Parallel()
	d := mac(macSerial)
	d.Omit = []string{"releasedFromOrgDateTime"}
	server := started(t, appletest.Options{Devices: []appletest.Device{d, phone(phoneSerial)}})
	provider := opened(t, configOf(server))
	finds(t, provider, macSerial, posture.AllFacts())
	finds(t, provider, phoneSerial, posture.AllFacts())
}

// TestNotFound: the reason says that the answer may change by itself.
func TestNotFound(t *testing.T) {
	t.Parallel()
	server := started(t, appletest.Options{Devices: []appletest.Device{mac(macSerial)}})
	const want = "no such device in the inventory: Apple Business has no such device; a reseller may not have registered it yet"
	if _, err := lookup(t, opened(t, configOf(server)), absentSerial, posture.AllFacts()); !errors.Is(err, posture.ErrNotFound) || err.Error() != want {
		t.Errorf("Lookup = %v, want %s", err, want)
	}
}

// TestModes: a device of another type than the request is for is not found; one of a family that is not known may be either.
func TestModes(t *testing.T) {
	t.Parallel()
	other := mac(absentSerial)
	other.ProductFamily = "HomePod"
	server := started(t, appletest.Options{Devices: []appletest.Device{mac(macSerial), phone(phoneSerial), other}})
	provider := opened(t, configOf(server))
	for serial, types := range map[string]map[posture.DeviceType]bool{
		macSerial:    {posture.Computer: true, posture.MobileDevice: false, posture.AnyDevice: true, "": true},
		phoneSerial:  {posture.Computer: false, posture.MobileDevice: true, posture.AnyDevice: true, "": true},
		absentSerial: {posture.Computer: true, posture.MobileDevice: true, posture.AnyDevice: true, "": true},
	} {
		for of, found := range types {
			q := query(t, serial, posture.WithoutPolicy())
			q.Type = of
			if _, err := provider.Lookup(t.Context(), q); (err == nil) != found || err != nil && !errors.Is(err, posture.ErrNotFound) {
				t.Errorf("Lookup(%q, %q) = %v, want found: %v", serial, of, err, found)
			}
		}
	}
}

// TestForm: what cannot be a serial number is not put into a path.
func TestForm(t *testing.T) {
	t.Parallel()
	server := started(t, appletest.Options{})
	provider := opened(t, configOf(server))
	for _, odd := range []string{"C02XK1A", "C02XK1ABJHD2XYZ", "../orgDevices", "C02XK1AB/", "C02XK1AB?x", "C02XK1AB%2F", "00008122-000A1B2C3D4E5F60"} {
		if _, err := lookup(t, provider, odd, posture.WithoutPolicy()); !errors.Is(err, posture.ErrIdentifier) {
			t.Errorf("Lookup(%q) = %v, want ErrIdentifier", odd, err)
		}
	}
	if n := server.Count(); n > 0 {
		t.Errorf("the server was asked %d times", n)
	}
}

// TestSecondRequest: the MDM server is asked for only where something reads attributes. Where it is read and not answered, the
// lookup fails; where it is only recorded, attributes are unknown.
func TestSecondRequest(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) *vendortest.Fault {
		return &vendortest.Fault{Kind: vendortest.Answer, Status: status, Body: body}
	}
	for name, row := range map[string]struct {
		policy         bool
		facts, records posture.FactSet
		fault          *vendortest.Fault
		asked, known   bool
		fails          bool
	}{
		"without a policy":     {false, posture.WithoutPolicy(), 0, nil, false, false, false},
		"another fact":         {true, posture.MustFacts("device.model", "device.os"), 0, nil, false, false, false},
		"read":                 {true, attributes(), 0, nil, true, true, false},
		"read, 403":            {true, attributes(), 0, answer(403, "{}"), true, false, true},
		"read, 404 of a proxy": {true, attributes(), 0, answer(404, "<html>"), true, false, true},
		"read, no data":        {true, attributes(), 0, answer(200, "{}"), true, false, true},
		"read, data a list":    {true, attributes(), 0, answer(200, `{"data":[]}`), true, false, true},
		"read, data a string":  {true, attributes(), 0, answer(200, `{"data":""}`), true, false, true},
		"read, another thing":  {true, attributes(), 0, answer(200, `{"data":{"type":"apps","id":"1","attributes":{}}}`), true, false, true},
		"read, no attributes":  {true, attributes(), 0, answer(200, `{"data":{"type":"mdmServers","id":"1"}}`), true, false, true},
		"read, no JSON":        {true, attributes(), 0, answer(200, `{"data":`), true, false, true},
		"recorded":             {true, attributes(), attributes(), nil, true, true, false},
		"recorded, 403":        {true, attributes(), attributes(), answer(403, "{}"), true, false, false},
		"recorded, no data":    {true, attributes(), attributes(), answer(200, "{}"), true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := started(t, appletest.Options{Devices: []appletest.Device{mac(macSerial)}})
			if row.fault != nil {
				server.Fail(*row.fault, appletest.AssignedServer)
			}
			c := configOf(server)
			if !row.policy {
				c = withoutPolicy(c)
			}
			q := query(t, macSerial, row.facts)
			q.Recorded = row.records
			d, err := opened(t, c).Lookup(t.Context(), q)
			if (err != nil) != row.fails || errors.Is(err, posture.ErrNotFound) {
				t.Fatalf("Lookup = %v, want a fault: %v", err, row.fails)
			}
			if _, known := d.Facts.Attributes.Get(); known != row.known {
				t.Errorf("the attributes are known: %v, want %v", known, row.known)
			}
			if asked := server.Count(appletest.AssignedServer) > 0; asked != row.asked {
				t.Errorf("the MDM server was asked for: %v, want %v", asked, row.asked)
			}
		})
	}
}

// TestFaultsOfStatus: the errors of lookups name what is wrong in our own words.
func TestFaultsOfStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		http.StatusUnauthorized:  "orgDevices answered 401: a new token was refused; check that the API account still exists",
		http.StatusForbidden:     "orgDevices answered 403: the API account may not read devices; give it a role that may",
		http.StatusNotFound:      "orgDevices answered 404: that is not how Apple says that it has no such device; check APPLE_BUSINESS_BASE_URL",
		http.StatusNotAcceptable: "orgDevices answered 406: Apple answers only requests with Accept: application/json; look for a proxy that changes requests",
		http.StatusConflict:      "orgDevices answered 409",
		http.StatusBadRequest:    "orgDevices answered 400",
	} {
		server := started(t, appletest.Options{Devices: []appletest.Device{mac(macSerial)}})
		server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: status, Body: `{"errors":[]}`}, appletest.OrgDevice)
		if _, err := lookup(t, opened(t, configOf(server)), macSerial, posture.WithoutPolicy()); err == nil || err.Error() != want {
			t.Errorf("%d: Lookup = %v, want %s", status, err, want)
		}
	}
}

// TestRecordedAndNotAnswered: what is only recorded does not take the time of the lookup where the server hangs.
func TestRecordedAndNotAnswered(t *testing.T) {
	t.Parallel()
	server := started(t, appletest.Options{Devices: []appletest.Device{mac(macSerial)}})
	server.Fail(vendortest.Fault{Kind: vendortest.Hang}, appletest.AssignedServer)
	q := query(t, macSerial, attributes())
	q.Recorded = q.Facts
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	if d, err := opened(t, configOf(server)).Lookup(ctx, q); err != nil || d.Identifier != macSerial {
		t.Errorf("Lookup = %q, %v, want the device", d.Identifier, err)
	}
}

package mosyle_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/mosyle"
	"step-posture-connector/internal/provider/mosyle/mosyletest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// TestRequests: a request is for one operating system, so a lookup takes as many as the type of device may have.
func TestRequests(t *testing.T) {
	t.Parallel()
	for _, product := range products() {
		server := started(t, mosyletest.Options{Product: product, Devices: someOfEach()})
		provider := opened(t, configOf(server, product))
		for _, row := range []struct {
			of       posture.DeviceType
			serial   string
			requests int
		}{
			{posture.Computer, macSerial, 1}, {posture.MobileDevice, padSerial, 3}, {posture.MobileDevice, tvSerial, 3}, {posture.AnyDevice, macSerial, 4}, {"", tvSerial, 4},
		} {
			before := server.Count() - server.Count(mosyletest.Login)
			finds(t, provider, row.serial, row.of)
			if got := server.Count() - server.Count(mosyletest.Login) - before; got != row.requests {
				t.Errorf("%s: a lookup of %q took %d requests, want %d", product, row.of, got, row.requests)
			}
		}
		wantError(t, provider, macSerial, posture.MobileDevice, posture.ErrNotFound)
		wantError(t, provider, padSerial, posture.Computer, posture.ErrNotFound)
		if got := server.TokensIssued(); got != 1 {
			t.Errorf("%s: %d logins, want 1", product, got)
		}
		if got := server.MostAtOnce(); got > 3 {
			t.Errorf("%s: %d requests at once, want 3 at most", product, got)
		}
	}
}

// TestOneSystemFails: what one operating system was not answered for may be half of the truth.
func TestOneSystemFails(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{mosyletest.Mac, mosyletest.IOS, mosyletest.TVOS, mosyletest.VisionOS} {
		server := started(t, mosyletest.Options{Devices: someOfEach()})
		provider := opened(t, configOf(server, mosyletest.Business))
		server.Fail(vendortest.Fault{Kind: vendortest.Answer, Body: `{"status":"OK","response":[{"status":"MISSING_DATA"}]}`}, endpoint)
		for _, serial := range []string{macSerial, padSerial, absentSerial} {
			wantFault(t, provider, serial, posture.AnyDevice)
		}
		if endpoint == mosyletest.Mac {
			finds(t, provider, padSerial, posture.MobileDevice)
		} else {
			finds(t, provider, macSerial, posture.Computer)
		}
	}
}

// TestFilterIgnored: where Mosyle answers with other devices, all pages are read, and only their end says that a device does
// not exist.
func TestFilterIgnored(t *testing.T) {
	t.Parallel()
	others := func(n int) (all []mosyletest.Device) {
		for i := range n {
			all = append(all, ofKind(fmt.Sprintf("C02ZZZZZ%04d", i), "mac"))
		}
		return all
	}
	for _, quirks := range []mosyletest.Quirks{{IgnoresFilter: true}, {IgnoresFilter: true, PagesFromZero: true, RowsOfPage: true, EmptyList: true}} {
		server := started(t, mosyletest.Options{Quirks: quirks, Devices: append(others(120), ofKind(macSerial, "mac"))})
		provider := opened(t, configOf(server, mosyletest.Business))
		finds(t, provider, macSerial, posture.Computer)
		if got := server.Count(mosyletest.Mac); got != 4 {
			t.Errorf("121 devices took %d requests, want 4: three pages, and one that says that there are no more", got)
		}
		wantError(t, provider, absentSerial, posture.Computer, posture.ErrNotFound)
		// Two records of the device, on two pages.
		young := ofKind(macSerial, "mac")
		young.LastBeat, young.Name = time.Now(), "young"
		server.Replace(append(append([]mosyletest.Device{ofKind(macSerial, "mac")}, others(60)...), young)...)
		if name, _ := finds(t, provider, macSerial, posture.Computer).Facts.Name.Get(); name != "young" {
			t.Errorf("the record %q counts, want the one that was seen last", name)
		}
		// More pages than are read: whether the device is on one of them is not known.
		server.Replace(append(others(1000), ofKind(macSerial, "mac"))...)
		wantFault(t, provider, macSerial, posture.Computer)
		wantFault(t, provider, absentSerial, posture.Computer)
	}
}

// TestPagesIgnored: pages that are alike are no complete list.
func TestPagesIgnored(t *testing.T) {
	t.Parallel()
	for name, quirks := range map[string]mosyletest.Quirks{
		"each page is the first":        {IgnoresFilter: true, IgnoresPage: true},
		"the page is not said":          {IgnoresFilter: true, WithoutPaging: true},
		"the operating system, ignored": {IgnoresOS: true},
	} {
		server := started(t, mosyletest.Options{Quirks: quirks, Devices: []mosyletest.Device{ofKind(macSerial, "mac"), ofKind("C02ZZZZZ0001", "mac")}})
		provider := opened(t, configOf(server, mosyletest.Business))
		if err := wantFault(t, provider, macSerial, posture.AnyDevice); err != nil {
			t.Logf("%s: %v", name, err)
		}
		if name != "the operating system, ignored" {
			wantFault(t, provider, absentSerial, posture.Computer)
		}
	}
	// A filter that is heeded needs no page.
	server := started(t, mosyletest.Options{Quirks: mosyletest.Quirks{WithoutPaging: true}, Devices: someOfEach()})
	finds(t, opened(t, configOf(server, mosyletest.Business)), macSerial, posture.AnyDevice)
}

// TestAnotherPage: an answer that is another page than the one that was asked for is a fault.
func TestAnotherPage(t *testing.T) {
	t.Parallel()
	server := started(t, mosyletest.Options{Devices: someOfEach()})
	provider := opened(t, configOf(server, mosyletest.Business))
	const page = `{"status":"OK","response":[{"devices":[{"serial_number":"C02ZZZZZ0001","os":"mac"}],"page":1}]}`
	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Body: page}, mosyletest.Mac)
	if err := wantFault(t, provider, macSerial, posture.Computer); err != nil && !strings.Contains(err.Error(), "another page") {
		t.Errorf("Lookup = %v, want it to say that it is another page", err)
	}
	if got := server.Count(mosyletest.Mac); got != 2 {
		t.Errorf("%d requests, want 2", got)
	}
}

// TestTokenRequired: Mosyle Manager says with 404 that the access token is missing. That is no missing device.
func TestTokenRequired(t *testing.T) {
	t.Parallel()
	server := started(t, mosyletest.Options{Product: mosyletest.Manager, Devices: someOfEach()})
	provider := opened(t, configOf(server, mosyletest.Manager))
	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusNotFound, Body: `{"error":"accessToken Required"}`}, mosyletest.Mac)
	wantFault(t, provider, macSerial, posture.Computer)
	wantFault(t, provider, absentSerial, posture.AnyDevice)
}

// TestTokenRefused: after a 403 a token of some age is replaced, once; a new one is not, so that an address that is refused
// costs one login a minute.
func TestTokenRefused(t *testing.T) {
	t.Parallel()
	server := started(t, mosyletest.Options{Quirks: mosyletest.Quirks{ExpiredIs403: true}, Devices: someOfEach()})
	provider := opened(t, configOf(server, mosyletest.Business))
	finds(t, provider, macSerial, posture.Computer)
	server.Revoke()
	for range 3 {
		wantFault(t, provider, macSerial, posture.Computer)
	}
	if got := server.TokensIssued(); got != 1 {
		t.Errorf("%d logins, want 1", got)
	}
	provider.Age(time.Minute)
	finds(t, provider, macSerial, posture.Computer)
	if got := server.TokensIssued(); got != 2 {
		t.Errorf("%d logins, want 2", got)
	}
}

// TestLoginRefused: with a wrong password, or from an address that is refused, there is one login a minute, however many
// lookups there are.
func TestLoginRefused(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]vendortest.Fault{
		"401":      {Kind: vendortest.Answer, Status: http.StatusUnauthorized},
		"403":      {Kind: vendortest.Answer, Status: http.StatusForbidden},
		"400":      {Kind: vendortest.Answer, Status: http.StatusBadRequest},
		"no token": {Kind: vendortest.Answer, Status: http.StatusOK, Body: `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := started(t, mosyletest.Options{Devices: someOfEach()})
			server.Fail(fault, mosyletest.Login)
			provider, err := mosyle.New(configOf(server, mosyletest.Business))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(provider.Close)
			for range 3 {
				wantFault(t, provider, macSerial, posture.Computer)
			}
			if got := server.Count(mosyletest.Login); got != 1 {
				t.Errorf("%d logins, want 1", got)
			}
			provider.Age(time.Minute)
			wantFault(t, provider, macSerial, posture.Computer)
			if got := server.Count(mosyletest.Login); got != 2 {
				t.Errorf("%d logins a minute later, want 2", got)
			}
		})
	}
}

// TestTokenLife: a token is used for almost 23 hours.
func TestTokenLife(t *testing.T) {
	t.Parallel()
	server := started(t, mosyletest.Options{Devices: someOfEach()})
	provider := opened(t, configOf(server, mosyletest.Business))
	for _, row := range []struct {
		later  time.Duration
		logins int
	}{{0, 1}, {22*time.Hour + 50*time.Minute, 1}, {10 * time.Minute, 2}} {
		provider.Age(row.later)
		finds(t, provider, macSerial, posture.Computer)
		if got := server.TokensIssued(); got != row.logins {
			t.Errorf("%v later there were %d logins, want %d", row.later, got, row.logins)
		}
	}
}

// TestNotAsked: what cannot be a serial number of Apple's is not sent.
func TestNotAsked(t *testing.T) {
	t.Parallel()
	server := started(t, mosyletest.Options{Devices: someOfEach()})
	provider := opened(t, configOf(server, mosyletest.Business))
	for _, serial := range []string{"C02", "C02XK1ABJHD2345", "C02XK1AB JHD", `C02XK1ABJHD"`, "C02XK1AB,HD2", "5B1D6C1E-7C0B-5E0E-9A55-0C7D1B0A9F11"} {
		wantError(t, provider, serial, posture.AnyDevice, posture.ErrIdentifier)
	}
	if got := server.Count(); got != 0 {
		t.Errorf("%d requests, want none", got)
	}
}

// TestData: data for the certificate are returned where they are wanted, and only there.
func TestData(t *testing.T) {
	t.Parallel()
	server := started(t, mosyletest.Options{Devices: []mosyletest.Device{full()}})
	for enrich, want := range map[bool]string{
		false: "",
		true: `{"device":{"udid":"5B1D6C1E-7C0B-5E0E-9A55-0C7D1B0A9F11","serial_number":"C02XK1ABJHD2","name":"mac-ana-01"},` +
			`"user":{"username":"ana","realname":"Ana Example","email_address":"ana@example.com","position":"","department":""},"groups":["wifi","pilot"]}`,
	} {
		c := configOf(server, mosyletest.Business)
		c.Enrich = config.Switch(enrich)
		if got := string(finds(t, opened(t, c), macSerial, posture.Computer).Data); got != want {
			t.Errorf("with enrich %v the data are %s, want %s", enrich, got, want)
		}
	}
}

// TestDuplicates: records under two operating systems are no enrollments of one device.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	server := started(t, mosyletest.Options{Devices: []mosyletest.Device{ofKind(macSerial, "mac"), ofKind(macSerial, "tvos")}})
	provider := opened(t, configOf(server, mosyletest.Business))
	wantError(t, provider, macSerial, posture.AnyDevice, posture.ErrAmbiguous)
	finds(t, provider, macSerial, posture.Computer)
	server.Replace(ofKind(padSerial, "ios"), ofKind(padSerial, "tvos"))
	if _, err := lookup(t, provider, padSerial, posture.MobileDevice); !errors.Is(err, posture.ErrAmbiguous) {
		t.Errorf("Lookup = %v, want %v", err, posture.ErrAmbiguous)
	}
}

// TestLockout: after a 429 Mosyle is not asked for a while, whatever the lookup is about.
func TestLockout(t *testing.T) {
	t.Parallel()
	server := started(t, mosyletest.Options{Devices: someOfEach()})
	provider, err := mosyle.New(configOf(server, mosyletest.Business))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(provider.Close)
	finds(t, provider, macSerial, posture.Computer)
	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusTooManyRequests, Times: 1}, mosyletest.Mac)
	before := server.Count()
	limit := 4 * time.Second // less than the pause
	for _, serial := range []string{macSerial, absentSerial, tvSerial} {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		_, err := provider.Lookup(ctx, query(t, serial, posture.Computer))
		cancel()
		limit = time.Second // on a busy machine, some of the pause is over
		if err == nil || errors.Is(err, posture.ErrNotFound) {
			t.Errorf("Lookup(%q) = %v, want a fault", serial, err)
		}
	}
	if got := server.Count() - before; got != 1 {
		t.Errorf("%d requests, want 1: the one that was answered with 429", got)
	}
}

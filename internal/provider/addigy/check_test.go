package addigy_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/addigy"
	"step-posture-connector/internal/provider/addigy/addigytest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// TestCheck: each wrong configuration has a message of its own. HOST stands for the server.
func TestCheck(t *testing.T) {
	t.Parallel()
	many := []addigytest.Device{
		mac(macSerial), mac("C02XK1ABJH01"), mac("C02XK1ABJH02"), mac("C02XK1ABJH03"), mac("C02XK1ABJH04"), mac("C02XK1ABJH05"),
		mac("C02XK1ABJH06"), mac("C02XK1ABJH07"), mac("C02XK1ABJH08"), mac("C02XK1ABJH09"), mac("C02XK1ABJH10"),
	}
	for _, row := range []struct {
		name   string
		spoil  func(*addigytest.Server, *addigy.Config)
		found  string
		err    string
		refuse bool // it is posture.ErrCredentials
	}{
		{name: "sound", found: "Addigy at https://HOST"},
		{name: "wrong token", spoil: func(s *addigytest.Server, _ *addigy.Config) { s.Revoke() }, refuse: true},
		{
			name:  "without the permission",
			spoil: func(s *addigytest.Server, _ *addigy.Config) { s.SetPermissions("View Policies") },
			err:   "devices answered 403: the token lacks the permission View Devices; add it in Addigy under Account, Integrations",
		},
		{
			name:  "the filter is ignored",
			spoil: func(s *addigytest.Server, _ *addigy.Config) { s.IgnoreFilters(true) },
			err:   "devices: the search for one serial number has found many devices: Addigy seems to ignore the filter",
		},
		{
			name: "the filter is ignored, few devices",
			spoil: func(s *addigytest.Server, _ *addigy.Config) {
				s.Replace(mac(macSerial), phone(phoneSerial))
				s.IgnoreFilters(true)
			},
			err: "devices: the search for one serial number has found many devices: Addigy seems to ignore the filter",
		},
		{
			name:  "another path",
			spoil: func(_ *addigytest.Server, c *addigy.Config) { c.BaseURL += "/elsewhere" },
			err:   "ADDIGY_BASE_URL does not answer as Addigy's API does",
		},
		{
			name: "a web page",
			spoil: func(s *addigytest.Server, _ *addigy.Config) {
				s.Fail(vendortest.Fault{Kind: vendortest.Answer, Body: "<!DOCTYPE html>", Headers: map[string]string{"Content-Type": "text/html"}})
			},
			err: "devices: the answer is not a page of devices; check that ADDIGY_BASE_URL is Addigy's API",
		},
		{
			name: "a redirect",
			spoil: func(s *addigytest.Server, _ *addigy.Config) {
				s.Fail(vendortest.Fault{Kind: vendortest.Redirect})
			},
			err: "devices answered 302: the server redirects, and redirects are not followed; check ADDIGY_BASE_URL",
		},
		{
			name:  "locked out",
			spoil: func(s *addigytest.Server, _ *addigy.Config) { s.LockOut() },
			err:   "devices answered 429: too many requests of the tenant, which Addigy may reject for 24 hours; the connector sends none for 10m0s",
		},
		{
			name:  "unreachable",
			spoil: func(s *addigytest.Server, _ *addigy.Config) { s.Down() },
			err:   "HOST",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server := tolerant(t, addigytest.Options{Devices: many})
			c := configOf(server)
			if row.spoil != nil {
				row.spoil(server, &c)
			}
			host := strings.TrimPrefix(server.URL(), "https://")
			ctx, cancel := context.WithTimeout(t.Context(), ample)
			defer cancel()
			found, warnings, err := opened(t, c).Check(ctx)
			if found != strings.ReplaceAll(row.found, "HOST", host) || len(warnings) > 0 || (err == nil) != (row.found != "") {
				t.Fatalf("Check = %q, %q, %v, want %q", found, warnings, err, row.found)
			}
			if err == nil {
				return
			}
			t.Logf("%s: %v", row.name, err)
			if errors.Is(err, posture.ErrCredentials) != row.refuse {
				t.Errorf("Check = %v, ErrCredentials is wanted: %v", err, row.refuse)
			}
			text := err.Error()
			switch {
			case row.refuse:
				row.err = "devices answered 401: the inventory refused the credentials: check ADDIGY_TOKEN"
			case row.name == "unreachable":
				if !strings.Contains(text, host) {
					t.Errorf("Check = %q, want the host in it", text)
				}
				return
			}
			if text != row.err {
				t.Errorf("Check = %q, want %q", text, row.err)
			}
		})
	}
}

// TestProblems: what cannot be meant is refused at load.
func TestProblems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://api.addigy.com":                      "",
		"https://api.addigy.com/":                     "",
		"https://api.addigy.com/api/v2":               "",
		"https://api.addigy.com/api/v2/":              "",
		"https://api.addigy.com/api/v2/devices":       "",
		"https://proxy.example.com/addigy":            "",
		"":                                            "",
		"http://api.addigy.com":                       "does not begin with https://",
		"api.addigy.com":                              "does not begin with https://",
		"https://user@api.addigy.com":                 "holds a user name or password",
		"https://prod.addigy.com":                     "is the host of version 1 of the API, which Addigy has ended on 2026-03-31",
		"https://PROD.addigy.com/api":                 "is the host of version 1 of the API, which Addigy has ended on 2026-03-31",
		"https://api.addigy.com/api/v1":               "is version 1 of the API, which Addigy has ended on 2026-03-31",
		"https://api.addigy.com/api/v2?x-api-key=abc": "has a query or a fragment",
	} {
		problems := addigy.Config{BaseURL: text}.Problems()
		got := ""
		for _, p := range problems {
			got += p.Text
			if p.Variable != "ADDIGY_BASE_URL" || !strings.Contains(p.Accepted, "https://api.addigy.com") {
				t.Errorf("%q: the problem is of %s, accepted is %q", text, p.Variable, p.Accepted)
			}
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if _, err := addigy.New(addigy.Config{BaseURL: text}); (err == nil) != (want == "" && text != "") {
			t.Errorf("New with %q = %v", text, err)
		}
	}
}

// TestPastedPath: the path of the API may be part of the base URL.
func TestPastedPath(t *testing.T) {
	t.Parallel()
	server := started(t, addigytest.Options{Devices: []addigytest.Device{mac(macSerial)}})
	for _, path := range []string{"/", "/api/v2", "/api/v2/", "/api/v2/devices"} {
		c := configOf(server)
		c.BaseURL += path
		finds(t, opened(t, c), macSerial)
	}
}

// TestOpenWarns: without a policy, machines that were retired long ago are allowed.
func TestOpenWarns(t *testing.T) {
	t.Parallel()
	c := addigy.Config{BaseURL: "https://api.addigy.com", Token: config.NewSecret([]byte("x"))}
	if _, warnings, err := addigy.Open(c); err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "device.last_seen") {
		t.Errorf("Open without a policy = %q, %v, want a warning about device.last_seen", warnings, err)
	}
	c.ReadFacts()
	if _, warnings, err := addigy.Open(c); err != nil || len(warnings) > 0 {
		t.Errorf("Open with a policy = %q, %v, want no warning", warnings, err)
	}
}

// TestRequirements: what the settings require.
func TestRequirements(t *testing.T) {
	t.Parallel()
	if r := (addigy.Config{}).Requirements(); len(r.Groups) > 0 || r.Compliant || r.AllowUnmanaged {
		t.Errorf("without settings %+v is required", r)
	}
	r := addigy.Config{Group: "p-root", RequireCompliant: true}.Requirements()
	if r.Groups[posture.Computer] != "p-root" || r.Groups[posture.MobileDevice] != "p-root" || !r.Compliant {
		t.Errorf("with a group and compliance %+v is required", r)
	}
}

// TestEndpointMissing: a 404 is about the address, and never about a device.
func TestEndpointMissing(t *testing.T) {
	t.Parallel()
	server := started(t, addigytest.Options{Devices: []addigytest.Device{mac(macSerial)}})
	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusNotFound, Body: `{"code":404,"message":"not found","error_chain":null}`})
	fails(t, opened(t, configOf(server)), macSerial)
}

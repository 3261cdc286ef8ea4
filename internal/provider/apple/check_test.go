package apple_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/apple"
	"step-posture-connector/internal/provider/apple/appletest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// nowhere is an address at which nothing listens.
const nowhere = "127.0.0.1:1"

const refused = "token endpoint answered 400: the inventory refused the credentials: check APPLE_BUSINESS_CLIENT_ID, APPLE_BUSINESS_KEY_ID and the key " +
	"of APPLE_BUSINESS_PRIVATE_KEY_FILE, that the API account still has this key, and that the clock of this machine is right"

// TestCheck: each wrong configuration has a message of its own.
func TestCheck(t *testing.T) {
	t.Parallel()
	other, err := appletest.NewClient("BUSINESSAPI.")
	if err != nil {
		t.Fatal(err)
	}
	answer := func(endpoint string, status int, body string) func(*testing.T, *appletest.Server, *apple.Config) {
		return func(_ *testing.T, s *appletest.Server, _ *apple.Config) {
			s.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: status, Body: body}, endpoint)
		}
	}
	client := func(change func(*appletest.Client)) func(*testing.T, *appletest.Server, *apple.Config) {
		return func(t *testing.T, s *appletest.Server, _ *apple.Config) {
			t.Helper()
			c := s.Client()
			change(&c)
			if err := s.SetClients(c); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, row := range map[string]struct {
		change      func(*testing.T, *appletest.Server, *apple.Config)
		want        string
		credentials bool
	}{
		"another key": {func(_ *testing.T, _ *appletest.Server, c *apple.Config) {
			c.PrivateKey = config.NewSecret([]byte(other.PrivateKey))
		}, refused, true},
		"another key ID":    {func(_ *testing.T, _ *appletest.Server, c *apple.Config) { c.KeyID = "11111111" }, refused, true},
		"another client ID": {func(_ *testing.T, _ *appletest.Server, c *apple.Config) { c.ClientID = "BUSINESSAPI.11111111" }, refused, true},
		"inactive account":  {client(func(c *appletest.Client) { c.Inactive = true }), refused, true},
		"slow clock":        {func(_ *testing.T, s *appletest.Server, _ *apple.Config) { s.Advance(time.Hour) }, refused, true},
		"fast clock":        {func(_ *testing.T, s *appletest.Server, _ *apple.Config) { s.Advance(-time.Hour) }, refused, true},
		"no role":           {client(func(c *appletest.Client) { c.NoDevices = true }), "orgDevices answered 403: the API account may not read devices; give it a role that may", false},
		"scope": {
			answer(appletest.Token, http.StatusBadRequest, `{"error":"invalid_scope"}`),
			"token endpoint answered 400: Apple refused the request for a token; check APPLE_BUSINESS_CLIENT_ID", false,
		},
		"no token endpoint": {
			answer(appletest.Token, http.StatusNotFound, `{}`),
			"token endpoint answered 404: the server has no token endpoint there; check APPLE_BUSINESS_TOKEN_URL", false,
		},
		"throttled": {
			answer(appletest.Token, http.StatusTooManyRequests, `{}`),
			"token endpoint answered 429: too many requests for tokens; something else may use the API account too", false,
		},
		"redirect": {
			answer(appletest.Token, http.StatusFound, ``),
			"token endpoint answered 302: the server redirects, and redirects are not followed; check APPLE_BUSINESS_TOKEN_URL", false,
		},
		"a page in place of a token": {
			answer(appletest.Token, http.StatusOK, `<html>`),
			"the token endpoint's answer holds no token: APPLE_BUSINESS_TOKEN_URL does not answer as Apple's token endpoint does", false,
		},
		"another API": {
			func(_ *testing.T, s *appletest.Server, c *apple.Config) {
				c.BaseURL = s.URL() + "/other"
			}, "orgDevices answered 404: that is not how Apple says that it has no such device; check APPLE_BUSINESS_BASE_URL", false,
		},
		"a page in place of devices": {
			answer(appletest.OrgDevices, http.StatusOK, `<html>`),
			"orgDevices: the answer is not a page of devices; check that APPLE_BUSINESS_BASE_URL is the API of Apple Business", false,
		},
		"another answer": {
			answer(appletest.OrgDevices, http.StatusOK, `{"devices":[]}`),
			"orgDevices: the answer is not a page of devices; check that APPLE_BUSINESS_BASE_URL is the API of Apple Business", false,
		},
		"a device that does not exist": {
			answer(appletest.OrgDevice, http.StatusOK, `{"data":{"type":"orgDevices","id":"00000000","attributes":{"serialNumber":"00000000"}}}`),
			"APPLE_BUSINESS_BASE_URL does not answer as the API of Apple Business does", false,
		},
		"Accept is lost": {
			answer(appletest.OrgDevices, http.StatusNotAcceptable, `{}`),
			"orgDevices answered 406: Apple answers only requests with Accept: application/json; look for a proxy that changes requests", false,
		},
		"API unreachable": {func(_ *testing.T, _ *appletest.Server, c *apple.Config) {
			c.BaseURL = "https://" + nowhere
		}, nowhere + " cannot be reached: dial tcp " + nowhere + ": connect: connection refused", false},
		"token unreachable": {func(_ *testing.T, _ *appletest.Server, c *apple.Config) {
			c.TokenURL = "https://" + nowhere + "/auth/oauth2/token"
		}, nowhere + " cannot be reached: dial tcp " + nowhere + ": connect: connection refused", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := tolerant(t, appletest.Options{Devices: []appletest.Device{mac(macSerial)}})
			c := configOf(server)
			row.change(t, server, &c)
			_, warnings, err := opened(t, c).Check(t.Context())
			if err == nil || err.Error() != row.want || len(warnings) > 0 {
				t.Errorf("Check = %q, %v\nwant %s", warnings, err, row.want)
			}
			if !strings.Contains(row.want, nowhere) && !strings.Contains(page(t), "`"+row.want+"`") {
				t.Errorf("the page lacks the message %q", row.want)
			}
			if errors.Is(err, posture.ErrCredentials) != row.credentials {
				t.Errorf("%v is ErrCredentials: %v, want %v", err, !row.credentials, row.credentials)
			}
			if err != nil {
				for _, secret := range server.Secrets() {
					if strings.Contains(err.Error(), secret) {
						t.Errorf("the error holds what is secret: %v", err)
					}
				}
			}
		})
	}
}

// TestCheckFinds: what is right is said too.
func TestCheckFinds(t *testing.T) {
	t.Parallel()
	for _, school := range []bool{false, true} {
		name := map[bool]string{false: "Apple Business", true: "Apple School Manager"}[school]
		server := started(t, appletest.Options{School: school, Devices: []appletest.Device{mac(macSerial), phone(phoneSerial)}})
		found, warnings, err := opened(t, configOf(server)).Check(t.Context())
		if want := name + " at " + server.URL() + ", 2 devices"; found != want || len(warnings) > 0 || err != nil {
			t.Errorf("Check = %q, %q, %v, want %q", found, warnings, err, want)
		}
	}
}

// TestOtherProduct: an account of one product may not read the devices of the other.
func TestOtherProduct(t *testing.T) {
	t.Parallel()
	school, err := appletest.NewClient("SCHOOLAPI.")
	if err != nil {
		t.Fatal(err)
	}
	server := started(t, appletest.Options{Clients: []appletest.Client{school}})
	const want = "orgDevices answered 403: the API account may not read devices; give it a role that may"
	if _, _, err := opened(t, configOf(server)).Check(t.Context()); err == nil || err.Error() != want {
		t.Errorf("Check = %v, want %s", err, want)
	}
}

package mosyle_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/mosyle"
	"step-posture-connector/internal/provider/mosyle/mosyletest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

func check(t *testing.T, c mosyle.Config) (found string, warnings []string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	return opened(t, c).Check(ctx)
}

func TestCheckFinds(t *testing.T) {
	t.Parallel()
	for product, title := range map[string]string{mosyletest.Business: "Mosyle Business", mosyletest.Manager: "Mosyle Manager"} {
		for _, quirks := range []mosyletest.Quirks{{}, {EmptyList: true}, {IgnoresFilter: true}} {
			server := started(t, mosyletest.Options{Product: product, Quirks: quirks, Devices: someOfEach()})
			found, warnings, err := check(t, configOf(server, product))
			if want := title + " at " + server.BaseURL() + " (experimental)"; found != want || len(warnings) > 0 || err != nil {
				t.Errorf("Check = %q, %q, %v, want %q", found, warnings, err, want)
			}
		}
	}
}

// TestCheck: each wrong configuration has a message of its own, which repeats nothing that the server sent.
func TestCheck(t *testing.T) {
	t.Parallel()
	secret := func(text string) config.Secret { return config.NewSecret([]byte(text)) }
	const wrong = "token endpoint answered 401: the inventory refused the credentials: check MOSYLE_ACCESS_TOKEN, MOSYLE_EMAIL and MOSYLE_PASSWORD"
	answer := func(status int, body string) *vendortest.Fault {
		return &vendortest.Fault{Kind: vendortest.Answer, Status: status, Body: body}
	}
	const page = "<!DOCTYPE html><html>" + vendortest.Marker
	for name, row := range map[string]struct {
		quirks      mosyletest.Quirks
		change      func(*mosyle.Config)
		login, list *vendortest.Fault
		want        string // HOST is the server's
		credentials bool
	}{
		"access token": {change: func(c *mosyle.Config) { c.AccessToken = secret("x") }, want: wrong, credentials: true},
		"e-mail":       {change: func(c *mosyle.Config) { c.Email = "x@example.com" }, want: wrong, credentials: true},
		"password":     {change: func(c *mosyle.Config) { c.Password = secret("x") }, want: wrong, credentials: true},
		"address": {
			quirks: mosyletest.Quirks{RefusesAddress: true},
			want:   "token endpoint answered 403: Mosyle may have limited the access token to other addresses, or something on the way to it forbids that",
		},
		"address, after the login": {
			list: answer(http.StatusForbidden, page),
			want: "devices mac answered 403: Mosyle may have limited the access token to other addresses, or something on the way to it forbids that",
		},
		"path": {
			change: func(c *mosyle.Config) { c.BaseURL += "/x" },
			want:   "token endpoint: MOSYLE_BASE_URL does not answer as the API of TITLE does: it has no login; check MOSYLE_PRODUCT too",
		},
		"HTML": {
			login: answer(http.StatusOK, page),
			want:  "token endpoint: MOSYLE_BASE_URL does not answer as the API of TITLE does: the answer to the login has no token",
		},
		"another status": {login: answer(http.StatusBadRequest, page), want: "token endpoint: the login was answered with 400"},
		"redirect": {
			login: &vendortest.Fault{Kind: vendortest.Redirect},
			want:  "token endpoint answered 302: the server redirects, and redirects are not followed; check MOSYLE_BASE_URL",
		},
		"endpoint": {
			list: answer(http.StatusNotFound, page),
			want: "devices mac answered 404: the server does not have this endpoint; check MOSYLE_PRODUCT and MOSYLE_BASE_URL",
		},
		"HTML, after the login": {list: answer(http.StatusOK, page), want: "devices mac: the answer is not a list of devices; check that MOSYLE_BASE_URL is the API of TITLE"},
		"refused":               {quirks: mosyletest.Quirks{Refuses: "MISSING_DATA"}, want: "devices mac: Mosyle refuses the request with MISSING_DATA"},
		"refused, unknown":      {quirks: mosyletest.Quirks{Refuses: "UNKNOWN_" + vendortest.Marker}, want: "devices mac: Mosyle answers with a status that is not known here"},
		"unreachable":           {change: func(c *mosyle.Config) { c.BaseURL = "https://127.0.0.1:1/v1" }, want: "127.0.0.1:1 cannot be reached: dial tcp 127.0.0.1:1: connect: connection refused"},
		"TLS": {
			change: func(c *mosyle.Config) { c.RootCAs = nil },
			want:   "the TLS certificate of HOST is not trusted: it is of a CA that is not known here; SSL_CERT_FILE can name the CA of a private server or of a proxy that opens TLS",
		},
	} {
		for product, title := range map[string]string{mosyletest.Business: "Mosyle Business", mosyletest.Manager: "Mosyle Manager"} {
			t.Run(name+", "+product, func(t *testing.T) {
				t.Parallel()
				server := tolerant(t, mosyletest.Options{Product: product, Quirks: row.quirks, Devices: someOfEach()})
				c := configOf(server, product)
				if row.change != nil {
					row.change(&c)
				}
				if row.login != nil {
					server.Fail(*row.login, mosyletest.Login)
				}
				if row.list != nil {
					server.Fail(*row.list, mosyletest.Mac, mosyletest.IOS, mosyletest.TVOS, mosyletest.VisionOS)
				}
				want := strings.NewReplacer("HOST", strings.TrimPrefix(server.URL(), "https://"), "TITLE", title).Replace(row.want)
				found, _, err := check(t, c)
				if err == nil || err.Error() != want {
					t.Fatalf("Check = %q, %v, want %q", found, err, want)
				}
				if errors.Is(err, posture.ErrCredentials) != row.credentials {
					t.Errorf("Check = %v: whether it says that the credentials are wrong is %v, want %v", err, !row.credentials, row.credentials)
				}
				for _, s := range server.Secrets() {
					if strings.Contains(err.Error(), s) {
						t.Errorf("the error %q holds a secret or the vendor's words", err)
					}
				}
			})
		}
	}
}

// TestCheckTokenRequired: Mosyle Manager says with 404 that it misses the access token.
func TestCheckTokenRequired(t *testing.T) {
	t.Parallel()
	server := tolerant(t, mosyletest.Options{Product: mosyletest.Manager})
	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusNotFound, Body: `{"error":"accessToken Required"}`}, mosyletest.Login)
	_, _, err := check(t, configOf(server, mosyletest.Manager))
	if !errors.Is(err, posture.ErrCredentials) || !strings.HasSuffix(err.Error(), "check MOSYLE_ACCESS_TOKEN") {
		t.Errorf("Check = %v, want it to name the access token", err)
	}
}

// TestCheckWarns: an operating system that is not answered for is a warning: there may be no such devices.
func TestCheckWarns(t *testing.T) {
	t.Parallel()
	server := started(t, mosyletest.Options{Devices: someOfEach()})
	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Body: `{"status":"OK","response":[{"status":"UNKNOWN_OS"}]}`}, mosyletest.VisionOS)
	found, warnings, err := check(t, configOf(server, mosyletest.Business))
	const want = "a search for devices with visionos was not answered: devices visionos: Mosyle refuses the request with UNKNOWN_OS; " +
		"such lookups, and those of any device, will fail"
	if err != nil || len(warnings) != 1 || warnings[0] != want {
		t.Errorf("Check = %q, %q, %v, want the warning %q", found, warnings, err, want)
	}
}

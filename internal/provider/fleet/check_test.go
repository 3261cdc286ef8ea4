package fleet_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/fleet"
	"step-posture-connector/internal/provider/fleet/fleettest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

func check(t *testing.T, c fleet.Config) (found string, warnings []string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	return opened(t, c).Check(ctx)
}

// TestCheck: each wrong configuration has a message of its own.
func TestCheck(t *testing.T) {
	t.Parallel()
	const (
		html     = "<!DOCTYPE html><html>" + vendortest.Marker + "</html>"
		teams    = "the user of FLEET_TOKEN has roles in teams only: hosts of other teams are not found; give it the role Observer for all teams"
		more     = "the user of FLEET_TOKEN has another role than Observer, which is enough: it may do more than read hosts"
		notKnown = "the role of the user of FLEET_TOKEN is not known: if it is limited to teams, hosts of others are not found"
	)
	token := func(c *fleet.Config) { c.Token = config.NewSecret([]byte("another")) }
	answer := func(status int, body string) *vendortest.Fault {
		return &vendortest.Fault{Kind: vendortest.Answer, Status: status, Body: body}
	}
	for _, row := range []struct {
		name     string
		options  fleettest.Options
		change   func(*fleet.Config)
		hosts    *vendortest.Fault
		me       *vendortest.Fault
		warnings []string
		err      string
	}{
		{name: "all is well"},
		{name: "a path", options: fleettest.Options{ContextPath: "/tools/fleet"}},
		{name: "wrong token", change: token, err: "hosts answered 401: the inventory refused the credentials: check FLEET_TOKEN"},
		{name: "no role", options: fleettest.Options{Forbidden: []string{fleettest.Hosts}}, err: "hosts answered 403: the user of FLEET_TOKEN may not read that; give the API-only user the role Observer for all teams"},
		{name: "no license", hosts: answer(402, `{"message":"Requires Fleet Premium license"}`), err: "hosts answered 402: the server asks for a license of Fleet Premium"},
		{name: "too old", hosts: answer(404, `{"message":"Resource Not Found"}`), err: "hosts answered 404: the server does not have this endpoint; check FLEET_BASE_URL"},
		{name: "another server", hosts: answer(404, html), err: "hosts answered 404: the server does not have this endpoint; check FLEET_BASE_URL"},
		{name: "a web page", hosts: answer(200, html), err: "hosts: the answer is not a list of hosts; check that FLEET_BASE_URL is a Fleet server"},
		{name: "other JSON", hosts: answer(200, `{"devices":[]}`), err: "hosts: the answer is not a list of hosts; check that FLEET_BASE_URL is a Fleet server"},
		{name: "a login page", hosts: &vendortest.Fault{Kind: vendortest.Redirect}, err: "hosts answered 302: the server redirects, and redirects are not followed; check FLEET_BASE_URL"},
		{name: "a fault", hosts: answer(500, `{"message":"`+vendortest.Marker+`"}`), err: "hosts answered 500"},
		{name: "a CA that is not known", change: func(c *fleet.Config) { c.RootCAs = x509.NewCertPool() }, err: "is not trusted: it is of a CA that is not known here; SSL_CERT_FILE can name the CA of a private server or of a proxy that opens TLS"},
		{name: "no such port", change: func(c *fleet.Config) { c.BaseURL = "https://127.0.0.1:1" }, err: "127.0.0.1:1 cannot be reached: dial tcp"},
		{name: "teams", options: fleettest.Options{GlobalRole: "none", Teams: []string{"One"}}, warnings: []string{teams}},
		{name: "a larger role", options: fleettest.Options{GlobalRole: "admin"}, warnings: []string{more}},
		{name: "role not readable", options: fleettest.Options{Forbidden: []string{fleettest.Me}}, warnings: []string{notKnown}},
		{name: "no such user", me: answer(200, `{}`), warnings: []string{notKnown}},
		{name: "user null", me: answer(200, `{"user":null}`), warnings: []string{notKnown}},
		{name: "user without role", me: answer(200, `{"user":{}}`), warnings: []string{notKnown}},
		{name: "user in HTML", me: answer(200, html), warnings: []string{notKnown}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server := started(t, row.options)
			c := configured(server, fleet.Config{})
			if row.change != nil {
				row.change(&c)
			}
			for endpoint, fault := range map[string]*vendortest.Fault{fleettest.Hosts: row.hosts, fleettest.Me: row.me} {
				if fault != nil {
					server.Fail(*fault, endpoint)
				}
			}
			found, warnings, err := check(t, c)
			if !reflect.DeepEqual(warnings, row.warnings) {
				t.Errorf("Check warns %q, want %q", warnings, row.warnings)
			}
			switch {
			case row.err == "":
				if want := "Fleet at " + server.BaseURL(); err != nil || found != want {
					t.Errorf("Check = %q, %v, want %q", found, err, want)
				}
			case err == nil || !strings.HasSuffix(err.Error(), row.err) && !strings.Contains(row.err, "dial tcp"):
				t.Errorf("Check = %v, want %q", err, row.err)
			case !strings.Contains(err.Error(), row.err):
				t.Errorf("Check = %v, want %q", err, row.err)
			}
			if refused := errors.Is(err, posture.ErrCredentials); refused != (row.name == "wrong token") {
				t.Errorf("Check = %v: the credentials are refused: %v", err, refused)
			}
			if text := fmt.Sprint(err, found, warnings); strings.Contains(text, vendortest.Marker) || strings.Contains(text, server.Token()) {
				t.Errorf("Check shows a secret, or the vendor's words: %s", text)
			}
		})
	}
}

// TestRevoked: a token that is refused is not tried again in the same lookup.
func TestRevoked(t *testing.T) {
	t.Parallel()
	server := started(t, fleettest.Options{Devices: []fleettest.Device{full()}})
	p := opened(t, configured(server, fleet.Config{}))
	server.Revoke()
	d, err := lookup(t, p, query(t, serial))
	if wantFault(t, d, err, "hosts answered 401"); !errors.Is(err, posture.ErrCredentials) || server.Count() != 1 {
		t.Errorf("Lookup = %v after %d requests, want refused credentials after one", err, server.Count())
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://fleet.example.com": "https://fleet.example.com", "https://fleet.example.com/": "https://fleet.example.com",
		"https://fleet.example.com/api": "https://fleet.example.com", "https://fleet.example.com/api/v1/fleet/": "https://fleet.example.com",
		"https://fleet.example.com:8080/a/api/latest/fleet": "https://fleet.example.com:8080/a",
		"https://example.com/fleet":                         "https://example.com/fleet", "https://example.com/v1": "https://example.com/v1",
	} {
		c := fleet.Config{BaseURL: text}
		if problems := c.Problems(); problems != nil {
			t.Errorf("%s: %v", text, problems)
		}
		if got := opened(t, c).Server(); got != want {
			t.Errorf("%s is taken for %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"http://fleet.example.com": "does not begin with https://", "fleet.example.com": "does not begin with https://",
		"https://user:pass@fleet.example.com": "holds a user name or password", "https://fleet.example.com/?a=b": "has a query or a fragment",
	} {
		problems := fleet.Config{BaseURL: text}.Problems()
		if len(problems) != 1 || problems[0].Variable != "FLEET_BASE_URL" || problems[0].Text != want {
			t.Errorf("%s: %v, want %q", text, problems, want)
		}
		if p, _, err := fleet.Open(fleet.Config{BaseURL: text}); err == nil || p != nil {
			t.Errorf("%s is opened", text)
		}
	}
	if problems := (fleet.Config{}).Problems(); problems != nil {
		t.Errorf("without a URL: %v, which the tag reports", problems)
	}
	for group, want := range map[string]int{
		"": 0, "Wi-Fi": 0, "team:A": 0, "team:A B": 0, "Team:": 0, "team:": 1, "team: ": 1, "team: A": 1, "team:A ": 1,
	} {
		if problems := (fleet.Config{Group: group}).Problems(); len(problems) != want || want > 0 && problems[0].Variable != "FLEET_GROUP" {
			t.Errorf("the group %q: %v, want %d problems", group, problems, want)
		}
	}
	c := fleet.Config{Group: "team:A", RequireCompliant: true, AllowUnmanaged: true}
	want := posture.Requirements{
		Groups:         map[posture.DeviceType]string{posture.Computer: "team:A", posture.MobileDevice: "team:A"},
		AllowUnmanaged: true, Compliant: true,
	}
	if got := c.Requirements(); !reflect.DeepEqual(got, want) {
		t.Errorf("Requirements = %+v, want %+v", got, want)
	}
	for enrich, want := range map[bool]string{true: "device, user and group data is returned", false: "no data is returned"} {
		c := fleet.Config{BaseURL: "https://fleet.example.com", Enrich: config.Switch(enrich)}
		if got := opened(t, c).Returns(posture.Computer); got != want {
			t.Errorf("Returns = %q, want %q", got, want)
		}
	}
}

// TestSecretsInOutput: no verb shows the token.
func TestSecretsInOutput(t *testing.T) {
	t.Parallel()
	server := started(t, fleettest.Options{})
	c := configured(server, fleet.Config{})
	for _, text := range []string{fmt.Sprintf("%v %+v %#v", c, c, c), fmt.Sprintf("%v %+v %#v", opened(t, c), opened(t, c), opened(t, c))} {
		if strings.Contains(text, server.Token()) {
			t.Errorf("%s shows the token", text)
		}
	}
}

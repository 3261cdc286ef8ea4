package iru_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/iru"
	"step-posture-connector/internal/provider/iru/irutest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

func contextOf(t *testing.T, limit time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), limit)
}

// TestCheck: each wrong configuration has a message of its own.
func TestCheck(t *testing.T) {
	t.Parallel()
	body := func(status int, text string) vendortest.Fault {
		return vendortest.Fault{Kind: vendortest.Answer, Status: status, Body: text}
	}
	const gateway = "devices answered 404: no tenant of Iru has its API there; check IRU_BASE_URL, subdomain and region"
	const noList = "devices: the answer is not a list of devices; check that IRU_BASE_URL is the API of an Iru tenant"
	const refused = "devices answered 401: the inventory refused the credentials: check IRU_TOKEN: the token is wrong, was revoked, or has expired"
	const lacksDetails = "the token lacks the permission Device details: where a policy reads device.udid, device.supervised or device.encrypted, lookups fail"
	for name, row := range map[string]struct {
		options     irutest.Options
		change      func(*irutest.Server, *iru.Config)
		err         string // HOST is that of the server
		warning     string
		credentials bool
	}{
		"right":                 {},
		"right, with a policy":  {change: func(_ *irutest.Server, c *iru.Config) { c.ReadFacts() }},
		"wrong token":           {change: func(_ *irutest.Server, c *iru.Config) { c.Token = config.NewSecret([]byte("wrong")) }, err: refused, credentials: true},
		"revoked or expired":    {change: func(s *irutest.Server, _ *iru.Config) { s.Revoke() }, err: refused, credentials: true},
		"no permission":         {options: irutest.Options{Permissions: []string{}}, err: "devices answered 403: the token lacks the permission Device list; add it to the token in Iru"},
		"only details":          {options: irutest.Options{Permissions: []string{irutest.DeviceDetails}}, err: "devices answered 403: the token lacks the permission Device list; add it to the token in Iru"},
		"no details":            {options: irutest.Options{Permissions: []string{irutest.DeviceList}}},
		"no details, a policy":  {options: irutest.Options{Permissions: []string{irutest.DeviceList}}, change: func(_ *irutest.Server, c *iru.Config) { c.ReadFacts() }, warning: lacksDetails},
		"no tenant":             {options: irutest.Options{NoTenant: true}, err: gateway},
		"a 404 in HTML":         {change: func(s *irutest.Server, _ *iru.Config) { s.Fail(body(404, "<html></html>")) }, err: gateway},
		"the console":           {change: func(s *irutest.Server, _ *iru.Config) { s.Fail(body(200, "<html></html>")) }, err: noList},
		"another API":           {change: func(s *irutest.Server, _ *iru.Config) { s.Fail(body(200, `{"results":[]}`)) }, err: noList},
		"a redirect":            {change: func(s *irutest.Server, _ *iru.Config) { s.Fail(vendortest.Fault{Kind: vendortest.Redirect}) }, err: "devices answered 302: the server redirects, and redirects are not followed; check IRU_BASE_URL"},
		"the limit of the hour": {options: irutest.Options{HourlyLimit: 1}, change: func(s *irutest.Server, _ *iru.Config) { s.Spend(1) }, err: "devices answered 429: the tenant has used up its requests of this hour, which all tokens share"},
		"another path": {change: func(s *irutest.Server, c *iru.Config) {
			s.Fail(body(404, `{"message":"no Route matched with those values"}`))
			c.BaseURL += "/x"
		}, err: gateway},
		"down": {change: func(s *irutest.Server, _ *iru.Config) { s.Down() }, err: "HOST cannot be reached: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := tolerant(t, row.options)
			c := configOf(server)
			if row.change != nil {
				row.change(server, &c)
			}
			ctx, cancel := contextOf(t, ample)
			defer cancel()
			found, warnings, err := opened(t, c).Check(ctx)
			want := strings.ReplaceAll(row.err, "HOST", strings.TrimPrefix(server.URL(), "https://"))
			if (err != nil) != (want != "") || err != nil && err.Error() != want && !(name == "down" && strings.HasPrefix(err.Error(), want)) || errors.Is(err, posture.ErrCredentials) != row.credentials {
				t.Errorf("Check = %v, want %q", err, want)
			}
			if err == nil && found != "Iru at "+server.URL() || strings.Join(warnings, "\n") != row.warning {
				t.Errorf("Check = %q, %q, want the URL, %q", found, warnings, row.warning)
			}
			if text := fmt.Sprint(err); strings.Contains(text, vendortest.Marker) || strings.Contains(text, server.Token()) {
				t.Errorf("Check = %v, which repeats the vendor's words or the token", err)
			}
		})
	}
}

// TestCheckOfTheOtherHost: where a host of Iru is the wrong one, the message names the other one of the tenant.
func TestCheckOfTheOtherHost(t *testing.T) {
	t.Parallel()
	for host, other := range map[string]string{
		"example.api.kandji.io":    "example.api.iru.com",
		"example.api.eu.kandji.io": "example.api.eu.iru.com",
		"example.api.iru.com":      "example.api.kandji.io",
		"example.api.eu.iru.com":   "example.api.eu.kandji.io",
		"127.0.0.1":                "",
	} {
		if got := iru.OtherHost(host); got != other {
			t.Errorf("the other host of %s is %q, want %q", host, got, other)
		}
	}
	server := tolerant(t, irutest.Options{NoTenant: true, Names: []string{"example.api.kandji.io"}})
	c := configOf(server)
	provider := opened(t, c)
	iru.At(provider, "example.api.kandji.io")
	ctx, cancel := contextOf(t, ample)
	defer cancel()
	_, _, err := provider.Check(ctx)
	if err == nil || !strings.HasSuffix(err.Error(), "; Iru has APIs at two hosts: try https://example.api.iru.com") {
		t.Errorf("Check = %v, want it to name the other host", err)
	}
	server = tolerant(t, irutest.Options{})
	server.Revoke()
	c = configOf(server)
	c.Token = config.NewSecret([]byte("wrong"))
	provider = opened(t, c)
	iru.At(provider, "example.api.kandji.io")
	if _, _, err := provider.Check(ctx); err == nil || strings.Contains(err.Error(), "two hosts") {
		t.Errorf("Check with a wrong token = %v, want nothing about hosts", err)
	}
}

// TestProblems: a configuration that cannot be meant is refused, with what is accepted.
func TestProblems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://example.api.kandji.io":            "",
		"https://example.api.eu.kandji.io/":        "",
		"https://EXAMPLE.api.iru.com/api/v1":       "",
		"https://example.api.eu.iru.com/api/":      "",
		"https://proxy.example.com:8443/iru":       "",
		"https://notkandji.io":                     "",
		"http://example.api.iru.com":               "does not begin with https://",
		"example.api.iru.com":                      "does not begin with https://",
		"https://example.iru.com":                  "example.iru.com is no host of the API: Iru shows the API's URL under Settings, Access",
		"https://example.kandji.io":                "example.kandji.io is no host of the API: Iru shows the API's URL under Settings, Access",
		"https://example.clients.us-1.kandji.io":   "example.clients.us-1.kandji.io is no host of the API: Iru shows the API's URL under Settings, Access",
		"https://api.kandji.io":                    "api.kandji.io is no host of the API: Iru shows the API's URL under Settings, Access",
		"https://example.api.us.iru.com":           "example.api.us.iru.com is no host of the API: Iru shows the API's URL under Settings, Access",
		"https://example.api.iru.com.":             "example.api.iru.com. is no host of the API: Iru shows the API's URL under Settings, Access",
		"https://user:secret@example.api.iru.com/": "holds a user name or password",
	} {
		problems := iru.Config{BaseURL: text, Token: config.NewSecret([]byte("x"))}.Problems()
		got := ""
		if len(problems) > 0 {
			got = problems[0].Text
		}
		if got != want || len(problems) > 1 || want != "" && (problems[0].Variable != "IRU_BASE_URL" || !strings.Contains(problems[0].Accepted, "SUB.api.eu.kandji.io")) {
			t.Errorf("Problems of %q = %+v, want %q", text, problems, want)
		}
		if _, err := iru.New(iru.Config{BaseURL: text}); (err != nil) != (want != "") {
			t.Errorf("New with %q = %v", text, err)
		}
	}
	for token, wrong := range map[string]bool{"abc-DEF_123.~+/=": false, "Bearer abc": true, "abc\n": true, " abc": true, "äbc": true} {
		problems := iru.Config{BaseURL: "https://example.api.iru.com", Token: config.NewSecret([]byte(token))}.Problems()
		if (len(problems) > 0) != wrong || strings.Contains(fmt.Sprint(problems), "abc") {
			t.Errorf("Problems of the token %q = %v", token, problems)
		}
	}
	for group, wrong := range map[string]bool{
		"wifi": false, "blueprint": false, "blueprint:Engineering": false, "my blueprint:": false,
		"blueprint:": true, "blueprint: ": true, "Blueprint:Engineering": true, "BLUEPRINT:": true,
	} {
		problems := iru.Config{Group: group}.Problems()
		if (len(problems) > 0) != wrong || wrong && problems[0].Variable != "IRU_GROUP" {
			t.Errorf("Problems of the group %q = %v", group, problems)
		}
	}
	if problems := (iru.Config{}).Problems(); len(problems) > 0 {
		t.Errorf("Problems of what is not set = %v, want nothing", problems)
	}
}

// TestOpenWarns of a host to which the token is sent though it is not the vendor's.
func TestOpenWarns(t *testing.T) {
	t.Parallel()
	for text, warns := range map[string]bool{
		"https://example.api.iru.com/api/v1": false, "https://example.api.eu.kandji.io": false,
		"https://proxy.example.com": true, "https://example.api.iru.com.example.com": true, "https://evil-iru.com": true,
	} {
		_, warnings, err := iru.Open(iru.Config{BaseURL: text})
		if err != nil || (len(warnings) > 0) != warns {
			t.Errorf("Open with %q = %q, %v, want a warning: %v", text, warnings, err, warns)
		}
	}
	p := opened(t, iru.Config{BaseURL: "https://example.api.iru.com/api/v1/devices"})
	if base, err := url.Parse(p.Server()); err != nil || base.Path != "" {
		t.Errorf("the server is %s, want no path", p.Server())
	}
	if _, _, err := iru.Open(iru.Config{BaseURL: "https://example.iru.com"}); err == nil {
		t.Error("Open with the console's host is no error")
	}
}

package jamf_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/jamf"
	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

func check(t *testing.T, c jamf.Config) (found string, warnings []string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	return opened(t, c).Check(ctx)
}

func TestCheckFinds(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		api, version string
		want         []string
	}{
		{"pro", "11.30.1-t1", []string{"11.30", "pro"}}, {"classic", "10.49.0-t1", []string{"10.49", "classic"}}, {"pro", "banana", []string{"pro"}},
	} {
		server := started(t, jamftest.Options{Version: row.version, Devices: inventory()})
		c := configOf(server, row.api)
		c.ComputerEnrich, c.DeviceEnrich, c.ComputerGroup = true, true, "Compliant"
		found, warnings, err := check(t, c)
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s %s: Check = %q, %q, %v, want neither warnings nor an error", row.api, row.version, found, warnings, err)
		}
		for _, part := range append(row.want, strings.TrimPrefix(server.URL(), "https://")) {
			if !strings.Contains(found, part) {
				t.Errorf("%s %s: Check = %q, want it to name %q", row.api, row.version, found, part)
			}
		}
	}
}

// TestCheckPrivileges: a privilege that is missing is named. It is an error where it is surely needed, or where all
// are missing.
func TestCheckPrivileges(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		has     []string
		change  func(*jamf.Config)
		err     []string // what the error names; nil: there is none
		warning []string
	}{
		{"none at all", nil, nil, []string{jamftest.ReadComputers, jamftest.ReadMobileDevices}, nil},
		{"only departments", []string{jamftest.ReadDepartments}, nil, []string{jamftest.ReadComputers, jamftest.ReadMobileDevices}, nil},
		{"no computers", []string{jamftest.ReadMobileDevices}, nil, nil, []string{jamftest.ReadComputers}},
		{"no mobile devices", []string{jamftest.ReadComputers}, nil, nil, []string{jamftest.ReadMobileDevices}},
		{"no computers, group", []string{jamftest.ReadMobileDevices}, func(c *jamf.Config) { c.ComputerGroup = "x" }, []string{jamftest.ReadComputers}, nil},
		{"no computers, enriched", []string{jamftest.ReadMobileDevices}, func(c *jamf.Config) { c.ComputerEnrich = true }, []string{jamftest.ReadComputers}, nil},
		{"no mobile devices, group", []string{jamftest.ReadComputers}, func(c *jamf.Config) { c.DeviceGroup = "x" }, []string{jamftest.ReadMobileDevices}, nil},
		{"no mobile devices, enriched", []string{jamftest.ReadComputers}, func(c *jamf.Config) { c.DeviceEnrich = true }, []string{jamftest.ReadMobileDevices}, nil},
		{
			"no departments",
			[]string{jamftest.ReadComputers, jamftest.ReadMobileDevices},
			func(c *jamf.Config) { c.ComputerEnrich = true }, nil,
			[]string{jamftest.ReadDepartments},
		},
		{"no departments, none needed", []string{jamftest.ReadComputers, jamftest.ReadMobileDevices}, nil, nil, nil},
	} {
		for _, api := range []string{"pro", "classic"} {
			t.Run(row.name+", "+api, func(t *testing.T) {
				t.Parallel()
				server := started(t, jamftest.Options{Devices: inventory()})
				client := server.Client()
				client.Privileges = row.has
				server.SetClients(client)
				c := configOf(server, api)
				if row.change != nil {
					row.change(&c)
				}
				wantWarnings := row.warning
				if api == "classic" && slices.Contains(row.warning, jamftest.ReadDepartments) {
					wantWarnings = nil // the Classic API returns the names
				}
				found, warnings, err := check(t, c)
				if (err != nil) != (row.err != nil) || err == nil && len(warnings) != len(wantWarnings) {
					t.Fatalf("Check = %q, %q, %v, want error %q, warnings %q", found, warnings, err, row.err, wantWarnings)
				}
				if errors.Is(err, posture.ErrCredentials) {
					t.Errorf("Check = %v, which ends the start; a privilege can be added while the daemon runs", err)
				}
				for _, privilege := range row.err {
					if !strings.Contains(err.Error(), privilege) {
						t.Errorf("Check = %v, want it to name %q", err, privilege)
					}
				}
				for i, privilege := range wantWarnings {
					if !strings.Contains(warnings[i], privilege) {
						t.Errorf("the warning is %q, want it to name %q", warnings[i], privilege)
					}
				}
			})
		}
	}
}

// otherServer starts a server that is no Jamf Pro server.
func otherServer(t *testing.T, status int, kind, body string, names ...string) *vendortest.Server {
	t.Helper()
	server, err := vendortest.New(vendortest.API{
		Names:    names,
		Endpoint: func(*http.Request) string { return "any" },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = fmt.Fprint(w, body)
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

// TestCheckNamesTheFault: each thing that can be wrong has a message of its own.
func TestCheckNamesTheFault(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{})
	other := started(t, jamftest.Options{})
	at := func(url string, roots *x509.CertPool) jamf.Config {
		return jamf.Config{BaseURL: url, ClientID: "x", ClientSecret: config.NewSecret([]byte("hidden-secret")), API: "pro", Timeout: 10, RootCAs: roots}
	}
	misnamed := otherServer(t, 200, "text/html", "", "jamf.example")
	loose := tolerant(t, jamftest.Options{})
	strange := func(status int, kind, body string) jamf.Config {
		s := otherServer(t, status, kind, body)
		return at(s.URL(), s.CertPool())
	}
	valid := configOf(server, "pro")
	wrongSecret, wrongID := valid, valid
	wrongSecret.ClientSecret = config.NewSecret([]byte("hidden-secret"))
	wrongID.ClientID = "unknown"
	const notJamf = "Jamf Pro server"
	for name, row := range map[string]struct {
		c    jamf.Config
		want string
	}{
		"unreachable":               {at("https://127.0.0.1:1", nil), "cannot be reached"},
		"name not resolved":         {at("https://jamf.invalid", nil), "cannot be reached"},
		"not trusted":               {at(server.URL(), other.CertPool()), "not trusted"},
		"wrong name":                {at(misnamed.URL(), misnamed.CertPool()), "not trusted"},
		"wrong secret":              {wrongSecret, "JAMF_CLIENT_ID and JAMF_CLIENT_SECRET"},
		"wrong ID":                  {wrongID, "JAMF_CLIENT_ID and JAMF_CLIENT_SECRET"},
		"wrong path":                {at(loose.URL()+"/wrong", loose.CertPool()), "JAMF_BASE_URL"},
		"a web site":                {strange(200, "text/html", "<html>"+vendortest.Marker+"</html>"), notJamf},
		"a web site without a page": {strange(404, "text/html", vendortest.Marker), "JAMF_BASE_URL"},
		"another API":               {strange(200, "application/json", `{"message":"`+vendortest.Marker+`"}`), notJamf},
		"another token endpoint":    {strange(200, "application/json", `{"access_token":"`+vendortest.Marker+`","token_type":"Bearer","expires_in":60}`), notJamf},
		"a broken server":           {strange(500, "text/html", vendortest.Marker), "500"},
		"a proxy's gateway":         {strange(502, "text/html", vendortest.Marker), "502"},
		"a forbidding proxy":        {strange(403, "text/html", vendortest.Marker), "403"},
	} {
		t.Run(name, func(t *testing.T) {
			found, _, err := check(t, row.c)
			if err == nil || found != "" || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("Check = %q, %v, want an error that says %q", found, err, row.want)
			}
			if credentials := name == "wrong secret" || name == "wrong ID"; errors.Is(err, posture.ErrCredentials) != credentials {
				t.Errorf("Check = %v: a daemon would end its start: %v, want that for refused credentials only", err, !credentials)
			}
			text := err.Error()
			if strings.Contains(text, "\n") || len(text) > 300 || strings.ContainsAny(text, "{}<>?&") {
				t.Errorf("Check = %q, want one plain line", text)
			}
			for _, secret := range append(server.Secrets(), "hidden-secret") {
				if strings.Contains(text, secret) {
					t.Errorf("Check = %q holds a secret or the server's words", text)
				}
			}
			for _, fact := range []string{"cannot be reached", "not trusted", "JAMF_CLIENT_SECRET", "privilege"} {
				if fact != row.want && !strings.Contains(row.want, fact) && strings.Contains(text, fact) {
					t.Errorf("Check = %q, which also says %q", text, fact)
				}
			}
		})
	}
}

// TestCheckToleratesFaults: with valid credentials the daemon may start, with a warning for any other fault, and the
// version is of no importance.
func TestCheckToleratesFaults(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		api       string
		status    int
		endpoints []string
		warned    int
	}{
		"no version":        {"pro", 404, []string{jamftest.Version}, 0},
		"version forbidden": {"pro", 403, []string{jamftest.Version}, 0},
		"version broken":    {"pro", 500, []string{jamftest.Version}, 0},
		"version hangs":     {"pro", 0, []string{jamftest.Version}, 0},
		// In the Classic API only the version proves that a 404 comes from Jamf.
		"version broken, classic": {"classic", 500, []string{jamftest.Version}, 2},
		"computers broken":        {"pro", 500, []string{jamftest.Computers + "4"}, 1},
		"no mobile devices":       {"pro", 404, []string{jamftest.MobileDevices}, 1},
		"both broken":             {"pro", 503, []string{jamftest.Computers + "4", jamftest.MobileDevices}, 2},
		"both broken, classic":    {"classic", 500, []string{jamftest.ClassicComputers, jamftest.ClassicMobile}, 2},
		"everything but tokens":   {"pro", 500, []string{jamftest.Version, jamftest.Computers + "4", jamftest.MobileDevices}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := started(t, jamftest.Options{})
			fault := vendortest.Fault{Kind: vendortest.Answer, Status: row.status}
			if row.status == 0 {
				fault.Kind = vendortest.Hang
			}
			server.Fail(fault, row.endpoints...)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // what the daemon gives it
			defer cancel()
			found, warnings, err := opened(t, configOf(server, row.api)).Check(ctx)
			if row.status == 0 && err == nil && !strings.Contains(found, "of unknown version") {
				t.Errorf("Check = %q, want it to say that the version is not known", found)
			}
			unanswered := errors.Is(err, posture.ErrUnanswered)
			if err != nil && !unanswered || len(warnings) != row.warned || unanswered != (row.warned == 2) || unanswered != (found == "") {
				t.Errorf("Check = %q, %q, %v, want %d warnings, and an error only when nothing was answered", found, warnings, err, row.warned)
			}
		})
	}
}

// TestCheckKeepsItsDeadline: at start an answer is awaited for some time and no longer.
func TestCheckKeepsItsDeadline(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{jamftest.Token, jamftest.Version, jamftest.Computers + "4", jamftest.MobileDevices, jamftest.ClassicComputers} {
		t.Run(endpoint, func(t *testing.T) {
			t.Parallel()
			server := started(t, jamftest.Options{})
			server.Fail(vendortest.Fault{Kind: vendortest.Hang}, endpoint)
			api := "pro"
			if endpoint == jamftest.ClassicComputers {
				api = "classic"
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			ended := make(chan error, 1)
			go func() {
				_, _, err := opened(t, configOf(server, api)).Check(ctx)
				ended <- err
			}()
			await(t, server, func() bool { return server.Count(endpoint) > 0 })
			cancel(errors.New("out of time"))
			if err := <-ended; err == nil {
				t.Error("Check = nil, want an error")
			}
		})
	}
}

// TestNothingShowsSecrets: neither what is printed of the configuration nor of the provider.
func TestNothingShowsSecrets(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Devices: inventory()})
	c := configOf(server, "pro")
	provider, gate := deciding(t, c)
	finds(t, provider, macSerial, posture.Computer)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		for _, thing := range []any{c, &c, gate, *gate, provider} {
			text := fmt.Sprintf(verb, thing)
			for _, secret := range server.Secrets() {
				if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
					t.Errorf("%s of a %T holds a secret", verb, thing)
				}
			}
		}
	}
}

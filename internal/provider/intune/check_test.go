package intune_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/intune"
	"step-posture-connector/internal/provider/intune/intunetest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// TestCheck: each wrong configuration has a message of its own, which says what to change and nothing of Microsoft's.
func TestCheck(t *testing.T) {
	t.Parallel()
	html := vendortest.Fault{Kind: vendortest.Answer, Body: "<html>" + vendortest.Marker + "</html>"}
	const refused = "the inventory refused the credentials: "
	lacking := func(permission string) func(*intunetest.Server, *intune.Config) {
		return func(s *intunetest.Server, _ *intune.Config) {
			a := s.Application()
			a.Permissions = nil
			for _, p := range intunetest.AllPermissions() {
				if p != permission {
					a.Permissions = append(a.Permissions, p)
				}
			}
			s.SetApplications(a)
		}
	}
	for _, row := range []struct {
		name        string
		spoil       func(*intunetest.Server, *intune.Config)
		want        string // ADDRESS stands for the server's
		credentials bool
	}{
		{
			"wrong secret", func(_ *intunetest.Server, c *intune.Config) {
				c.ClientSecret = config.NewSecret([]byte("hidden-secret"))
			},
			"token endpoint answered 401: " + refused + "INTUNE_CLIENT_SECRET is wrong; it is the value of a client secret and not its ID", true,
		},
		{
			"expired secret", func(s *intunetest.Server, _ *intune.Config) {
				a := s.Application()
				a.SecretExpired = true
				s.SetApplications(a)
			},
			"token endpoint answered 401: " + refused + "the client secret has expired; make a new one in the app registration", true,
		},
		{
			"unknown application", func(_ *intunetest.Server, c *intune.Config) { c.ClientID = intunetest.GroupID("unknown") },
			"token endpoint answered 400: " + refused + "the tenant has no application with this INTUNE_CLIENT_ID", true,
		},
		{
			"unknown tenant", func(_ *intunetest.Server, c *intune.Config) { c.TenantID = "unknown.example.com" },
			"token endpoint answered 400: " + refused + "there is no tenant with this INTUNE_TENANT_ID in this cloud; check INTUNE_TENANT_ID and INTUNE_CLOUD", true,
		},
		{
			"another cloud", func(_ *intunetest.Server, c *intune.Config) { c.Cloud = "china" },
			"token endpoint answered 400: " + refused + "the tenant does not know what the token is for; check INTUNE_CLOUD", true,
		},
		{
			"a code that is not known", func(s *intunetest.Server, _ *intune.Config) {
				s.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: 401, Body: `{"error":"invalid_client","error_codes":[1],"error_description":"` + vendortest.Marker + `"}`}, intunetest.Token)
			},
			"token endpoint answered 401: " + refused + "check INTUNE_CLIENT_ID and INTUNE_CLIENT_SECRET", true,
		},
		{
			"no permission for devices", lacking(intunetest.ReadDevices),
			"managed devices answered 403: the application lacks the permission DeviceManagementManagedDevices.Read.All with admin consent, or the tenant has no Intune license", false,
		},
		{
			"no permission for groups", lacking(intunetest.ReadEntraDevices),
			"groups of a device answered 403: the application lacks the permission Device.Read.All with admin consent", false,
		},
		{
			"no permission for users", lacking(intunetest.ReadUsers),
			"user answered 403: the application lacks the permission User.Read.All with admin consent", false,
		},
		{
			"another sign-in host", func(s *intunetest.Server, _ *intune.Config) { s.Fail(html, intunetest.Token) },
			"INTUNE_LOGIN_URL does not answer as the sign-in host of Microsoft Entra does", false,
		},
		{
			"a sign-in host without tokens", func(s *intunetest.Server, _ *intune.Config) {
				s.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: 404}, intunetest.Token)
			},
			"INTUNE_LOGIN_URL does not answer as the sign-in host of Microsoft Entra does", false,
		},
		{
			"another Graph host", func(s *intunetest.Server, _ *intune.Config) { s.Fail(html, intunetest.ManagedDevices) },
			"managed devices: the answer is not a list of managed devices; check that INTUNE_GRAPH_URL is Microsoft Graph", false,
		},
		{
			"a Graph host without devices", func(s *intunetest.Server, _ *intune.Config) {
				s.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: 404}, intunetest.ManagedDevices)
			},
			"managed devices answered 404: the server does not have this endpoint; check INTUNE_GRAPH_URL", false,
		},
		{
			"ignored filter", func(s *intunetest.Server, _ *intune.Config) {
				s.Change(func(o *intunetest.Options) { o.IgnoreFilter = true })
			},
			"the search for the serial number returned 1 records, and none has it", false,
		},
		{"unreachable", func(s *intunetest.Server, _ *intune.Config) { s.Down() }, "ADDRESS cannot be reached: ", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server := started(t, intunetest.Options{Devices: []intunetest.Device{mac(serial)}})
			c := configOf(server)
			c.Enrich = true
			row.spoil(server, &c)
			found, warnings, err := withoutPolicy(t, c).Check(t.Context())
			want := strings.ReplaceAll(row.want, "ADDRESS", strings.TrimPrefix(server.URL(), "https://"))
			same := err != nil && (err.Error() == want || row.name == "unreachable" && strings.HasPrefix(err.Error(), want))
			if !same || found != "" || warnings != nil {
				t.Errorf("Check = %q, %q, %v, want %s", found, warnings, err, want)
			}
			if errors.Is(err, posture.ErrCredentials) != row.credentials {
				t.Errorf("Check = %v, is about credentials: %v, want %v", err, !row.credentials, row.credentials)
			}
		})
	}
}

// TestCheckFinds: what Check says where all is well, and where only some policy could need more.
func TestCheckFinds(t *testing.T) {
	t.Parallel()
	server := started(t, intunetest.Options{})
	application := server.Application()
	application.Permissions = []string{intunetest.ReadDevices}
	server.SetApplications(application)
	found, warnings, err := withoutPolicy(t, configOf(server)).Check(t.Context())
	if want := "Microsoft Intune of the tenant " + server.TenantID() + " at " + server.URL(); err != nil || found != want || warnings != nil {
		t.Errorf("Check = %q, %q, %v, want %q", found, warnings, err, want)
	}
	_, warnings, err = opened(t, configOf(server)).Check(t.Context())
	want := "the application lacks the permission Device.Read.All with admin consent: where a policy reads device.groups, lookups will not be answered\n" +
		"the application lacks the permission User.Read.All with admin consent: where a policy reads user.position or user.department, lookups will not be answered"
	if err != nil || strings.Join(warnings, "\n") != want {
		t.Errorf("Check = %q, %v, want the warnings %q", warnings, err, want)
	}
}

// TestNamelessGroups: the permission that only the names of groups need is named where one is read.
func TestNamelessGroups(t *testing.T) {
	t.Parallel()
	server := started(t, intunetest.Options{Devices: []intunetest.Device{mac(serial, "one")}})
	application := server.Application()
	application.Permissions = []string{intunetest.ReadDevices, intunetest.ReadEntraDevices}
	server.SetApplications(application)
	_, err := lookup(t, opened(t, configOf(server)), query(t, serial, groupsFact()))
	if err == nil || !strings.Contains(err.Error(), "GroupMember.Read.All") {
		t.Errorf("Lookup = %v, want the permission that is missing", err)
	}
}

// TestWrongCertificates: one that the app registration does not have, and one that has expired.
func TestWrongCertificates(t *testing.T) {
	t.Parallel()
	registered := certified(t, time.Now().AddDate(0, 6, 0))
	expired := certified(t, time.Now().Add(-time.Hour))
	for _, row := range []struct {
		name    string
		files   pair
		warning string
		want    string
	}{
		{"another", certified(t, time.Now().AddDate(0, 6, 0)), "", "token endpoint answered 401: the inventory refused the credentials: the certificate of INTUNE_CERT_PATH is none of the app registration's; upload it there"},
		{
			"expired", expired, "INTUNE_CERT_PATH: the certificate has expired; lookups will not be answered",
			"token endpoint: the inventory refused the credentials: the certificate of INTUNE_CERT_PATH has expired",
		},
	} {
		server := started(t, intunetest.Options{Applications: []intunetest.Application{{
			ID: "3b1f7d52-6c0e-4f8a-8a1d-5e9c2b7a4d01", Certificate: registered.certPEM, Permissions: intunetest.AllPermissions(), ExpiresIn: 3599,
		}}})
		c := configOf(server)
		c.ClientSecret, c.CertPath, c.KeyPath = config.Secret{}, config.Path(row.files.cert), config.Path(row.files.key)
		p, warnings, err := intune.Open(c)
		if err != nil || strings.Join(warnings, "\n") != row.warning {
			t.Fatalf("%s: Open = %q, %v, want the warning %q", row.name, warnings, err, row.warning)
		}
		checker, _ := p.(posture.Checker)
		if _, _, err := checker.Check(t.Context()); !errors.Is(err, posture.ErrCredentials) || err.Error() != row.want {
			t.Errorf("%s: Check = %v, want %s", row.name, err, row.want)
		}
	}
}

package intune_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/intune"
	"step-posture-connector/internal/provider/intune/intunetest"
)

// TestProblems: a configuration that cannot be meant is refused before anything is asked.
func TestProblems(t *testing.T) {
	t.Parallel()
	files, others := certified(t, time.Now().AddDate(0, 6, 0)), certified(t, time.Now().AddDate(0, 6, 0))
	certificate := func(c *intune.Config) {
		c.ClientSecret, c.CertPath, c.KeyPath = config.Secret{}, config.Path(files.cert), config.Path(files.key)
	}
	for _, row := range []struct {
		change   func(*intune.Config)
		variable string // of the one problem; empty: none
		text     string
	}{
		{func(*intune.Config) {}, "", ""},
		{certificate, "", ""},
		{func(c *intune.Config) { c.TenantID = "example.onmicrosoft.com" }, "", ""},
		{func(c *intune.Config) { c.TenantID = "Example.com" }, "", ""},
		{func(c *intune.Config) { c.TenantID = "common" }, "INTUNE_TENANT_ID", "an application cannot log in to all tenants"},
		{func(c *intune.Config) { c.TenantID = "Organizations" }, "INTUNE_TENANT_ID", "an application cannot log in to all tenants"},
		{func(c *intune.Config) { c.TenantID = "consumers" }, "INTUNE_TENANT_ID", "an application cannot log in to all tenants"},
		{func(c *intune.Config) { c.TenantID = "example" }, "INTUNE_TENANT_ID", "is neither a GUID nor a domain name"},
		{func(c *intune.Config) { c.TenantID = "example.com/../x" }, "INTUNE_TENANT_ID", "is neither a GUID nor a domain name"},
		{func(c *intune.Config) { c.TenantID = ".." }, "INTUNE_TENANT_ID", "is neither a GUID nor a domain name"},
		{func(c *intune.Config) { c.ClientID = "connector" }, "INTUNE_CLIENT_ID", "is no GUID"},
		{func(c *intune.Config) { c.ClientSecret = config.NewSecret([]byte(c.ClientID)) }, "INTUNE_CLIENT_SECRET", "is a GUID, as the ID of a secret is"},
		{func(c *intune.Config) { c.ClientSecret = config.Secret{} }, "INTUNE_CLIENT_SECRET", "is not set, and there is no certificate"},
		{func(c *intune.Config) { c.CertPath = config.Path(files.cert) }, "INTUNE_CLIENT_SECRET", "there is a certificate or a key beside it"},
		{func(c *intune.Config) { c.KeyPath = config.Path(files.key) }, "INTUNE_CLIENT_SECRET", "there is a certificate or a key beside it"},
		{func(c *intune.Config) { certificate(c); c.KeyPath = "" }, "INTUNE_KEY_PATH", "is not set, and there is a certificate"},
		{func(c *intune.Config) { certificate(c); c.CertPath = "" }, "INTUNE_CERT_PATH", "is not set, and there is a key"},
		{func(c *intune.Config) { certificate(c); c.KeyPath = config.Path(others.key) }, "INTUNE_KEY_PATH", "the key is not that of the certificate"},
		{func(c *intune.Config) { certificate(c); c.KeyPath = config.Path(files.cert) }, "INTUNE_KEY_PATH", "the file holds a certificate, and no private key"},
		{func(c *intune.Config) { certificate(c); c.CertPath = config.Path(files.key) }, "INTUNE_CERT_PATH", "the file holds no certificate in PEM"},
		{func(c *intune.Config) {
			certificate(c)
			c.CertPath = config.Path(filepath.Join(filepath.Dir(files.cert), "none.pem"))
		}, "INTUNE_CERT_PATH", "the file cannot be read: no such file or directory"},
		{func(c *intune.Config) {
			certificate(c)
			c.CertPath = config.Path(written(t, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")))
		}, "INTUNE_CERT_PATH", "the file holds a certificate that cannot be read"},
		{func(c *intune.Config) { c.LoginURL = "http://login.example.com" }, "INTUNE_LOGIN_URL", "does not begin with https://"},
		{func(c *intune.Config) { c.GraphURL = "graph.example.com" }, "INTUNE_GRAPH_URL", "does not begin with https://"},
		{func(c *intune.Config) { c.Group = "Up to date" }, "", ""},
		{func(c *intune.Config) { c.Group = "id:5F0D6A1C-93F4-4C0E-B0F4-7A2F8F6F1D11" }, "", ""},
		{func(c *intune.Config) { c.Group = "id:5f0d6a1c" }, "INTUNE_GROUP", "begins with id:, and no object ID follows"},
		{func(c *intune.Config) { c.Group = "ID: 5f0d6a1c-93f4-4c0e-b0f4-7a2f8f6f1d11" }, "INTUNE_GROUP", "begins with id:, and no object ID follows"},
		{func(c *intune.Config) { c.GraphURL = "https://graph.microsoft.com" }, "", ""},
		{func(c *intune.Config) { c.GraphURL = "https://graph.microsoft.us" }, "INTUNE_GRAPH_URL", "graph.microsoft.us is not of the cloud of INTUNE_CLOUD, worldwide"},
		{func(c *intune.Config) { c.LoginURL = "https://Login.microsoftonline.us" }, "INTUNE_LOGIN_URL", "Login.microsoftonline.us is not of the cloud of INTUNE_CLOUD, worldwide"},
		{func(c *intune.Config) { c.Cloud, c.LoginURL = "dod", "https://login.microsoftonline.us" }, "", ""},
	} {
		c := intune.Config{
			TenantID: "8f0c2b1e-5d3a-4c7b-9e21-0a6b4d7c1f10", ClientID: "3b1f7d52-6c0e-4f8a-8a1d-5e9c2b7a4d01",
			ClientSecret: config.NewSecret([]byte("hidden-secret")), Cloud: "worldwide",
		}
		row.change(&c)
		problems := c.Problems()
		if _, err := intune.New(c); len(problems) == 0 && err != nil && !errors.As(err, &problems) {
			t.Errorf("New = %v, want problems", err)
		}
		switch {
		case row.variable == "" && len(problems) > 0:
			t.Errorf("Problems = %v, want none", problems)
		case row.variable != "" && (len(problems) != 1 || problems[0].Variable != row.variable || problems[0].Text != row.text || problems[0].Accepted == ""):
			t.Errorf("Problems = %+v, want one of %s: %s", problems, row.variable, row.text)
		}
		for _, problem := range problems {
			if strings.Contains(problem.Text+problem.Accepted, "hidden") || strings.Contains(problem.Text, string(os.PathSeparator)+"tmp") {
				t.Errorf("the problem %q shows a secret or a path", problem.Text)
			}
		}
	}
}

// TestPointlessGrace: a warning says that nothing requires compliance, unless a policy may.
func TestPointlessGrace(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		require, facts bool
		warnings       int
	}{{false, false, 1}, {true, false, 0}, {false, true, 0}} {
		c := intune.Config{
			TenantID: "example.com", ClientID: "3b1f7d52-6c0e-4f8a-8a1d-5e9c2b7a4d01", ClientSecret: config.NewSecret([]byte("s")), Cloud: "worldwide",
			GraceIsCompliant: true, RequireCompliant: config.Switch(row.require),
		}
		if row.facts {
			c.ReadFacts()
		}
		if _, warnings, err := intune.Open(c); err != nil || len(warnings) != row.warnings {
			t.Errorf("%+v: Open = %q, %v", row, warnings, err)
		}
	}
}

// TestRequirements: the ID of a group counts in any case.
func TestRequirements(t *testing.T) {
	t.Parallel()
	c := intune.Config{Group: "ID:5F0D6A1C-93F4-4C0E-B0F4-7A2F8F6F1D11", RequireCompliant: true, AllowUnmanaged: true}
	r := c.Requirements()
	if r.Groups[posture.Computer] != "id:5f0d6a1c-93f4-4c0e-b0f4-7a2f8f6f1d11" || r.Groups[posture.MobileDevice] != r.Groups[posture.Computer] || !r.Compliant || !r.AllowUnmanaged {
		t.Errorf("Requirements = %+v", r)
	}
	if r := (intune.Config{Group: "5F0D6A1C-93F4-4C0E-B0F4-7A2F8F6F1D11"}).Requirements(); r.Groups[posture.Computer] != "id:5f0d6a1c-93f4-4c0e-b0f4-7a2f8f6f1d11" {
		t.Errorf("an ID alone requires %v, want the group with the ID", r.Groups)
	}
	if r := (intune.Config{Group: "ID: one"}).Requirements(); r.Groups[posture.Computer] != "ID: one" || r.Compliant || r.AllowUnmanaged {
		t.Errorf("Requirements = %+v", r)
	}
}

// TestClouds: sign-in host, Graph host and scope are those of one cloud.
func TestClouds(t *testing.T) {
	t.Parallel()
	for cloud, want := range map[string]string{
		"worldwide": "https://graph.microsoft.com", "gcc_high": "https://graph.microsoft.us", "dod": "https://dod-graph.microsoft.us",
		"china": "https://microsoftgraph.chinacloudapi.cn",
	} {
		c := intune.Config{TenantID: "example.com", ClientID: "3b1f7d52-6c0e-4f8a-8a1d-5e9c2b7a4d01", ClientSecret: config.NewSecret([]byte("s")), Cloud: cloud}
		if got := withoutPolicy(t, c).Server(); got != want {
			t.Errorf("%s: Server = %s, want %s", cloud, got, want)
		}
		server := started(t, intunetest.Options{Resource: want})
		c = configOf(server)
		c.Cloud = cloud
		if err := withoutPolicy(t, c).Authenticate(t.Context()); err != nil {
			t.Errorf("%s: %v", cloud, err)
		}
	}
}

//go:build linux

package blackbox_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// While the MDM answers no lookup, check says that something is wrong; the daemon starts all the same,
// with a warning, and answers when the fault is over. (Linux, where SSL_CERT_FILE is heeded.)
func TestStartWhileLookupsFail(t *testing.T) {
	t.Parallel()
	managed := true
	server, err := jamftest.New(jamftest.Options{Devices: []jamftest.Device{{Computer: true, Serial: "C02XK1JKLVCG", Managed: &managed}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	roots := filepath.Join(t.TempDir(), "vendor.pem")
	if err := os.WriteFile(roots, server.CACertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	p, client := newPKI(t), server.Client()
	env := workingEnvironment(t, p).with("PROVIDER", "jamf", "FILE_PATH", "", "FILE_TYPE", "", "SSL_CERT_FILE", roots,
		"JAMF_BASE_URL", server.BaseURL(), "JAMF_CLIENT_ID", client.ID, "JAMF_CLIENT_SECRET", client.Secret)
	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusInternalServerError}, jamftest.Computers+"4", jamftest.MobileDevices)
	if r := runOnce(t, env, "", "check"); r.code != 1 || !strings.Contains(r.stderr, "no lookup was answered") || !strings.Contains(r.stderr, "warning: a lookup of a computer was not answered: computers-inventory answered 500") {
		t.Errorf("check: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	d := startDaemon(t, env)
	by := newSigner(t, p, d.address, nil)
	if status, text, err := by.sendMode(t, "C02XK1JKLVCG", "computer"); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("at fault: %d %s, %v, want 503", status, text, err)
	}
	server.Heal()
	if strings.Contains(d.output(), "TIMEOUT") {
		t.Errorf("TIMEOUT was not set, but the start mentions it:\n%s", d.output())
	}
	if status, text, err := by.sendMode(t, "C02XK1JKLVCG", "computer"); err != nil || status != http.StatusOK || !strings.HasPrefix(text, `{"allow":true`) {
		t.Errorf("healed: %d %s, %v, want an allow", status, text, err)
	}
}

// A file of CA certificates that cannot be used would be passed over by Go; it is a configuration error
// where requests are made. TIMEOUT, where it was set, is put into its limits at start.
func TestEnvironmentOfRequests(t *testing.T) {
	t.Parallel()
	_, env := jamfEnvironment(t, newPKI(t))
	env = env.with("TIMEOUT", "30")
	roots := env["SSL_CERT_FILE"]
	d := startDaemon(t, env)
	if _, output := d.stop(t); !strings.Contains(output, "TIMEOUT is 30s, but every request is answered within") {
		t.Errorf("the start does not mention TIMEOUT:\n%s", output)
	}
	for path, want := range map[string]string{
		"/nowhere/ca.pem":         "SSL_CERT_FILE: /nowhere/ca.pem: no such file or directory",
		"testdata/devices.csv":    "SSL_CERT_FILE: testdata/devices.csv: there is no PEM certificate in it",
		`"` + roots + `"`:         "SSL_CERT_FILE: ",
		filepath.Dir(roots) + "/": "is a directory",
	} {
		for _, command := range []string{"check", "serve", "lookup C02XK1JKLVCG"} {
			if r := runOnce(t, env.with("SSL_CERT_FILE", path), "", strings.Fields(command)...); r.code != 1 || !strings.Contains(r.stderr, want) {
				t.Errorf("%s with SSL_CERT_FILE=%s: exit code %d\n%s", command, path, r.code, r.stderr)
			}
		}
	}
}

//go:build linux

package blackbox_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
	"step-posture-connector/internal/test/program"
)

// While the MDM answers no lookup, check reports an error; the daemon starts nevertheless, with a warning, and
// answers after the fault. (Linux: Go reads SSL_CERT_FILE there.)
func TestStartWhileLookupsFail(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	server, env := program.StartJamf(t, p, program.Mac("C02XK1JKLVCG"))
	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusInternalServerError}, jamftest.Computers+"4", jamftest.MobileDevices)
	if r := program.Run(t, env, "", "check"); r.Code != 1 || !strings.Contains(r.Stderr, "no lookup was answered") || !strings.Contains(r.Stderr, "warning: a lookup of a computer was not answered: computers-inventory answered 500") {
		t.Errorf("check: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	d := program.StartDaemon(t, env)
	by := program.NewStepCA(t, p, d.Address, nil)
	if status, text, err := by.SendMode(t, "C02XK1JKLVCG", "computer"); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("during the fault: %d %s, %v, want 503", status, text, err)
	}
	server.Heal()
	if strings.Contains(d.Output(), "TIMEOUT") {
		t.Errorf("TIMEOUT was not set, but the start mentions it:\n%s", d.Output())
	}
	if status, text, err := by.SendMode(t, "C02XK1JKLVCG", "computer"); err != nil || status != http.StatusOK || !strings.HasPrefix(text, `{"allow":true`) {
		t.Errorf("after the fault: %d %s, %v, want an allow", status, text, err)
	}
}

// Go ignores an unusable file of CA certificates; for a provider that makes requests it is a configuration error.
// A TIMEOUT that is set is limited at start.
func TestEnvironmentOfRequests(t *testing.T) {
	t.Parallel()
	_, env := program.StartJamf(t, program.NewPKI(t))
	env = env.With("TIMEOUT", "30")
	roots := env["SSL_CERT_FILE"]
	d := program.StartDaemon(t, env)
	if _, output := d.Stop(t); !strings.Contains(output, "TIMEOUT is 30s, but every request is answered within") {
		t.Errorf("the start does not mention TIMEOUT:\n%s", output)
	}
	for path, want := range map[string]string{
		"/nowhere/ca.pem":         "SSL_CERT_FILE: /nowhere/ca.pem: no such file or directory",
		"testdata/devices.csv":    "SSL_CERT_FILE: testdata/devices.csv: there is no PEM certificate in it",
		`"` + roots + `"`:         "SSL_CERT_FILE: ",
		filepath.Dir(roots) + "/": "is a directory",
	} {
		for _, command := range []string{"check", "serve", "lookup C02XK1JKLVCG"} {
			if r := program.Run(t, env.With("SSL_CERT_FILE", path), "", strings.Fields(command)...); r.Code != 1 || !strings.Contains(r.Stderr, want) {
				t.Errorf("%s with SSL_CERT_FILE=%s: exit code %d\n%s", command, path, r.Code, r.Stderr)
			}
		}
	}
}

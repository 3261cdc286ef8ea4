package intune_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/provider/intune"
	"step-posture-connector/internal/provider/intune/intunetest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// TestCertificate: with a certificate, Entra verifies an assertion in place of a secret.
func TestCertificate(t *testing.T) {
	t.Parallel()
	files := certified(t, time.Now().AddDate(0, 6, 0))
	server := started(t, intunetest.Options{Devices: []intunetest.Device{mac(serial)}, Applications: []intunetest.Application{{
		ID: "3b1f7d52-6c0e-4f8a-8a1d-5e9c2b7a4d01", Certificate: files.certPEM, Permissions: intunetest.AllPermissions(), ExpiresIn: 3599,
	}}})
	c := configOf(server)
	c.ClientSecret, c.CertPath, c.KeyPath = config.Secret{}, config.Path(files.cert), config.Path(files.key)
	p := opened(t, c)
	for range 2 {
		if _, err := lookup(t, p, query(t, serial, 0)); err != nil {
			t.Fatal(err)
		}
		server.Revoke() // an assertion is used once
	}
	if server.TokensIssued() != 2 {
		t.Errorf("%d tokens were issued, want 2", server.TokensIssued())
	}
	found, _, err := p.Check(t.Context())
	if err != nil || !strings.Contains(found, "with a certificate until 20") {
		t.Errorf("Check = %q, %v", found, err)
	}
}

// TestReadableKey: a warning names a key that every user can read, as with other files of secrets.
func TestReadableKey(t *testing.T) {
	t.Parallel()
	files := certified(t, time.Now().AddDate(0, 6, 0))
	c := intune.Config{
		TenantID: "example.com", ClientID: "3b1f7d52-6c0e-4f8a-8a1d-5e9c2b7a4d01", Cloud: "worldwide", CertPath: config.Path(files.cert), KeyPath: config.Path(files.key),
	}
	for _, mode := range []os.FileMode{0o600, 0o644} {
		for folder := filepath.Dir(files.key); mode == 0o644 && len(folder) > len(os.TempDir()); folder = filepath.Dir(folder) {
			if err := os.Chmod(folder, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(files.key, mode); err != nil {
			t.Fatal(err)
		}
		readable := config.ReadableByAll(files.key)
		_, warnings, err := intune.Open(c)
		if told := strings.Contains(strings.Join(warnings, "\n"), "INTUNE_KEY_PATH: every user"); err != nil || told != readable || mode == 0o600 && told {
			t.Errorf("mode %v: Open = %q, %v", mode, warnings, err)
		}
	}
}

// TestWrongLogin: a lookup that gets no token names the setting of the sign-in host, and not that of Graph.
func TestWrongLogin(t *testing.T) {
	t.Parallel()
	for want, fault := range map[string]vendortest.Fault{
		"token endpoint answered 404: the server has no token endpoint there; check INTUNE_LOGIN_URL":               {Kind: vendortest.Answer, Status: 404},
		"token endpoint answered 302: the server redirects, and redirects are not followed; check INTUNE_LOGIN_URL": {Kind: vendortest.Redirect},
		"INTUNE_LOGIN_URL does not answer as the sign-in host of Microsoft Entra does":                              {Kind: vendortest.Answer, Status: 200, Body: "<html></html>"},
	} {
		server := started(t, intunetest.Options{Devices: []intunetest.Device{mac(serial)}})
		server.Fail(fault, intunetest.Token)
		if _, err := lookup(t, opened(t, configOf(server)), query(t, serial, 0)); err == nil || err.Error() != want {
			t.Errorf("Lookup = %v, want %s", err, want)
		}
	}
}

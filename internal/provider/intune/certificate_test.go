package intune_test

import (
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/provider/intune/intunetest"
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

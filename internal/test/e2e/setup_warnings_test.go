package e2e_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/connector"
	"step-posture-connector/internal/test/e2e/device"
	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/process"
	"step-posture-connector/internal/test/e2e/stepca"
)

// These scenarios pin what docs/setup.md warns of. They fail when a new version of
// step-ca behaves differently.

// testRenewal: step-ca calls no webhook for a renewal, so it renews without a running
// connector.
func testRenewal(t *testing.T, l *lab) {
	if got, want := l.renew(t, stepca.Provisioner{Template: gate.Template}), http.StatusCreated; got != want {
		t.Errorf("renewal with the connector down = %d, want %d", got, want)
	}
}

// testRenewalDisabled is the remedy.
func testRenewalDisabled(t *testing.T, l *lab) {
	provisioner := stepca.Provisioner{Template: gate.Template, DisableRenewal: true}
	if got, want := l.renew(t, provisioner), http.StatusUnauthorized; got != want {
		t.Errorf("renewal with renewals disabled = %d, want %d", got, want)
	}
}

// renew gets a certificate, stops the connector and renews the certificate.
func (l *lab) renew(t *testing.T, provisioner stepca.Provisioner) int {
	t.Helper()
	g := l.open(t, gate.Config{Provisioner: provisioner})
	d, cert := l.issue(t, g)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	roots, err := l.ca.Roots()
	if err != nil {
		t.Fatal(err)
	}
	status, err := d.Renew(t.Context(), roots, l.ca.URL(), cert)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// issue gets a known device its certificate.
func (l *lab) issue(t *testing.T, g *gate.Gate) (*device.Device, *x509.Certificate) {
	t.Helper()
	d := l.device(t, knownSerial)
	order, err := d.Order(t.Context(), l.client, g.DirectoryURL())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := finalize(t, order)
	expectEnriched(t, cert, err)
	return d, cert
}

// testInjection: in a template without toJson, a quotation mark in a value ends the
// string, so everyone who may edit the value can add names to the certificate.
func testInjection(t *testing.T, l *lab) {
	const careful, careless = `{"type": "email", "value": {{ toJson . }}}`, `{"type": "email", "value": "{{ . }}"}`
	if !strings.Contains(gate.Template, careful) {
		t.Fatalf("the template has no %s", careful)
	}
	g := l.open(t, gate.Config{
		Provisioner: stepca.Provisioner{Template: strings.Replace(gate.Template, careful, careless, 1)},
		Inventory: `{"devices": [{"identifier": "C02E2EKNOWN1", "data": {
			"department": "Design",
			"email": "ada@example.com\"}, {\"type\": \"email\", \"value\": \"boss@example.com"
		}}]}`,
		InventoryType: "json",
	})
	cert, err := finalize(t, l.order(t, g.DirectoryURL(), knownSerial))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := cert.EmailAddresses, []string{email, "boss@example.com"}; !slices.Equal(got, want) {
		t.Errorf("e-mail addresses = %q, want %q", got, want)
	}
}

// webhookID is the ID that an operator invents for a webhook in ca.json.
const webhookID = "5b1f3f0e-6a55-4b0e-9d53-3f1d0c6f7a10"

// testSecretInConfig: an operator writes webhook and secret into ca.json, and the same
// secret into the connector's configuration. step-ca does not read the secret there and
// signs with the empty key, as every client can.
func testSecretInConfig(t *testing.T, l *lab) {
	// 64 bytes, like step-ca's.
	secret := "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="
	own := &lab{programs: l.programs}
	own.ca = own.initCA(t, false)
	own.startCA(t)
	dir := t.TempDir()
	certificate, key, err := own.ca.IssueServer(t.Context(), dir, stepca.EC)
	if err != nil {
		t.Fatal(err)
	}
	config := connector.Config{
		Binary: own.programs.Connector(), Dir: dir, Certificate: certificate, Key: key,
		Webhooks:  []stepca.Credentials{{ID: webhookID, Secret: secret}},
		Inventory: writeInventory(t, dir),
	}
	provisioner := stepca.Provisioner{Name: "by-hand", AttestationRoots: own.maker.RootPEM()}
	if err := own.ca.AddProvisioner(t.Context(), provisioner); err != nil {
		t.Fatal(err)
	}
	c := own.startByHand(t, config)

	expectServerError(t, own.order(t, own.ca.DirectoryURL(provisioner.Name), knownSerial))
	expectLog(t, c, "[DENY]", "401", "signed with the empty key", "step ca provisioner webhook add")
}

// startByHand starts the connector, and restarts the CA with the webhook in ca.json.
func (l *lab) startByHand(t *testing.T, config connector.Config) *connector.Connector {
	t.Helper()
	var c *connector.Connector
	err := process.RetryPort(t.Context(), func(ctx context.Context, port int) error {
		config.Port = port
		var err error
		if c, err = connector.Start(ctx, config); err != nil {
			return err
		}
		if err := l.ca.Stop(); err != nil {
			return err
		}
		if err := l.ca.EditConfig(withWebhook(port, config.Webhooks[0])); err != nil {
			return err
		}
		return l.ca.Start(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Errorf("stop connector: %v", err)
		}
		if t.Failed() {
			t.Logf("the connector printed:\n%s", c.Log())
		}
	})
	return c
}

// withWebhook writes a webhook into the ACME provisioner of a ca.json.
func withWebhook(port int, credentials stepca.Credentials) func(map[string]any) error {
	return func(config map[string]any) error {
		authority, _ := config["authority"].(map[string]any)
		provisioners, _ := authority["provisioners"].([]any)
		for _, each := range provisioners {
			provisioner, ok := each.(map[string]any)
			if !ok || provisioner["type"] != "ACME" {
				continue
			}
			provisioner["options"] = map[string]any{"webhooks": []any{map[string]any{
				"id": credentials.ID, "secret": credentials.Secret, "name": gate.WebhookName,
				"url":  fmt.Sprintf("https://127.0.0.1:%d/webhook/device-attest", port),
				"kind": stepca.Enriching, "certType": "X509",
			}}}
			return nil
		}
		return errors.New("no ACME provisioner in ca.json")
	}
}

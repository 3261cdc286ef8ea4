package e2e_test

import (
	"crypto/x509"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/stepca"
)

// TestGate runs every scenario with one step-ca; each has its own provisioner and
// connector.
func TestGate(t *testing.T) {
	l := newLab(t)
	scenarios := map[string]func(*testing.T, *lab){
		"answers":                  testAnswers,
		"wrong client name":        testWrongClientName,
		"client auth disabled":     testClientAuthDisabled,
		"refused, then added":      testRefusedThenAdded,
		"broken inventory":         testBrokenInventory,
		"own certificate renewed":  testOwnCertificateRenewed,
		"connector down":           testConnectorDown,
		"another common name":      testAnotherCommonName,
		"no common name":           testNoCommonName,
		"no common name, force CN": testForceCN,
		"renewal":                  testRenewal,
		"renewal disabled":         testRenewalDisabled,
		"secret in ca.json":        testSecretInConfig,
		"template without toJson":  testInjection,
		"without a webhook":        testWithoutWebhook,
		"only authorizing":         testAuthorizingAlone,
		"policies":                 testPolicies,
		"SQL":                      testSQL,
		"vendors":                  testVendors,
		"check of the CA":          testCheckCA,
	}
	for name, scenario := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, l)
		})
	}
}

// testAnswers checks an allow and a deny, for each way to set up a gate.
func testAnswers(t *testing.T, l *lab) {
	tests := []struct {
		name   string
		config gate.Config
		expect func(*testing.T, *x509.Certificate, error)
	}{
		{"JSON inventory", gate.Config{Inventory: jsonInventory, InventoryType: "json"}, expectEnriched},
		{"CSV inventory", gate.Config{Inventory: csvInventory, InventoryType: "csv"}, expectEnriched},
		{"authorizing", gate.Config{Kind: stepca.Authorizing}, expectIssued},
		{"RSA", gate.Config{ServerKey: stepca.RSA}, expectEnriched},
		{"mutual TLS", gate.Config{MutualTLS: true, AllowedNames: stepca.Name}, expectEnriched},
		{"mutual TLS by DNS name", gate.Config{MutualTLS: true, AllowedNames: "localhost"}, expectEnriched},
		{"mutual TLS with RSA", gate.Config{MutualTLS: true, AllowedNames: stepca.Name, ServerKey: stepca.RSA}, expectEnriched},
		{"mutual TLS, authorizing", gate.Config{MutualTLS: true, Kind: stepca.Authorizing}, expectIssued},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := l.open(t, test.config)

			cert, err := finalize(t, l.order(t, g.DirectoryURL(), knownSerial))
			test.expect(t, cert, err)
			expectLog(t, g.Connector(), "[ALLOW]", knownSerial)

			order := l.order(t, g.DirectoryURL(), unknownSerial)
			cert, err = finalize(t, order)
			expectNotFound(t, g.Connector(), cert, err)
			expectReady(t, order)
		})
	}
}

// testWrongClientName: the CA's client certificate chains to its own root, but has
// none of the allowed names. The device is known, so only the name can be the cause.
func testWrongClientName(t *testing.T, l *lab) {
	g := l.open(t, gate.Config{MutualTLS: true, AllowedNames: "ca.example.com"})
	expectServerError(t, l.order(t, g.DirectoryURL(), knownSerial))
	for _, decision := range []string{"[ALLOW]", "[DENY]"} {
		if log := g.Connector().Log(); strings.Contains(log, decision) {
			t.Errorf("log has %s, want no decision:\n%s", decision, log)
		}
	}
}

// testClientAuthDisabled: without client authentication step-ca does not trust its own
// root either, and so refuses a connector with a certificate of its own, although the
// connector asks for no client certificate.
func testClientAuthDisabled(t *testing.T, l *lab) {
	g := l.open(t, gate.Config{DisableTLSClientAuth: true})
	expectServerError(t, l.order(t, g.DirectoryURL(), knownSerial))
	if log := l.ca.Log(); !strings.Contains(log, "certificate signed by unknown authority") {
		t.Errorf("step-ca did not log an unknown authority")
	}
}

// testRefusedThenAdded: after a denial the order stays valid, and a device that is
// added to the file is allowed without a restart.
func testRefusedThenAdded(t *testing.T, l *lab) {
	g := l.open(t, gate.Config{Inventory: `{"devices": []}`, InventoryType: "json"})
	order := l.order(t, g.DirectoryURL(), knownSerial)
	cert, err := finalize(t, order)
	expectRefused(t, g.Connector(), "deviceNotFound", knownSerial, cert, err)
	expectReady(t, order)

	setInventory(t, g, jsonInventory, "reloaded: 1 device in")
	cert, err = finalize(t, order)
	expectEnriched(t, cert, err)
	cert, err = finalize(t, l.order(t, g.DirectoryURL(), knownSerial))
	expectEnriched(t, cert, err)
}

// testConnectorDown: without a connector, the device gets a server error and no certificate.
func testConnectorDown(t *testing.T, l *lab) {
	g := l.open(t, gate.Config{})
	order := l.order(t, g.DirectoryURL(), knownSerial)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	expectServerError(t, order)
}

// testAnotherCommonName: a known device requests a certificate with the name of another
// one.
func testAnotherCommonName(t *testing.T, l *lab) {
	g := l.open(t, gate.Config{})
	order := l.order(t, g.DirectoryURL(), knownSerial)
	cert, err := order.FinalizeAs(t.Context(), "C02E2EANOTHR")
	expectProblem(t, cert, err, 400, "urn:ietf:params:acme:error:badCSR")
	expectReady(t, order)
}

// testNoCommonName: a request need not have a common name; the template uses the
// attested identifier.
func testNoCommonName(t *testing.T, l *lab) {
	g := l.open(t, gate.Config{})
	order := l.order(t, g.DirectoryURL(), knownSerial)
	cert, err := order.FinalizeAs(t.Context(), "")
	expectEnriched(t, cert, err)
}

// testForceCN: step-ca forces the common name to be a DNS name, and a device's
// certificate has no DNS name.
func testForceCN(t *testing.T, l *lab) {
	g := l.open(t, gate.Config{Kind: stepca.Authorizing, Provisioner: stepca.Provisioner{ForceCN: true}})
	order := l.order(t, g.DirectoryURL(), knownSerial)
	if cert, err := order.FinalizeAs(t.Context(), ""); err == nil {
		t.Errorf("FinalizeAs(\"\") returned a certificate for %s, want an error", cert.Subject)
	}
	expectReady(t, order)
}

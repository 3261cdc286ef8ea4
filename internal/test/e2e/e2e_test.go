package e2e_test

import (
	"crypto/x509"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/stepca"
)

// TestGate runs every scenario against one step-ca, each behind a provisioner
// and a connector of its own.
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
	}
	for name, scenario := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, l)
		})
	}
}

// testAnswers checks the two plain answers, for each way to set up a gate.
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

// testWrongClientName: the CA's client certificate chains to its own root, but
// does not bear the name that the connector lets in. The device is a known one,
// so that only the name can be what stops it.
func testWrongClientName(t *testing.T, l *lab) {
	g := l.open(t, gate.Config{MutualTLS: true, AllowedNames: "ca.example.com"})
	expectServerError(t, l.order(t, g.DirectoryURL(), knownSerial))
	for _, decision := range []string{"[ALLOW]", "[DENY]"} {
		if log := g.Connector().Log(); strings.Contains(log, decision) {
			t.Errorf("log has %s, want no decision:\n%s", decision, log)
		}
	}
}

// testClientAuthDisabled: without client authentication step-ca also forgets
// its own root, and so refuses a connector whose certificate it issued itself,
// although this connector asks for no client certificate.
func testClientAuthDisabled(t *testing.T, l *lab) {
	g := l.open(t, gate.Config{DisableTLSClientAuth: true})
	expectServerError(t, l.order(t, g.DirectoryURL(), knownSerial))
	if log := l.ca.Log(); !strings.Contains(log, "certificate signed by unknown authority") {
		t.Errorf("step-ca did not complain of an unknown authority")
	}
}

// testRefusedThenAdded: a refusal does not use the order up, and a device that is
// added to the file is let in without a restart.
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

// testConnectorDown: nobody to ask is a fault, and lets nobody in.
func testConnectorDown(t *testing.T, l *lab) {
	g := l.open(t, gate.Config{})
	order := l.order(t, g.DirectoryURL(), knownSerial)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	expectServerError(t, order)
}

// testAnotherCommonName: a known device asks for a certificate that names
// another one.
func testAnotherCommonName(t *testing.T, l *lab) {
	g := l.open(t, gate.Config{})
	order := l.order(t, g.DirectoryURL(), knownSerial)
	cert, err := order.FinalizeAs(t.Context(), "C02E2EANOTHR")
	expectProblem(t, cert, err, 400, "urn:ietf:params:acme:error:badCSR")
	expectReady(t, order)
}

// testNoCommonName: a request need not have a common name; the template takes
// the attested identifier.
func testNoCommonName(t *testing.T, l *lab) {
	g := l.open(t, gate.Config{})
	order := l.order(t, g.DirectoryURL(), knownSerial)
	cert, err := order.FinalizeAs(t.Context(), "")
	expectEnriched(t, cert, err)
}

// testForceCN: step-ca forces the common name to be a DNS name, of which such a
// certificate has none.
func testForceCN(t *testing.T, l *lab) {
	g := l.open(t, gate.Config{Kind: stepca.Authorizing, Provisioner: stepca.Provisioner{ForceCN: true}})
	order := l.order(t, g.DirectoryURL(), knownSerial)
	if cert, err := order.FinalizeAs(t.Context(), ""); err == nil {
		t.Errorf("FinalizeAs(\"\") returned a certificate for %s, want an error", cert.Subject)
	}
	expectReady(t, order)
}

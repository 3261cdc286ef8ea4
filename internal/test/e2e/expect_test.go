package e2e_test

import (
	"context"
	"crypto/x509"
	"errors"
	"regexp"
	"slices"
	"testing"

	"go.step.sm/crypto/x509util"
	"golang.org/x/crypto/acme"

	"step-posture-connector/internal/test/e2e/connector"
	"step-posture-connector/internal/test/e2e/device"
)

// expectIssued checks a certificate of the CA's default template: it names the device
// and no other.
func expectIssued(t *testing.T, cert *x509.Certificate, err error) {
	t.Helper()
	expectIssuedTo(t, knownSerial, cert, err)
}

// expectIssuedTo checks that a certificate names the given device and no other.
func expectIssuedTo(t *testing.T, serial string, cert *x509.Certificate, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("Finalize() = %v, want a certificate", err)
	}
	if got, want := cert.Subject.CommonName, serial; got != want {
		t.Errorf("common name = %q, want %q", got, want)
	}
	sans, err := x509util.ParseSubjectAlternativeNames(cert)
	if err != nil {
		t.Fatal(err)
	}
	var identifiers []string
	for _, identifier := range sans.PermanentIdentifiers {
		identifiers = append(identifiers, identifier.Identifier)
	}
	if want := []string{serial}; !slices.Equal(identifiers, want) {
		t.Errorf("permanent identifiers = %q, want %q", identifiers, want)
	}
}

// expectEnriched checks a certificate of gate.Template: it has the inventory's data about
// the device.
func expectEnriched(t *testing.T, cert *x509.Certificate, err error) {
	t.Helper()
	expectIssued(t, cert, err)
	if got, want := cert.Subject.OrganizationalUnit, []string{department}; !slices.Equal(got, want) {
		t.Errorf("organizational units = %q, want %q", got, want)
	}
	if got, want := cert.EmailAddresses, []string{email}; !slices.Equal(got, want) {
		t.Errorf("e-mail addresses = %q, want %q", got, want)
	}
}

// expectNotFound checks the denial of a device that is not in the inventory.
func expectNotFound(t *testing.T, c *connector.Connector, cert *x509.Certificate, err error) {
	t.Helper()
	expectRefused(t, c, "deviceNotFound", unknownSerial, cert, err)
}

// expectRefused checks a denial: the error that the device gets, and the line of the
// connector's log with the same reference.
func expectRefused(t *testing.T, c *connector.Connector, code, serial string, cert *x509.Certificate, err error) {
	t.Helper()
	problem := expectProblem(t, cert, err, 401, "urn:ietf:params:acme:error:unauthorized")
	if len(problem.Subproblems) != 1 {
		t.Fatalf("subproblems = %+v, want 1", problem.Subproblems)
	}
	if got, want := problem.Subproblems[0].Type, "urn:smallstep:acme:error:"+code; got != want {
		t.Errorf("subproblem type = %q, want %q", got, want)
	}
	reference := regexp.MustCompile(`\(ref ([0-9A-Z]{8})\)`)
	match := reference.FindStringSubmatch(problem.Detail)
	if match == nil {
		t.Fatalf("detail = %q, want a match of %s", problem.Detail, reference)
	}
	expectLog(t, c, "[DENY]", code, serial, match[1])
}

// expectServerError checks that there was no decision: the device gets a server error,
// after which it may try again.
func expectServerError(t *testing.T, order *device.Order) {
	t.Helper()
	cert, err := finalize(t, order)
	expectProblem(t, cert, err, 500, "urn:ietf:params:acme:error:serverInternal")
	expectReady(t, order)
}

// expectReady checks that no certificate was issued, and that the order may be finalized
// again.
func expectReady(t *testing.T, order *device.Order) {
	t.Helper()
	status, err := order.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if status != acme.StatusReady {
		t.Errorf("order status = %q, want %q", status, acme.StatusReady)
	}
}

func expectProblem(t *testing.T, cert *x509.Certificate, err error, status int, problemType string) *acme.Error {
	t.Helper()
	if cert != nil {
		t.Fatalf("Finalize() returned a certificate for %s, want none", cert.Subject)
	}
	var problem *acme.Error
	if !errors.As(err, &problem) {
		t.Fatalf("Finalize() = %v, want an ACME problem", err)
	}
	if problem.StatusCode != status {
		t.Errorf("status = %d, want %d", problem.StatusCode, status)
	}
	if problem.ProblemType != problemType {
		t.Errorf("problem type = %q, want %q", problem.ProblemType, problemType)
	}
	return problem
}

// expectLog waits for a line of the connector's log that contains all texts.
func expectLog(t *testing.T, c *connector.Connector, texts ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	if _, err := c.AwaitLog(ctx, texts...); err != nil {
		t.Error(err)
	}
}

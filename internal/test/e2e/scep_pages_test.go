package e2e_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/people"
	"step-posture-connector/internal/test/e2e/scep"
)

const laptop = "laptop-1.example.com"

// scepPage is the page of SCEP with a real connector.
type scepPage struct {
	*lab
	guard *people.Guard
	page  provisionerPage
}

// TestSCEPPage follows the page of SCEP with a real connector.
func TestSCEPPage(t *testing.T) {
	l := newLab(t)
	s := &scepPage{lab: l, page: l.readPage(t, "scep.md")}
	dir := t.TempDir()
	// The command of the page would ask for the password of the CA's key.
	if _, _, err := l.ca.IssueDecrypter(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	decrypter := regexp.MustCompile(`(?m)^step certificate create .*\n.*\n`)
	if len(decrypter.FindAllString(s.page.commands, -1)) != 1 {
		t.Fatalf("the commands of the page make not exactly one key:\n%s", s.page.commands)
	}
	s.page.commands = "CHALLENGE=" + scepChallenge + "\n" + decrypter.ReplaceAllString(s.page.commands, "")
	s.guard = l.guardPage(t, s.page, dir, map[string]string{
		"laptops.csv": "Identifier,host,role\n" + laptop + "," + laptop + ",loan\n",
	})
	// The CA serves SCEP only when it had such a provisioner as it started.
	if err := l.ca.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.testStatic(t)
	s.testOutage(t)
	s.testFinalNames(t)
	s.expectSecret(t)
}

// testStatic: a device in the inventory gets the inventory's names, and another one gets nothing. The log has what step-ca tells
// of both.
func (s *scepPage) testStatic(t *testing.T) {
	t.Helper()
	certificate, err := s.enroll(t, "scep", scep.Request{CommonName: laptop, DNSNames: []string{freeName}, Challenge: scepChallenge})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(certificate.DNSNames, []string{laptop}) || !slices.Equal(certificate.Subject.OrganizationalUnit, []string{"loan"}) {
		t.Errorf("the certificate has the names %q and the subject %s, want those of the inventory", certificate.DNSNames, certificate.Subject)
	}
	expectLog(t, s.guard.Connector, "SCEP transaction", certificate.SerialNumber.Text(hexBase)+" was issued")

	s.expectRefusal(t, "scep", scep.Request{CommonName: freeName, Challenge: scepChallenge}, scepBroken)
	expectLog(t, s.guard.Connector, "[DENY]", freeName, "deviceNotFound")
	expectLog(t, s.guard.Connector, "SCEP transaction", "has failed", "(deviceNotFound)")
}

// hexBase is that of serial numbers in the log.
const hexBase = 16

// testOutage: during an outage nothing is issued, and the same device gets its certificate after it.
func (s *scepPage) testOutage(t *testing.T) {
	t.Helper()
	request := scep.Request{CommonName: laptop, Challenge: scepChallenge}
	setPolicies(t, s.guard, outage(t, s.page.policies))
	s.expectRefusal(t, "scep", request, scepBroken)
	expectLog(t, s.guard.Connector, "SCEP transaction", "has failed", "Webhook server responded with 503")
	setPolicies(t, s.guard, s.page.policies)
	if _, err := s.enroll(t, "scep", request); err != nil {
		t.Errorf("after the outage: %v, want a certificate", err)
	}
}

// testFinalNames: with step-ca's own template a device gets a further name that it asks for, where the policy forgets the rule
// over the final names. With the rule the certificate is kept back.
func (s *scepPage) testFinalNames(t *testing.T) {
	t.Helper()
	request := scep.Request{CommonName: laptop, DNSNames: []string{laptop, freeName}, Challenge: scepChallenge}
	s.withoutTemplate(t, "scep", "--x509-template")
	setPolicies(t, s.guard, forgetful(t, s.page.policies))
	certificate, err := s.enroll(t, "scep", request)
	if err != nil || !slices.Contains(certificate.DNSNames, freeName) {
		t.Errorf("without the rule: %v, want a certificate with %s: the attack does not work", err, freeName)
	}
	setPolicies(t, s.guard, s.page.policies)
	s.expectRefusal(t, "scep", request, scepBroken)
	expectLog(t, s.guard.Connector, "[DENY]", "rule final_names is unmet")
}

// expectSecret wants no challenge in what the connector has printed, in any form that a body has it in.
func (s *scepPage) expectSecret(t *testing.T) {
	t.Helper()
	for _, form := range []string{scepChallenge, url.QueryEscape(scepChallenge)} {
		if strings.Contains(s.guard.Log(), form) {
			t.Errorf("the log has the challenge")
		}
	}
}

func (s *scepPage) enroll(t *testing.T, provisioner string, request scep.Request) (*x509.Certificate, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	return scep.Enroll(ctx, s.client, s.ca.SCEPURL(provisioner), request)
}

func (s *scepPage) expectRefusal(t *testing.T, provisioner string, request scep.Request, text string) {
	t.Helper()
	_, err := s.enroll(t, provisioner, request)
	var refusal *scep.Refusal
	if !errors.As(err, &refusal) || refusal.Text != text {
		t.Errorf("%+v: got %v, want the failure %q", request, err, text)
	}
}

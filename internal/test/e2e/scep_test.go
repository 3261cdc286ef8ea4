package e2e_test

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/smallstep/certificates/webhook"

	"step-posture-connector/internal/test/e2e/scep"
	"step-posture-connector/internal/test/e2e/stepca"
)

const (
	scepChallenge = "a-challenge-of-one-device"
	scepName      = "laptop-1"
)

// The texts of failures that a SCEP client gets.
const (
	challengeRefused  = "webhook server did not allow request"
	challengeUnsolved = "failed validating challenge password"
	scepBroken        = "internal server error; please see the certificate authority logs for more info"
)

// scepLab is a CA with a SCEP provisioner, and the webhook server that it asks.
type scepLab struct {
	*lab
	hook *hook
}

// TestSCEP: what step-ca tells webhooks of SCEP requests, and what a client gets to see of the answers.
func TestSCEP(t *testing.T) {
	l := newLab(t)
	dir := t.TempDir()
	certificate, key, err := l.ca.IssueDecrypter(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	labs := map[string]*scepLab{}
	for _, name := range []string{"challenge", "static"} {
		err := l.ca.AddProvisionerWith(t.Context(), name, hostTemplate, "", "--type", "SCEP", "--challenge", scepChallenge,
			"--encryption-algorithm-identifier", "2", "--scep-decrypter-certificate-file", certificate, "--scep-decrypter-key-file", key)
		if err != nil {
			t.Fatal(err)
		}
		s := &scepLab{l, l.startHook(t)}
		kinds := []stepca.Kind{stepca.Enriching, stepca.Authorizing, stepca.Notifying}
		if name == "challenge" {
			kinds = append(kinds, stepca.SCEPChallenge)
		}
		for _, kind := range kinds {
			l.hang(t, s.hook, name, "X509", "/"+string(kind), kind)
		}
		labs[name] = s
	}
	// The CA serves SCEP only when it had such a provisioner as it started.
	if err := l.ca.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Run("challenge", labs["challenge"].testChallenge)
	t.Run("static", labs["static"].testStatic)
}

// testChallenge: a SCEPCHALLENGE webhook decides about the challenge, in place of the provisioner's own. A request without a
// challenge, and a RenewalReq, which anyone may sign, are told to it in the same way, and so it must refuse them.
func (s *scepLab) testChallenge(t *testing.T) {
	t.Parallel()
	s.hook.answers(func(body *webhook.RequestBody) *webhook.ResponseBody {
		if body.X509CertificateRequest != nil && body.SCEPTransactionID != "" && body.X509Certificate == nil && body.SCEPChallenge == "" {
			return refuse(body)
		}
		return allow(body)
	})
	s.expectCertificate(t, "challenge", scep.Request{CommonName: scepName, Challenge: "any other challenge"})
	s.expectCalls(t, "/SCEPCHALLENGE", "/ENRICHING", "/AUTHORIZING", "/NOTIFYING")
	for name, request := range map[string]scep.Request{
		"no challenge": {CommonName: scepName},
		"renewal":      {CommonName: scepName, Renewal: true},
	} {
		s.expectFailure(t, name, "challenge", request, challengeRefused)
		s.expectCalls(t, "/SCEPCHALLENGE")
	}
	// The attack on a webhook that does not look: a stranger's renewal without a challenge.
	s.hook.answers(allow)
	s.expectCertificate(t, "challenge", scep.Request{CommonName: scepName, Renewal: true})
	s.expectCalls(t, "/SCEPCHALLENGE", "/ENRICHING", "/AUTHORIZING", "/NOTIFYING")
	s.hook.answers(nil)
	s.expectFailure(t, "503", "challenge", scep.Request{CommonName: scepName, Challenge: scepChallenge}, challengeUnsolved)
	s.expectCalls(t, "/SCEPCHALLENGE", "/SCEPCHALLENGE")
}

// testStatic: the CA compares a static challenge itself. What the webhooks refuse is a failure without their reason for the
// client; the reason is in the notification.
func (s *scepLab) testStatic(t *testing.T) {
	t.Parallel()
	s.hook.answers(allow)
	certificate := s.expectCertificate(t, "static", scep.Request{CommonName: scepName, Challenge: scepChallenge})
	calls := s.expectCalls(t, "/ENRICHING", "/AUTHORIZING", "/NOTIFYING")
	if told := calls[2].body.X509Certificate; told == nil || !slices.Equal(told.Raw, certificate.Raw) || calls[2].body.SCEPTransactionID == "" {
		t.Error("the notification of a success has not the certificate and the transaction")
	}
	for name, request := range map[string]scep.Request{
		"wrong":   {CommonName: scepName, Challenge: "wrong"},
		"none":    {CommonName: scepName},
		"renewal": {CommonName: scepName, Renewal: true},
	} {
		s.expectFailure(t, name, "static", request, challengeUnsolved)
		s.expectCalls(t)
	}

	request := scep.Request{CommonName: scepName, Challenge: scepChallenge}
	s.hook.answers(refuse)
	s.expectFailure(t, "refused", "static", request, scepBroken)
	s.expectNotified(t, s.expectCalls(t, "/ENRICHING", "/NOTIFYING"), "not in the inventory (deviceNotFound)")
	s.hook.answers(nil)
	s.expectFailure(t, "503", "static", request, scepBroken)
	s.expectNotified(t, s.expectCalls(t, "/ENRICHING", "/ENRICHING", "/NOTIFYING", "/NOTIFYING"), "Webhook server responded with 503")
	s.hook.answers(allow)
	s.expectCertificate(t, "static", request)
}

func (s *scepLab) enroll(t *testing.T, provisioner string, request scep.Request) (*x509.Certificate, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	return scep.Enroll(ctx, s.client, s.ca.SCEPURL(provisioner), request)
}

// expectCertificate wants a certificate of hostTemplate: it has the inventory's names, and not those of the CSR.
func (s *scepLab) expectCertificate(t *testing.T, provisioner string, request scep.Request) *x509.Certificate {
	t.Helper()
	certificate, err := s.enroll(t, provisioner, request)
	if err != nil {
		t.Fatalf("%+v: %v, want a certificate", request, err)
	}
	if certificate.Subject.CommonName != inventoryHost || !slices.Equal(certificate.Subject.OrganizationalUnit, []string{inventoryRole}) {
		t.Errorf("subject = %s, want the host and the role of the inventory", certificate.Subject)
	}
	return certificate
}

func (s *scepLab) expectFailure(t *testing.T, name, provisioner string, request scep.Request, text string) {
	t.Helper()
	_, err := s.enroll(t, provisioner, request)
	var refusal *scep.Refusal
	if !errors.As(err, &refusal) || refusal.FailInfo != "badRequest (2)" || refusal.Text != text {
		t.Errorf("%s: got %v, want badRequest (2) with %q", name, err, text)
	}
}

// expectCalls wants calls of these paths in this order, since the last time.
func (s *scepLab) expectCalls(t *testing.T, paths ...string) []call {
	t.Helper()
	calls := s.hook.take()
	var got []string
	for _, c := range calls {
		got = append(got, c.url)
	}
	if !slices.Equal(got, paths) {
		t.Fatalf("step-ca has called %q, want %q", got, paths)
	}
	return calls
}

// expectNotified wants that the last call tells of a failure, with our reason.
func (s *scepLab) expectNotified(t *testing.T, calls []call, reason string) {
	t.Helper()
	last := calls[len(calls)-1].body
	if last.X509Certificate != nil || !strings.Contains(last.SCEPErrorDescription, reason) {
		t.Errorf("the notification says %q, want %q and no certificate", last.SCEPErrorDescription, reason)
	}
}

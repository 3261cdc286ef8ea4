package e2e_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/people"
	"step-posture-connector/internal/test/e2e/process"
	"step-posture-connector/internal/test/e2e/scep"
)

// scepTokens is a connector that issues the challenges of a SCEP provisioner, as the page about enrolment tokens says.
type scepTokens struct {
	*lab
	guard    *people.Guard
	tokens   api
	policies string
	dir      string
}

// TestTokensSCEP follows the page about enrolment tokens with a SCEP client.
func TestTokensSCEP(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	s := l.followSCEP(t)
	t.Run("Issued", s.testIssued)
	t.Run("Refused", s.testRefused)
	t.Run("Outage", s.testOutage)
	s.expectAudit(t)
}

func (l *lab) followSCEP(t *testing.T) *scepTokens {
	t.Helper()
	page := enrolmentPage(t, l)
	s := &scepTokens{lab: l, dir: t.TempDir(), policies: page.block(t, "## SCEP", "yaml")}
	if _, _, err := l.ca.IssueDecrypter(t.Context(), s.dir); err != nil {
		t.Fatal(err)
	}
	port, err := process.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	plain := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	s.tokens = api{client: &http.Client{Timeout: answerTimeout}, url: "http://" + plain + "/v1/tokens", bearer: newBearer()}
	commands := page.block(t, "The decrypter", "sh")
	s.guard = l.guardWith(t, people.Config{
		Dir: s.dir, Policies: s.policies,
		Files: map[string]string{
			"laptops.csv": "Identifier,role\n" + laptop + ",loan\n" + freeName + ",loan\n", "secret_enroll": s.tokens.bearer,
			"laptop.tpl": page.block(t, "`laptop.tpl`:", "gotemplate"),
		},
		Commands: func(address string) string { return strings.ReplaceAll(commands, exampleAddressOfPosture, address) },
		More:     []string{"STATE_URL=sqlite:" + filepath.Join(s.dir, "state.db"), "API_ADDRESS=" + plain, "AUDIT_LOG_PATH=" + filepath.Join(s.dir, "audit.jsonl")},
	})
	// The CA serves SCEP only when it had such a provisioner as it started.
	if err := l.ca.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// exampleAddressOfPosture is that of the connector on the page about enrolment tokens.
const exampleAddressOfPosture = "https://posture.example.com:9443"

// guardWith sets up the CA and starts a connector until the end of the test.
func (l *lab) guardWith(t *testing.T, config people.Config) *people.Guard {
	t.Helper()
	config.Binary, config.LoggingLevel = l.programs.Connector(), 2
	// The cleanup of a test comes after the end of its context.
	guard, err := people.Open(context.WithoutCancel(t.Context()), l.ca, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := guard.Close(); err != nil {
			t.Errorf("stop the connector: %v", err)
		}
		if t.Failed() {
			t.Logf("the connector printed:\n%s", guard.Log())
		}
	})
	return guard
}

func (s *scepTokens) challenge(t *testing.T) string {
	t.Helper()
	return s.tokens.issue(t, map[string]string{"policy": "laptops", "identifier": laptop}).Token
}

func (s *scepTokens) enroll(t *testing.T, request scep.Request) (*x509.Certificate, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	return scep.Enroll(ctx, s.client, s.ca.SCEPURL("scep"), request)
}

func (s *scepTokens) expectCertificate(t *testing.T, request scep.Request) {
	t.Helper()
	cert, err := s.enroll(t, request)
	if err != nil {
		t.Fatal(err)
	}
	if cert.Subject.CommonName != laptop || !slices.Equal(cert.Subject.OrganizationalUnit, []string{"loan"}) {
		t.Errorf("the subject is %s, want the name and the role of the inventory", cert.Subject)
	}
	expectNoToken(t, "the certificate", cert.Raw, request.Challenge)
	expectNoToken(t, "the log", []byte(s.guard.Log()), request.Challenge)
	expectLog(t, s.guard.Connector, "SCEP transaction", cert.SerialNumber.Text(hexBase)+" was issued")
}

// expectRefusal wants a failure, and that the log says why.
func (s *scepTokens) expectRefusal(t *testing.T, request scep.Request, text string, logged ...string) {
	t.Helper()
	_, err := s.enroll(t, request)
	var refusal *scep.Refusal
	if !errors.As(err, &refusal) || refusal.FailInfo != "badRequest (2)" || refusal.Text != text {
		t.Errorf("%+v: got %v, want badRequest (2) with %q", request, err, text)
	}
	expectLog(t, s.guard.Connector, append([]string{"[DENY]"}, logged...)...)
}

// testIssued: a challenge is good for one key, as often as it asks. A used one is refused.
func (s *scepTokens) testIssued(t *testing.T) {
	t.Helper()
	challenge, key := s.challenge(t), newRSAKey(t)
	for range 2 {
		s.expectCertificate(t, scep.Request{CommonName: laptop, Challenge: challenge, Key: key})
	}
	s.expectRefusal(t, scep.Request{CommonName: laptop, Challenge: challenge}, challengeRefused, "tokenInvalid", "redeemed with another key")
	// Each hook is asked about each certificate, in this order.
	var paths []string
	for _, match := range regexp.MustCompile(`\[ALLOW\].* path=/webhook/(\S+)`).FindAllStringSubmatch(s.guard.Log(), -1) {
		paths = append(paths, match[1])
	}
	if want := []string{"scep-challenge", "certificate", "certificate"}; !slices.Equal(paths, slices.Concat(want, want)) {
		t.Errorf("step-ca has asked about %q, want %q twice", paths, want)
	}
}

// testRefused: a wrong or absent challenge, another name, and a stranger's renewal. None of them uses the challenge up.
func (s *scepTokens) testRefused(t *testing.T) {
	t.Helper()
	challenge := s.challenge(t)
	for reason, request := range map[string]scep.Request{
		"there is no such token":                               {CommonName: laptop, Challenge: strings.Repeat("A", 43)},
		"the request has no challenge":                         {CommonName: laptop},
		"a renewal by SCEP needs one too":                      {CommonName: laptop, Renewal: true},
		"is the identifier \\\"" + laptop + "\\\" of the chal": {CommonName: freeName, Challenge: challenge},
		"the CSR has the name":                                 {CommonName: laptop, DNSNames: []string{freeName}, Challenge: challenge},
	} {
		s.expectRefusal(t, request, challengeRefused, "tokenInvalid", reason)
	}
	s.expectCertificate(t, scep.Request{CommonName: laptop, Challenge: challenge, Key: newRSAKey(t)})
}

// testOutage: what could not be decided uses no challenge up.
func (s *scepTokens) testOutage(t *testing.T) {
	t.Helper()
	request := scep.Request{CommonName: laptop, Challenge: s.challenge(t), Key: newRSAKey(t)}
	setPolicies(t, s.guard, outage(t, withoutTests(s.policies)))
	s.expectRefusal(t, request, challengeUnsolved, "unavailable", "status=503")
	setPolicies(t, s.guard, s.policies)
	s.expectCertificate(t, request)
}

func newRSAKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := scep.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// expectAudit wants the notification of each certificate in the audit log, and no challenge.
func (s *scepTokens) expectAudit(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	issued := 0
	for line := range strings.Lines(string(text)) {
		var entry struct {
			Event string `json:"event"`
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Event == "scep_notification" && strings.Contains(line, laptop) {
			issued++
		}
	}
	if issued != 4 {
		t.Errorf("the audit log has %d notifications of certificates, want 4:\n%s", issued, text)
	}
}
